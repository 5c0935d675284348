"""The services' parts on real PostgreSQL, storage and folders."""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from patient_service import bootstrap as patient_bootstrap
from patient_service.imports.bucket import Patience
from shared.core.settings import read_settings
from shared.imports.passes import PassReport
from standins.local import free_port
from standins.storage_emulator import StorageEmulator
from tests import processes
from therapist_service import bootstrap as therapist_bootstrap

REGISTRATION: dict[str, Any] = {
    "patient_data": {
        "anrede": "Herr",
        "geschlecht": "männlich",
        "vorname": "Max",
        "nachname": "Mustermann",
        "geburtsdatum": "2000-01-01",
        "email": "max.mustermann@example.com",
        "telefon": "0171 3920042",
    },
    "consent_metadata": {"ip_address": "192.0.2.7", "user_agent": "Test", "timestamp_utc": "2025-07-05T14:33:55Z"},
    "registration_timestamp": "2025-07-05 14:33:55",
    "registration_token": "0b1ab67b",
}


def registration(token: str = "0b1ab67b", **answers: Any) -> bytes:
    """A registration; `answers` replace fields of `patient_data`."""
    document = {**REGISTRATION, "registration_token": token}
    document["patient_data"] = {**REGISTRATION["patient_data"], **answers}
    return json.dumps(document, ensure_ascii=False).encode()


