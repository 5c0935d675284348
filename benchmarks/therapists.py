"""Importing scrapes: the floor of what a database takes, dlt, and the import, side by side on the same files.

Each import runs in a process of its own on a fresh database of one server that writes to its disk as in production. The
contenders take turns, and what is shown is the median of the rounds: figures of one machine are worth their ratios.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from benchmarks.contenders import Measured, Week, measure
from benchmarks.scrape_import import build_parts, prepare
from benchmarks.tables import Row
from curavani.demo.samples.scrapes import Scrape, generate_scrapes, next_week
from shared.database.locks import LockName, hold
from shared.imports import ledger
from shared.imports.passes import PassReport
from standins.postgres import EmbeddedPostgres
from therapist_service.models import SCHEMA, kernel

CONTENDERS = ("scrape_floor", "scrape_dlt", "scrape_import")
HEADINGS = ("floor", "dlt", "us", "us / floor", "us / dlt")
DAY = date(2025, 7, 2)
WEEK = 8_200
NATION = 62_000
ROUNDS = 5
NATION_ROUNDS = 2
KNOWN_FILES = 8_200
SMALL_FILE = 1_000
LARGE_FILE = 50_000
HUGE_FILE = 1_000_000


def run() -> list[Row]:
    """A week and its successors, all of Germany, files that are known, and the memory that a large file takes."""
    with EmbeddedPostgres() as server, tempfile.TemporaryDirectory() as scratch:
        week = _compete(server, _write_weeks(Path(scratch, "week"), _three_weeks()), ROUNDS)
        nation_files = generate_scrapes(2, NATION, DAY)
        nation = _compete(server, _write_weeks(Path(scratch, "nation"), [nation_files]), NATION_ROUNDS)
        known = _pass_over_known_files(server, Path(scratch, "known"))
    rows: list[Row] = [(f"{WEEK:,} records in 82 files", *HEADINGS)]
    for position, name in enumerate(("first import", "unchanged week", "5 % changed")):
        rows += _compared(name, WEEK, week, position)
    rows += [("peak memory, MB", *_peaks(week))]
    rows += [(f"{NATION:,} records in 620 files", *HEADINGS), *_compared("first import", NATION, nation, 0)]
    rows += [("peak memory, MB", *_peaks(nation))]
    rows += [("records/s, as a share of those with 82 files", *_rates(nation, week))]
    rows += [("Files that the ledger knows", "", "", "us")]
    rows += [(f"pass over {KNOWN_FILES:,} of them, s", "", "", known)]
    return rows + run_large_file(LARGE_FILE)


def run_large_file(records: int = HUGE_FILE) -> list[Row]:
    """Peak memory of importing one file of so many records, beside that of a small one."""
    sizes = (SMALL_FILE, records)
    with EmbeddedPostgres(durable=False) as server, tempfile.TemporaryDirectory() as scratch:
        done = []
        for size in sizes:
            folder = Path(scratch, str(size))
            _write_large_file(folder, size)
            with _database(server, f"file_{size}") as url:
                done.append(measure("scrape_import", url, [folder]))
    peaks = [one.peak_mb for one in done]
    return [
        ("One file, imported by us", *[f"{size:,} records" for size in sizes], "difference"),
        ("peak memory, MB", *peaks, peaks[1] - peaks[0]),
        ("records/s", *[size / one.seconds[0] for size, one in zip(sizes, done, strict=True)]),
    ]


def _three_weeks() -> list[Sequence[Scrape]]:
    first = generate_scrapes(1, WEEK, DAY)
    unchanged = next_week(first, 1, changed=0.0, day=DAY + timedelta(days=7))
    changed = next_week(unchanged, 1, changed=0.05, day=DAY + timedelta(days=14))
    return [first, unchanged, changed]


def _write_weeks(root: Path, weeks: Sequence[Sequence[Scrape]]) -> list[Path]:
    """A folder for each week."""
    folders = []
    for number, scrapes in enumerate(weeks):
        folders.append(root / str(number))
        for scrape in scrapes:
            path = folders[-1] / scrape.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(scrape.content)
    return folders


@contextmanager
def _database(server: EmbeddedPostgres, name: str) -> Iterator[str]:
    yield server.create_database(name)
    server.drop_database(name)


def _compete(server: EmbeddedPostgres, folders: Sequence[Path], rounds: int) -> dict[str, list[Measured]]:
    done: dict[str, list[Measured]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            with _database(server, name) as url:
                done[name].append(measure(name, url, folders))
    return done


def _medians(done: dict[str, list[Measured]], position: int) -> list[float]:
    return [median(one.seconds[position] for one in done[name]) for name in CONTENDERS]


def _peaks(done: dict[str, list[Measured]]) -> list[float]:
    return [median(one.peak_mb for one in done[name]) for name in CONTENDERS]


def _compared(name: str, records: int, done: dict[str, list[Measured]], position: int) -> list[Row]:
    seconds = _medians(done, position)
    # The ratios are those of each round: what slows the machine down for a while slows all contenders down.
    ours = done[CONTENDERS[-1]]
    ratios = [
        median(us.seconds[position] / other.seconds[position] for us, other in zip(ours, done[rival], strict=True))
        for rival in CONTENDERS[:-1]
    ]
    return [(f"{name}, s", *seconds, *ratios), (f"{name}, records/s", *[records / second for second in seconds])]


def _rates(nation: dict[str, list[Measured]], week: dict[str, list[Measured]]) -> list[float]:
    pairs = zip(_medians(nation, 0), _medians(week, 0), strict=True)
    return [(NATION / large) / (WEEK / small) for large, small in pairs]


def _pass_over_known_files(server: EmbeddedPostgres, root: Path) -> float:
    """Seconds of a pass that finds nothing but files of the years before."""
    _write_known_files(root)
    with _database(server, "known") as url:
        prepare(url)
        parts = build_parts(url, root)
        with hold(parts.engine, LockName(SCHEMA, "import")) as locked, locked.transaction() as connection:
            ledger.register(connection, kernel, parts.source.discover(PassReport()))
            connection.execute(sa.update(kernel.import_tracking).values(status="success"))
        week = Week(root)
        with week.measured():
            report = parts.monitor.run_once("benchmark")
        parts.engine.dispose()
    if report.counts or report.ignored["known"] != KNOWN_FILES:
        raise RuntimeError("the files were not known")
    return week.seconds


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
