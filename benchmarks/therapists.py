"""Importing scrapes: the import, the floor of what a database takes, and dlt, on the same files, one after the other.

The floor writes the same rows by COPY and upsert with one outbox and one history row per change, one transaction per
file, and does nothing else: no validation, no identity, no merge.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from curavani.demo.postgres import EmbeddedPostgres
from curavani.demo.samples.scrapes import Scrape, generate_scrapes, next_week
from curavani.schema import upgrade
from shared.database.engine import create_engine
from shared.logs import configure_logging
from shared.settings import LogSettings, read_settings
from therapist_service import bootstrap
from therapist_service.imports.mapping import map_record

DAY = date(2025, 7, 2)
WEEK = 8_200
NATION = 62_000
Row = tuple[str, float, str]


def run() -> list[Row]:
    """Rows of the table of figures: name, value, unit."""
    weeks = _weeks(WEEK)
    with EmbeddedPostgres(durable=True) as server:
        ours = _ours(server, "ours_week", weeks)
        floor = _floor(server, "floor_week", weeks)
        dlt = _dlt(server, weeks)
        nation = generate_scrapes(2, NATION, DAY)
        ours_nation = _ours(server, "ours_nation", {"first": nation})
        floor_nation = _floor(server, "floor_nation", {"first": nation})
    rows: list[Row] = []
    for name in weeks:
        rows += _compared(f"{WEEK:,} {name}", WEEK, ours[name], floor[name], dlt.get(name))
    rows += [("known files again", ours["known"], "s")]
    rows += _compared(f"{NATION:,} first", NATION, ours_nation["first"], floor_nation["first"], None)
    return rows + _memory()


def _weeks(therapists: int) -> dict[str, Sequence[Scrape]]:
    first = generate_scrapes(1, therapists, DAY)
    unchanged = next_week(first, 1, changed=0.0, day=DAY + timedelta(days=7))
    changed = next_week(unchanged, 1, changed=0.05, day=DAY + timedelta(days=14))
    return {"first": first, "unchanged": unchanged, "5 % changed": changed}


def _compared(name: str, records: int, ours: float, floor: float, dlt: float | None) -> list[Row]:
    rows = [
        (f"{name}: us", ours, "s"),
        (f"{name}: us", records / ours, "records/s"),
        (f"{name}: floor", floor, "s"),
        (f"{name}: us / floor", ours / floor, "x"),
    ]
    if dlt is not None:
        rows += [(f"{name}: dlt", dlt, "s"), (f"{name}: us / dlt", ours / dlt, "x")]
    return rows


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ours(server: EmbeddedPostgres, name: str, weeks: dict[str, Sequence[Scrape]]) -> dict[str, float]:
    url = server.create_database(name)
    engine = create_engine(url, application_name="benchmark")
    upgrade(engine)
    engine.dispose()
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings(
            {"DATABASE_URL": url, "THERAPIST_IMPORT_FOLDER_PATH": folder, "THERAPIST_IMPORT_SETTLE_SECONDS": "0"},
            *bootstrap.IMPORT_GROUPS,
        )
        parts = bootstrap.build_parts(settings)
        for week, scrapes in weeks.items():
            _write(Path(folder), scrapes)
            seconds[week] = _timed(lambda: parts.monitor.run_once("benchmark"))
        seconds["known"] = _timed(lambda: parts.monitor.run_once("benchmark"))
        with parts.engine.begin() as connection:
            failed = connection.execute(
                sa.text("SELECT count(*) FROM therapist_service.import_tracking WHERE status NOT IN ('success')")
            ).scalar()
        if failed:
            raise RuntimeError(f"{failed} files were not imported")
        parts.engine.dispose()
    return seconds


def _write(folder: Path, scrapes: Sequence[Scrape]) -> None:
    for scrape in scrapes:
        path = folder / scrape.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(scrape.content)


_FLOOR_TABLES = """
CREATE TABLE people (key text PRIMARY KEY, hash text, record jsonb, raw jsonb);
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, payload jsonb);
CREATE TABLE history (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text, value text);
CREATE TEMPORARY TABLE incoming (key text, hash text, record jsonb, raw jsonb);
"""
_FLOOR_APPLY = """
WITH written AS (
  INSERT INTO people SELECT * FROM incoming
  ON CONFLICT (key) DO UPDATE SET hash = excluded.hash, record = excluded.record, raw = excluded.raw
  WHERE people.hash <> excluded.hash RETURNING key, record
), told AS (INSERT INTO outbox (key, payload) SELECT key, record FROM written)
INSERT INTO history (key, value) SELECT key, 'changed' FROM written
"""


def _floor(server: EmbeddedPostgres, name: str, weeks: dict[str, Sequence[Scrape]]) -> dict[str, float]:
    with psycopg.connect(server.create_database(name)) as connection:
        connection.execute(_FLOOR_TABLES)
        connection.commit()
        return {
            week: _timed(lambda scrapes=scrapes: _floor_week(connection, scrapes)) for week, scrapes in weeks.items()
        }


def _floor_week(connection: psycopg.Connection[Any], scrapes: Sequence[Scrape]) -> None:
    for scrape in scrapes:
        hashlib.sha256(scrape.content).hexdigest()
        document = json.loads(scrape.content)
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE incoming")
            with cursor.copy("COPY incoming FROM STDIN") as copy:
                for index, raw in enumerate(document["therapists"]):
                    record = map_record(raw, index) if raw.get("basic_info") else None
                    if record is not None:
                        key = f"{scrape.path[-10:]}/{record.external_id}/{index}"
                        copy.write_row((key, record.hash, json.dumps(record.fields), json.dumps(raw)))
            cursor.execute(_FLOOR_APPLY)
        connection.commit()


def _dlt(server: EmbeddedPostgres, weeks: dict[str, Sequence[Scrape]]) -> dict[str, float]:
    """dlt's `merge` into one flat table; empty where it is not installed."""
    try:
        import dlt  # noqa: PLC0415 - only the benchmark's group has it
    except ModuleNotFoundError:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        destination = dlt.destinations.postgres(server.create_database("dlt_week"))
        pipeline = dlt.pipeline("benchmark", destination=destination, dataset_name="flat", pipelines_dir=folder)
        return {
            week: _timed(lambda scrapes=scrapes: _dlt_week(dlt, pipeline, scrapes)) for week, scrapes in weeks.items()
        }


