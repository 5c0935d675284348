"""Importing scrapes: the floor of what a database takes, dlt, and the import, side by side on the same files.

Each import runs in a process of its own on a fresh database of one server that writes to its disk as in production. The
contenders take turns, and what is shown is the median of the rounds: seconds of one machine are worth their ratios.
Round trips and processor time can be compared from machine to machine; the former are counted in a run of their own.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from benchmarks.contenders import Cost, measure
from benchmarks.scrape_import import build_parts, prepare
from benchmarks.shapes import DAY, Weeks, overlapping_weeks, weeks, write_weeks
from benchmarks.tables import Row
from curavani.demo.samples.scrapes import generate_scrapes
from shared.database.locks import LockName, hold
from shared.imports import ledger
from shared.imports.passes import PassReport
from standins.postgres import EmbeddedPostgres
from therapist_service.models import SCHEMA, kernel

CONTENDERS = ("scrape_floor", "scrape_dlt", "scrape_import")
HEADINGS = ("floor", "dlt", "us", "us / floor", "us / dlt")
KNOWN_FILES = 8_200
SMALL_FILE = 1_000
LARGE_FILE = 50_000
HUGE_FILE = 1_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Scrapes that are measured: what they are called, how many records a week has, the weeks, and how many rounds."""

    name: str
    records: int
    weeks: Callable[[], Weeks]
    names: Sequence[str]
    rounds: int
    contenders: Sequence[str] = CONTENDERS


_WEEKS = ("first import", "unchanged, new names", "5 % changed")
_OVERLAPPING = ("first import", "unchanged, new names")
SHAPES = {
    "82x100": Shape("8,200 records in 82 files", 8_200, lambda: weeks(1, 8_200), _WEEKS, 5),
    "620x100": Shape("62,000 records in 620 files", 62_000, lambda: weeks(2, 62_000), _WEEKS, 2),
    "8200x8": Shape("65,600 records in 8,200 files", 65_600, lambda: weeks(5, 65_600, per_file=8), _WEEKS, 2),
    "1000x8": Shape("8,000 records in 1,000 files", 8_000, lambda: weeks(5, 8_000, per_file=8), _WEEKS, 2),
    "overlapping": Shape(
        "20,000 listings of 1,700 people in 200 files, ids that stay",
        20_000,
        lambda: overlapping_weeks(200, by_position=False),
        _OVERLAPPING,
        2,
        CONTENDERS[-1:],
    ),
    "by-position": Shape(
        "20,000 listings of 1,700 people in 200 files, ids by position",
        20_000,
        lambda: overlapping_weeks(200, by_position=True),
        _OVERLAPPING,
        2,
        CONTENDERS[-1:],
    ),
}


def run() -> list[Row]:
    """Every shape, files that are known, and the memory that a large file takes."""
    rows = [row for name in SHAPES if name != "1000x8" for row in run_shape(name)]
    return [*rows, *run_known_files(), *run_large_file(LARGE_FILE)]


def run_shape(name: str, rounds: int | None = None) -> list[Row]:
    """One shape: seconds, then round trips and processor time for each record."""
    shape = SHAPES[name]
    with EmbeddedPostgres() as server, tempfile.TemporaryDirectory() as scratch:
        folders = write_weeks(Path(scratch), shape.weeks())
        timed = _compete(server, shape, folders, rounds or shape.rounds)
        counted = _compete(server, shape, folders, 1, counts=True)
    rows: list[Row] = [(shape.name, *HEADINGS)]
    for position, week in enumerate(shape.names):
        rows += _compared(shape, week, timed, counted, position)
    peaks = _medians(shape, timed, lambda costs: costs[-1].peak_mb)
    return [*rows, ("peak memory, MB", *_beside(peaks))]


def _compete(
    server: EmbeddedPostgres, shape: Shape, folders: Sequence[Path], rounds: int, *, counts: bool = False
) -> dict[str, list[list[Cost]]]:
    done: dict[str, list[list[Cost]]] = {name: [] for name in shape.contenders}
    for _ in range(rounds):
        for name in shape.contenders:
            with _database(server, name) as url:
                done[name].append(measure(name, server, url, folders, counts=counts))
    return done


