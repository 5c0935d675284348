"""What importing a scrape would change, found out by doing it in a transaction that is never committed."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from curavani.services import connected
from shared.core.errors import RejectedError
from shared.core.settings import TherapistImportSettings, read_settings
from shared.imports import ledger
from shared.imports.source import Found
from shared.words.statuses import FileStatus, RecordOutcome
from therapist_service.bootstrap import audience_of
from therapist_service.imports.batches import FileToApply, apply_scrapes
from therapist_service.imports.day_end import conclude_days
from therapist_service.imports.import_tracker import begin_day
from therapist_service.imports.scrape import Scrape
from therapist_service.imports.therapist_importer import Audience
from therapist_service.models import kernel


class Rehearsal(TypedDict):
    """What an import would give."""

    status: str
    error_code: str | None
    counts: dict[str, int]
    outcomes: list[dict[str, object]]
    changes: list[dict[str, object]]


def rehearse(scrape: Scrape, folder: Path) -> Rehearsal:
    """What importing the scrape from this folder would give; the database stays as it is."""
    with connected() as connection:
        found = _rehearse(connection, scrape, _audience(folder))
        connection.rollback()
    return found


def _audience(folder: Path) -> Audience:
    """That of the service, whose folder need not be known here. Raises `SettingsError`."""
    anywhere = {"THERAPIST_IMPORT_FOLDER_PATH": str(folder)}
    return audience_of(read_settings(anywhere | dict(os.environ), TherapistImportSettings)[TherapistImportSettings])


def _rehearse(connection: Connection, scrape: Scrape, audience: Audience) -> Rehearsal:
    """Imports the scrape for real, in a transaction that is never committed."""
    # Under a number of its own: that of a file is not to be used up by what never was one.
    columns = {"id": 0, "zip": scrape.envelope.zip}
    key = f"plan|{datetime.now(UTC).isoformat()}"
    import_id = ledger.register(connection, kernel, [Found(key, None, columns)])[key].id
    begin_day(connection, scrape.envelope.scrape_day)
    try:
        (settlement,) = apply_scrapes(connection, [FileToApply(import_id, scrape)], audience)
    except RejectedError as error:
        return {"status": FileStatus.FAILED, "error_code": error.code, "counts": {}, "outcomes": [], "changes": []}
    ledger.settle(connection, kernel, import_id, settlement)
    conclude_days(connection, scrape.envelope.scrape_day)
    file = ledger.find(connection, kernel, import_id)
    outcomes, changes = kernel.import_outcomes.c, kernel.field_changes.c
    of_outcomes = (
        sa.select(outcomes.record_index, outcomes.outcome, outcomes.entity_id, outcomes.rule, outcomes.code)
        .where(outcomes.import_id == import_id)
        .order_by(outcomes.record_index)
    )
    of_changes = (
        sa.select(changes.entity_id, changes.field, changes.old_value, changes.new_value)
        .where(changes.changed_by == f"import:{import_id}")
        .order_by(changes.id)
    )
    return {
        "status": file["status"],
        "error_code": file["error_code"],
        "counts": {word.value: number for word in RecordOutcome if (number := file[f"{word}_count"])},
        "outcomes": [dict(row) for row in connection.execute(of_outcomes).mappings()],
        "changes": [dict(row) for row in connection.execute(of_changes).mappings()],
    }
