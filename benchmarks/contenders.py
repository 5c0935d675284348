"""What the ways of importing scrapes that are compared have in common: each runs in a process of its own.

`python -m benchmarks.scrape_import URL FOLDER…` imports the folders one after the other into an empty database, and
prints the seconds for each and the process's peak memory.
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

from shared.core.logs import configure_logging
from shared.core.settings import LogSettings

if TYPE_CHECKING:
    # Not at run time: what it imports would count in the memory that is measured.
    from curavani.demo.samples.practices import Record


@dataclass(slots=True)
class Week:
    """A folder of scrapes, and how long its import took."""

    folder: Path
    seconds: float = 0.0

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.json"))

    @contextmanager
    def measured(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds = time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds for each week, and the peak memory of the whole process."""

    seconds: list[float]
    peak_mb: float


def measure(module: str, url: str, folders: Sequence[Path]) -> Measured:
    """Lets the contender in this module import the folders, in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", url, *map(str, folders)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def run_contender(prepare: Callable[[str], None], import_weeks: Callable[[str, list[Week]], None]) -> None:
    """The contender's process."""
    configure_logging(LogSettings.model_validate({"LOG_LEVEL": "ERROR"}), stream=sys.stderr)
    url, *folders = sys.argv[1:]
    weeks = [Week(Path(folder)) for folder in folders]
    prepare(url)
    import_weeks(url, weeks)
    print(json.dumps({"seconds": [week.seconds for week in weeks], "peak_mb": peak_mb()}))


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
