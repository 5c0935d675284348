"""The scrapes that are measured: how many files of how many records, and what the weeks after the first differ in."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import count
from pathlib import Path

from curavani.demo.samples.practices import Document, Record, area_of
from curavani.demo.samples.scrapes import Scrape, encode, generate_scrapes, next_week

DAY = date(2025, 7, 2)
_FIRST_CODE = 10_000
_OVERLAP_PEOPLE = 1_700
_OVERLAP_RECORDS = 100

Weeks = list[Sequence[Scrape]]
"""The files of each week."""


def weeks(seed: int, records: int, per_file: int = 100) -> Weeks:
    """A first week, the same under the names of the next one, and one of which a twentieth of the records differs."""
    first = generate_scrapes(seed, records, DAY)
    if per_file < _OVERLAP_RECORDS:
        first = list(_small_files(first, per_file))
    unchanged = next_week(first, seed, changed=0.0, day=DAY + timedelta(days=7))
    changed = next_week(unchanged, seed, changed=0.05, day=DAY + timedelta(days=14))
    return [first, unchanged, changed]


def overlapping_weeks(files: int, *, by_position: bool) -> Weeks:
    """Two weeks of files of which each lists its neighbours' people, too; ids stay, or are positions in a list whose
    order changes from week to week."""
    sources = generate_scrapes(4, _OVERLAP_PEOPLE, DAY)
    people = [record for scrape in sources for record in _document(scrape)["therapists"]]
    return [
        [
            _made(sources[0], f"{_FIRST_CODE + number:05d}", day, _shown(people, number, files, week, by_position))
            for number in range(files)
        ]
        for week, day in enumerate((DAY, DAY + timedelta(days=7)))
    ]


def write_weeks(root: Path, weeks: Weeks) -> list[Path]:
    """A folder for each week."""
    folders = []
    for number, scrapes in enumerate(weeks):
        folders.append(root / str(number))
        for scrape in scrapes:
            path = folders[-1] / scrape.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(scrape.content)
    return folders


def _small_files(scrapes: Sequence[Scrape], per_file: int) -> Iterator[Scrape]:
    """The same people, each few of them in a postal code of their own."""
    codes = count(_FIRST_CODE)
    for scrape in scrapes:
        people = _document(scrape)["therapists"]
        for start in range(0, len(people), per_file):
            code = f"{next(codes):05d}"
            part: list[Record] = [
                {**record, "location": {**record["location"], "postal_code": code}}
                for record in people[start : start + per_file]
            ]
            yield _made(scrape, code, DAY, part)


def _shown(people: Sequence[Record], number: int, files: int, week: int, by_position: bool) -> list[Record]:
    start = number * len(people) // files
    shown = [people[(start + offset) % len(people)] for offset in range(_OVERLAP_RECORDS)]
    if not by_position:
        return shown
    turned = shown[week:] + shown[:week]
    return [{**record, "id": f"praxis{position}"} for position, record in enumerate(turned)]


def _made(like: Scrape, code: str, day: date, records: list[Record]) -> Scrape:
    """A file of that postal code and day with the metadata of another one."""
    metadata = {
        **_document(like)["metadata"],
        "scrape_date": f"{day}T03:00:00",
        "postcode_area": area_of(code),
        "total_therapists": len(records),
        "new_therapists": len(records),
        "modified_therapists": 0,
        "deleted_therapists": 0,
    }
    content = encode({"metadata": metadata, "therapists": records})
    return Scrape(f"{day:%Y%m%d}/{code}.json", content, "success", {})


def _document(scrape: Scrape) -> Document:
    found: Document = json.loads(scrape.content)
    return found