def _compared(
    shape: Shape, week: str, timed: dict[str, list[list[Cost]]], counted: dict[str, list[list[Cost]]], position: int
) -> list[Row]:
    seconds = _medians(shape, timed, lambda costs: costs[position].seconds)
    # The ratios are those of each round: what slows the machine down for a while slows all contenders down.
    ours = timed[shape.contenders[-1]]
    ratios = [
        median(us[position].seconds / other[position].seconds for us, other in zip(ours, timed[rival], strict=True))
        for rival in shape.contenders[:-1]
    ]
    each = 1000 / shape.records
    trips = _medians(shape, counted, lambda costs: costs[position].round_trips * each)
    client = _medians(shape, timed, lambda costs: costs[position].client * each * 1000)
    server = _medians(shape, timed, lambda costs: costs[position].server * each * 1000)
    return [
        (f"{week}, s", *_beside(seconds), *ratios),
        (f"{week}, records/s", *_beside([shape.records / one for one in seconds])),
        (f"{week}, round trips for 1,000 records", *_beside(trips)),
        (f"{week}, client, µs of processor a record", *_beside(client)),
        (f"{week}, server, µs of processor a record", *_beside(server)),
    ]


def _medians(shape: Shape, done: dict[str, list[list[Cost]]], figure: Callable[[list[Cost]], float]) -> list[float]:
    return [median(figure(costs) for costs in done[name]) for name in shape.contenders]


def _beside(figures: Sequence[float]) -> list[float | str]:
    """The figures under their contenders' headings, where some take no part."""
    return [*[""] * (len(CONTENDERS) - len(figures)), *figures]


def run_large_file(records: int = HUGE_FILE) -> list[Row]:
    """Peak memory of importing one file of so many records, beside that of a small one."""
    sizes = (SMALL_FILE, records)
    with EmbeddedPostgres(durable=False) as server, tempfile.TemporaryDirectory() as scratch:
        done: list[Cost] = []
        for size in sizes:
            folder = Path(scratch, str(size))
            _write_large_file(folder, size)
            with _database(server, f"file_{size}") as url:
                done += measure("scrape_import", server, url, [folder])
    peaks = [one.peak_mb for one in done]
    return [
        ("One file, imported by us", *[f"{size:,} records" for size in sizes], "difference"),
        ("peak memory, MB", *peaks, peaks[1] - peaks[0]),
        ("records/s", *[size / one.seconds for size, one in zip(sizes, done, strict=True)]),
    ]


@contextmanager
def _database(server: EmbeddedPostgres, name: str) -> Iterator[str]:
    yield server.create_database(name)
    server.drop_database(name)


def run_known_files() -> list[Row]:
    """Seconds of a pass that finds nothing but files that the ledger knows."""
    with EmbeddedPostgres() as server, tempfile.TemporaryDirectory() as scratch:
        seconds = _pass_over_known_files(server, Path(scratch))
    return [("Files that the ledger knows", "us"), (f"pass over {KNOWN_FILES:,} of them, s", seconds)]


def _pass_over_known_files(server: EmbeddedPostgres, root: Path) -> float:
    """Seconds of a pass that finds nothing but files of the years before."""
    _write_known_files(root)
    with _database(server, "known") as url:
        prepare(url)
        parts = build_parts(url, root)
        with hold(parts.engine, LockName(SCHEMA, "import")) as locked, locked.transaction() as connection:
            ledger.register(connection, kernel, parts.source.discover(PassReport()))
            connection.execute(sa.update(kernel.import_tracking).values(status="success"))
        began = time.perf_counter()
        report = parts.monitor.run_once("benchmark")
        seconds = time.perf_counter() - began
        parts.engine.dispose()
    if report.counts or report.ignored["known"] != KNOWN_FILES:
        raise RuntimeError("the files were not known")
    return seconds


def _write_known_files(root: Path) -> None:
    for number in range(KNOWN_FILES):
        day = DAY - timedelta(days=7 * (number // 100))
        path = root / f"{day:%Y%m%d}" / f"{52000 + number % 100}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"{}")


def _write_large_file(folder: Path, records: int) -> None:
    """One scrape of so many different people, fifty to a postal code."""
    document = json.loads(generate_scrapes(3, 100, DAY)[0].content)
    templates = document.pop("therapists")
    path = folder / f"{DAY:%Y%m%d}" / "52066.json"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"metadata": ' + json.dumps({**document["metadata"], "total_therapists": records}))
        file.write(', "therapists": [')
        for number in range(records):
            record = templates[number % len(templates)]
            location = {**record["location"], "postal_code": f"{number // 50:05d}", "street": f"Weg {number}"}
            numbered = {**record, "id": f"praxis{number}", "location": location}
            file.write((",\n" if number else "") + json.dumps(numbered, ensure_ascii=False))
        file.write("]}")