class Patients:
    """The patient import with what it works on; `run` is one pass."""

    def __init__(self, parts: Any, engine: Engine, storage: StorageEmulator, bucket: str, copies: Path) -> None:
        self.parts = parts
        self.engine = engine
        self.storage = storage
        self.bucket = bucket
        self.copies = copies

    def upload(self, data: bytes, name: str = "Mustermann_Max_20250705_0b1ab67b.json") -> int:
        return self.storage.put(self.bucket, name, data)

    def run(self) -> PassReport:
        report: PassReport = self.parts.monitor.run_once("test")
        return report

    def in_bucket(self) -> list[str]:
        return self.storage.names(self.bucket)

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        with self.engine.begin() as connection:
            return [dict(row) for row in connection.execute(sa.text(statement), values).mappings()]

    def patients(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM patient_service.patienten ORDER BY id")

    def files(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM patient_service.import_tracking ORDER BY id")

    def events(self) -> list[str]:
        found = self.rows("SELECT event_type FROM patient_service.event_outbox ORDER BY id")
        return [row["event_type"] for row in found]


@pytest.fixture
def dropped_connections() -> Iterator[None]:
    """For tests of storage's faults, which let the warning pass: `filterwarnings("ignore:unclosed <socket")`.

    Google's client does not let go of an answer that it could not use; the garbage collector does. It comes here, and
    not in a later test, where the warning is a failure.
    """
    yield
    gc.collect()


@pytest.fixture
def new_patients(
    database_url: str, engine: Engine, storage_server: StorageEmulator, bucket: str, tmp_path: Path
) -> Iterator[Callable[..., Patients]]:
    """Makes the patient import anew, as another process would; keywords are settings of the environment.

    It gives up soon what storage refuses, and waits for an answer longer than any machine takes.
    """
    made: list[Any] = []

    def make(*, patience: Patience | None = None, **environment: str) -> Patients:
        copies = tmp_path / "copies"
        settings = read_settings(
            {
                "DATABASE_URL": database_url,
                "GCS_IMPORT_BUCKET": bucket,
                "PATIENT_IMPORT_LOCAL_PATH": str(copies),
                "PATIENT_IMPORT_RETRY_BASE_SECONDS": "0",
                **environment,
            },
            *patient_bootstrap.IMPORT_GROUPS,
        )
        parts = patient_bootstrap.build_parts(
            settings, patience=patience or Patience(connect=60.0, answer=60.0, retry=0.5)
        )
        made.append(parts)
        return Patients(parts, engine, storage_server, bucket, copies)

    yield make
    for parts in made:
        parts.close()


@pytest.fixture
def patients(new_patients: Callable[..., Patients]) -> Patients:
    return new_patients()


def therapist(number: int = 67, **sections: Any) -> dict[str, Any]:
    """A scraped record; `sections` replace or extend its parts (`basic_info={"title": ""}`)."""
    record: dict[str, Any] = {
        "id": f"praxis{number}",
        "status": "new",
        "basic_info": {
            "salutation": "Herr",
            "title": "Dr.",
            "first_name": "Thomas",
            "last_name": f"Zeevaert{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}",
        },
        "location": {"street": "Salierallee", "house_number": str(number), "postal_code": "52066", "city": "Aachen"},
        "contact": {"phone": "+49 241 12345", "email": f"praxis{number}@example.com"},
        "telephone_hours": {"montag": ["10:00-12:00"]},
        "languages": ["Englisch"],
        "therapy_methods": ["Verhaltenstherapie für Erwachsene in Einzeltherapie"],
    }
    for name, value in sections.items():
        record[name] = {**record[name], **value} if isinstance(value, dict) else value
    return record


class Therapists:
    """The therapist import with what it works on; `run` is one pass."""

    def __init__(self, parts: Any, engine: Engine, folder: Path) -> None:
        self.parts = parts
        self.engine = engine
        self.folder = folder

    def scrape(self, records: list[Any], day: str = "2025-07-02", zip_code: str = "52066") -> None:
        document = {
            "metadata": {"scrape_id": "x", "scrape_date": f"{day}T03:13:24.425211", "postcode_area": "52XXX"},
            "therapists": records,
        }
        self.put(json.dumps(document).encode(), f"{day.replace('-', '')}/{zip_code}.json")

    def put(self, data: bytes, path: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def run(self) -> PassReport:
        report: PassReport = self.parts.monitor.run_once("test")
        return report

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        with self.engine.begin() as connection:
            return [dict(row) for row in connection.execute(sa.text(statement), values).mappings()]

    def therapists(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM therapist_service.therapeuten ORDER BY id")

    def files(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM therapist_service.import_tracking ORDER BY id")

    def last_file(self) -> dict[str, Any]:
        return self.files()[-1]

    def events(self) -> list[str]:
        found = self.rows("SELECT event_type FROM therapist_service.event_outbox ORDER BY id")
        return [row["event_type"] for row in found]

    def reviews(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM therapist_service.reviews ORDER BY id")


@pytest.fixture
def new_therapists(database_url: str, engine: Engine, tmp_path: Path) -> Iterator[Callable[..., Therapists]]:
    """Makes the therapist import anew, as another process would; keywords are settings of the environment."""
    folder = tmp_path / "scrapes"
    folder.mkdir(exist_ok=True)
    made: list[Any] = []

    def make(**environment: str) -> Therapists:
        settings = read_settings(
            {
                "DATABASE_URL": database_url,
                "THERAPIST_IMPORT_FOLDER_PATH": str(folder),
                "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
                **environment,
            },
            *therapist_bootstrap.IMPORT_GROUPS,
        )
        parts = therapist_bootstrap.build_parts(settings)
        made.append(parts)
        return Therapists(parts, engine, folder)

    yield make
    for parts in made:
        parts.close()


@pytest.fixture
def therapists(new_therapists: Callable[..., Therapists]) -> Therapists:
    return new_therapists()


@pytest.fixture
def make_registration() -> Callable[..., bytes]:
    return registration


@pytest.fixture
def make_therapist() -> Callable[..., dict[str, Any]]:
    return therapist


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A service that was started: gunicorn's process, its port, and the file of its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path


@pytest.fixture
def process_environment(
    database_url: str, bucket: str, storage_server: StorageEmulator, tmp_path: Path
) -> dict[str, str]:
    """What a process of either service, or a command, finds in its environment; passes come every second."""
    (tmp_path / "scrapes").mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "API_TOKENS": "t:operate:a-token-of-24-characters",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS": "1",
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path / "scrapes"),
        "THERAPIST_IMPORT_CHECK_INTERVAL_SECONDS": "1",
        "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
        "NO_COLOR": "1",
    }


@pytest.fixture
def run_service(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., ServiceProcess]]:
    """Starts `curavani serve` as a group of processes of its own; keywords are changes of its environment."""
    started: list[ServiceProcess] = []

    def start(service: str, *options: str, **changes: str) -> ServiceProcess:
        port, log = free_port(), tmp_path / f"log-{len(started)}"
        command = [sys.executable, "-m", "curavani", "serve", service, "--port", str(port), *options]
        environment = {**process_environment, **changes}
        with log.open("w") as opened:
            process = processes.Popen(command, env=environment, stdout=opened, stderr=opened, start_new_session=True)
        started.append(ServiceProcess(process, port, log))
        return started[-1]

    yield start
    for service in started:
        with suppress(ProcessLookupError):
            os.killpg(service.process.pid, signal.SIGKILL)
        service.process.wait()


@pytest.fixture
def curavani(process_environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line as a process of its own; keywords are changes of its environment.

    With `before`, which a shell runs first, it starts from nothing.
    """

    def run(*arguments: str, before: str | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "curavani", *arguments]
        in_shell = ["sh", "-c", f'{before}; exec "$@"', "sh", *command]
        how = processes.run if before is None else subprocess.run
        return how(
            command if before is None else in_shell,
            env={**process_environment, **changes},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def held_deletions(therapists: Therapists) -> Therapists:
    """Twenty therapists, of whom the next file calls the first eight gone: one question about all of them."""
    everybody = [therapist(number) for number in range(1, 21)]
    therapists.scrape(everybody)
    therapists.run()
    deleted = [{"id": f"praxis{number}", "status": "deleted"} for number in range(1, 9)]
    therapists.scrape([*deleted, *everybody[8:], therapist(99)], day="2025-07-09")
    therapists.run()
    return therapists
