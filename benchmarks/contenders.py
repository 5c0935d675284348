"""What the ways of importing scrapes that are compared have in common: each runs in a process of its own.

`python -m benchmarks.scrape_import URL FOLDER…` imports the folders one after the other into an empty database. After
each it prints what that took, and waits for a line on its standard input.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from benchmarks.meters import CountingProxy, server_seconds
from shared.core.logs import configure_logging
from shared.core.settings import LogSettings
from standins.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    # Not at run time: what it imports would count in the memory that is measured.
    from curavani.demo.samples.practices import Record


@dataclass(slots=True)
class Week:
    """A folder of scrapes, how long its import took, and how long our own processor was busy with it."""

    folder: Path
    seconds: float = 0.0
    client: float = 0.0

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.json"))

    @contextmanager
    def measured(self) -> Iterator[None]:
        began, busy = time.perf_counter(), time.process_time()
        yield
        self.seconds, self.client = time.perf_counter() - began, time.process_time() - busy
        report = {"seconds": self.seconds, "client": self.client, "peak_mb": peak_mb()}
        print(json.dumps(report), flush=True)
        sys.stdin.readline()


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one week: seconds by the clock, processor seconds of us and of the server, round trips, peak memory."""

    seconds: float
    client: float
    server: float
    round_trips: int
    peak_mb: float


def measure(
    module: str, server: EmbeddedPostgres, url: str, folders: Sequence[Path], *, counts: bool = False
) -> list[Cost]:
    """Lets the contender in this module import the folders, in a process of its own.

    Where it `counts` round trips, a proxy stands between, which takes time of its own.
    """
    with CountingProxy(server) as proxy:
        reached = proxy.before(url) if counts else url
        command = [sys.executable, "-m", f"benchmarks.{module}", reached, *map(str, folders)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            costs = list(_costs(process, proxy, server))
    if process.returncode or len(costs) != len(folders):
        raise RuntimeError(f"{module} did not import every folder")
    return costs


def _costs(process: "subprocess.Popen[str]", proxy: CountingProxy, server: EmbeddedPostgres) -> Iterator[Cost]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("a contender is spoken to")
    trips, busy = 0, None
    for line in process.stdout:
        if busy is None:
            # Ready: what it took to prepare is nobody's week.
            trips, busy = proxy.round_trips, server_seconds(server)
        else:
            now = server_seconds(server)
            yield Cost(**json.loads(line), server=now - busy, round_trips=proxy.round_trips - trips)
            trips, busy = proxy.round_trips, now
        process.stdin.write("\n")
        process.stdin.flush()


def run_contender(prepare: Callable[[str], None], import_weeks: Callable[[str, list[Week]], None]) -> None:
    """The contender's process."""
    configure_logging(LogSettings.model_validate({"LOG_LEVEL": "ERROR"}), stream=sys.stderr)
    url, *folders = sys.argv[1:]
    prepare(url)
    print(flush=True)
    sys.stdin.readline()
    import_weeks(url, [Week(Path(folder)) for folder in folders])


def peak_mb() -> float:
    """This process's highest resident memory so far."""
    # Not `getrusage`: its figure starts with what the parent process had at the fork.
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


def flat(raw: "Record") -> dict[str, str | None]:
    """The record in the mapped columns, believed as it stands; lists and objects as JSON text."""
    basic, location, contact = raw["basic_info"], raw["location"], raw["contact"]
    return {
        "anrede": basic["salutation"] or None,
        "geschlecht": {"Herr": "männlich", "Frau": "weiblich"}.get(basic["salutation"], "keine_Angabe"),
        "titel": basic["title"] or None,
        "vorname": basic["first_name"] or None,
        "nachname": basic["last_name"],
        "strasse": f"{location['street']} {location['house_number']}",
        "plz": location["postal_code"],
        "ort": location["city"],
        "telefon": contact["phone"] or None,
        "fax": contact["fax"] or None,
        "email": contact["email"] or None,
        "webseite": contact["website"] or None,
        "telefonische_erreichbarkeit": orjson.dumps(raw["telephone_hours"]).decode(),
        "fremdsprachen": orjson.dumps(raw["languages"]).decode(),
        "psychotherapieverfahren": orjson.dumps(raw["therapy_methods"]).decode(),
    }
