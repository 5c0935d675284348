"""Importing scrapes by dlt, as one would without a program of one's own: `merge` into one flat table.

No validation, no identity beyond the source's id, no history, no events; staff's work in the rows would be overwritten.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dlt
import orjson

from benchmarks.contenders import Week, flat, run_contender


def prepare(_url: str) -> None:
    """dlt makes its own tables."""


def import_weeks(url: str, weeks: list[Week]) -> None:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    with tempfile.TemporaryDirectory() as folder:
        destination = dlt.destinations.postgres(url)
        pipeline = dlt.pipeline("benchmark", destination=destination, dataset_name="flat", pipelines_dir=folder)
        for week in weeks:
            with week.measured():
                people = dlt.resource(_rows(week.files), name="people", primary_key="key", write_disposition="merge")
                pipeline.run(people, loader_file_format="csv")


def _rows(files: list[Path]) -> Iterator[dict[str, str | None]]:
    for path in files:
        for raw in orjson.loads(path.read_bytes())["therapists"]:
            if raw["status"] != "deleted":
                yield {"key": f"{raw['location']['postal_code'][:2]}/{raw['id']}", **flat(raw)}


if __name__ == "__main__":
    run_contender(prepare, import_weeks)
