"""What the console is measured with: both services as a busy year leaves them, with the odd long history and list."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks.scrape_import import build_parts, require_success
from benchmarks.shapes import weeks, write_weeks
from patient_service.models import kernel as patients
from patient_service.models import patienten
from patient_service.use_cases import create_patient
from shared.database.engine import transaction
from shared.database.tables import KernelTables
from therapist_service.models import kernel as therapists

PEOPLE = 10_000
FILES = 2_000
FAILED_EACH = 10
"""One file in so many failed."""
DUE = 3_000
DECISIONS = 99
HELD = 100
"""Practices of the one held list."""
LONG = 500
"""Entries of the one long history."""


def fill_patients(engine: sa.Engine, _url: str, folder: Path) -> None:
    """People, files with their copies, doubts, and people whose time is over."""
    with transaction(engine) as connection:
        for number in range(1, PEOPLE + 1):
            create_patient(connection, _patient(number), "benchmark")
        since = datetime.now(UTC) - timedelta(days=120)
        files = [_file(number, since, folder) for number in range(1, FILES + 1)]
        connection.execute(sa.insert(patients.import_tracking), files)
        doubts = [
            {"kind": "possible_duplicate", "entity_id": n, "import_id": n * 10 + 1, "detail": {"candidates": [n + 1]}}
            for n in range(1, DECISIONS + 1)
        ]
        connection.execute(sa.insert(patients.reviews), doubts)
        long_ago = datetime.now(UTC) - timedelta(days=4_000)
        forgotten = sa.update(patienten).where(patienten.c.id > PEOPLE - DUE)
        connection.execute(forgotten.values(created_at=long_ago, updated_at=long_ago))
        _tell_a_long_story(connection, patients)


def fill_therapists(engine: sa.Engine, url: str, folder: Path) -> None:
    """Practices as their import brings them, five a file, fields in which we and the source differ, and a held list."""
    first = weeks(6, PEOPLE, per_file=PEOPLE // FILES)[0]
    parts = build_parts(url, write_weeks(folder, [first])[0])
    require_success(parts.monitor.run_once("benchmark"), FILES)
    parts.engine.dispose()
    with transaction(engine) as connection:
        tracking = therapists.import_tracking
        failed = sa.update(tracking).where(tracking.c.id % FAILED_EACH == 0)
        connection.execute(failed.values(status="failed", error_code="implausible_count"))
        differing = {"field": "telefon", "staff": "0241 1", "source": "+49 241 2", "base": "0241 3"}
        conflicts = [
            {"kind": "conflict", "entity_id": n, "import_id": n // 20 * 20 + 1, "detail": {"fields": [differing]}}
            for n in range(1, DECISIONS + 1)
        ]
        connection.execute(sa.insert(therapists.reviews), conflicts)
        gone = [{"entity_id": n, "record_index": n} for n in range(1, HELD + 1)]
        detail = {"deletions": gone, "active_before": HELD * 3, "seen_at": datetime.now(UTC).isoformat()}
        connection.execute(sa.insert(therapists.reviews).values(kind="held_deletions", import_id=1, detail=detail))
        _tell_a_long_story(connection, therapists)


def _tell_a_long_story(connection: sa.Connection, kernel: KernelTables) -> None:
    """Of the person with the number 1."""
    since = datetime.now(UTC) - timedelta(days=LONG)
    days = [since + timedelta(days=day) for day in range(LONG)]
    changes = [
        {"entity_id": 1, "field": "telefon", "old_value": f"0241 {day.day}", "new_value": f"0241 {day.day + 1}",
         "changed_by": "api:Olga", "changed_at": day}
        for day in days
    ]  # fmt: skip
    connection.execute(sa.insert(kernel.field_changes), changes)
    notes = [{"entity_id": 1, "action": "note", "actor": "api:Olga", "reason": "angerufen", "at": day} for day in days]
    connection.execute(sa.insert(kernel.operator_actions), notes)


def _patient(number: int) -> dict[str, object]:
    return {
        "anrede": "Herr", "geschlecht": "männlich", "vorname": "Max", "nachname": f"Müller{number}",
        "plz": f"{52000 + number % 100}", "ort": "Aachen", "telefon": f"0241 {number}",
        "email": f"max{number}@example.com", "geburtsdatum": datetime(1950 + number % 50, 2, 3, tzinfo=UTC).date(),
    }  # fmt: skip


def _file(number: int, since: datetime, folder: Path) -> dict[str, object]:
    is_failed = number % FAILED_EACH == 0
    came = since + timedelta(hours=number)
    path = f"{number}.json"
    patient = {"anrede": "Herrn" if is_failed else "Herr", "geschlecht": "männlich", "vorname": "Willi",
               "nachname": f"Wartend{number}", "telefon": f"0221 {number}"}  # fmt: skip
    document = {"patient_data": patient, "consent_metadata": {}, "registration_token": f"{number:08x}"}
    (folder / path).write_text(json.dumps(document), encoding="utf-8")
    return {
        "source_key": f"{number}", "bucket": "bucket", "file_name": f"Wartend_Willi_{number:08x}.json",
        "file_version": "1", "local_path": path, "uploaded_at": came, "first_seen_at": came, "processed_at": came,
        "status": "failed" if is_failed else "success", "error_code": "validation_failed" if is_failed else None,
    }  # fmt: skip