def _dlt_week(dlt: Any, pipeline: Any, scrapes: Sequence[Scrape]) -> None:
    rows = []
    for scrape in scrapes:
        for index, raw in enumerate(json.loads(scrape.content)["therapists"]):
            if raw.get("basic_info"):
                fields = map_record(raw, index).fields
                flat = {
                    name: json.dumps(value) if isinstance(value, (list, dict)) else value
                    for name, value in fields.items()
                }
                rows.append({"key": f"{scrape.path[-10:]}/{raw.get('id')}/{index}", **flat})
    resource_ = dlt.resource(rows, name="people", primary_key="key", write_disposition="merge")
    pipeline.run(resource_, loader_file_format="csv")


def _memory() -> list[Row]:
    """Peak memory of reading one file of so many records, each in a process of its own."""
    peaks = {}
    for records in (1_000, 1_000_000):
        command = [sys.executable, "-m", "benchmarks.therapists", str(records)]
        peaks[records] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [(f"peak memory, a file of {records:,}", peak, "MB") for records, peak in peaks.items()]


def _import_one_file(records: int) -> float:
    """Imports one file of so many records; returns this process's peak memory in MB."""
    template = json.loads(generate_scrapes(3, 100, DAY)[0].content)
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(durable=False) as server:
        _write_large(Path(folder), template, records)
        url = server.create_database("memory")
        engine = create_engine(url, application_name="benchmark")
        upgrade(engine)
        engine.dispose()
        environment = {
            "DATABASE_URL": url,
            "THERAPIST_IMPORT_FOLDER_PATH": folder,
            "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
            "THERAPIST_IMPORT_MAX_FILE_BYTES": str(4 * 1024**3),
        }
        parts = bootstrap.build_parts(read_settings(environment, *bootstrap.IMPORT_GROUPS))
        parts.monitor.run_once("benchmark")
        parts.engine.dispose()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _write_large(folder: Path, template: dict[str, Any], records: int) -> None:
    with (folder / "52066.json").open("w", encoding="utf-8") as file:
        file.write(json.dumps({"metadata": template["metadata"]})[:-1] + ', "therapists": [')
        for number in range(records):
            record = json.loads(json.dumps(template["therapists"][number % len(template["therapists"])]))
            record["id"] = f"praxis{number}"
            record["location"]["postal_code"] = f"{number // 50 % 99_999 + 1:05d}"
            record["location"]["street"] = f"Weg {number}"
            file.write((", " if number else "") + json.dumps(record))
        file.write("]}")


if __name__ == "__main__":
    configure_logging(LogSettings.model_validate({"LOG_LEVEL": "ERROR"}), stream=sys.stderr)
    print(_import_one_file(int(sys.argv[1])))
