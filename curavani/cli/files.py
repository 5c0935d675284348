"""`curavani check` and `curavani plan`: what a file says and what it would do, touching nothing."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypedDict

import sqlalchemy as sa
import typer
from sqlalchemy.engine import Connection

from curavani.cli.imports import Json
from curavani.cli.output import TROUBLE, USAGE, end, print_json, print_table, talk, with_exit_codes
from curavani.cli.services import database
from patient_service.imports.registration import Upload, parse_registration
from shared.core.clock import now
from shared.core.errors import CuravaniError, Finding, RejectedError
from shared.core.settings import PatientImportSettings, TherapistImportSettings, read_settings
from shared.database.engine import transaction
from shared.database.revision import require_revision
from shared.imports import ledger
from shared.imports.source import Found
from shared.words.codes import Code, describe
from shared.words.statuses import FileStatus, RecordOutcome
from therapist_service.bootstrap import audience_of
from therapist_service.imports.day_end import conclude_days
from therapist_service.imports.envelope import plausibility
from therapist_service.imports.import_tracker import begin_day
from therapist_service.imports.scrape import Scrape, read_scrape
from therapist_service.imports.scrape_files import FileChanging, FileUnreadable, ScrapeFolder, single_file
from therapist_service.imports.therapist_importer import Audience, FileToApply, apply_scrapes
from therapist_service.models import kernel

_MAX_REGISTRATION = int(PatientImportSettings.model_fields["max_file_bytes"].default)
_MAX_SCRAPE = int(TherapistImportSettings.model_fields["max_file_bytes"].default)


@with_exit_codes
def check(
    files: Annotated[list[Path], typer.Argument(help="Registration or therapist files.")], as_json: Json = False
) -> None:
    """Validates files, touching nothing; no database is needed. Every finding with its place.

    A file named like a postal code is read as a scrape, any other as a
    registration. Ends with 1 on an error, and with 2 where a file cannot be
    read; the others are validated all the same.
    """
    checked = [(path, _check(path)) for path in files]
    results = [(path, found) for path, found in checked if found is not None]
    if as_json:
        print_json([{"file": str(path), "findings": [_shown(finding) for finding in found]} for path, found in results])
    else:
        for path, found in results:
            rows = [(f.pointer, f.code, describe(f.code).severity, describe(f.code).english) for f in found]
            if rows:
                print_table(("place", "code", "severity", "meaning"), rows, title=str(path))
            else:
                talk(f"{path}: no findings")
    unreadable = [str(path) for path, found in checked if found is None]
    if unreadable:
        end(_unreadable(*unreadable), USAGE)
    if any(describe(finding.code).severity == "error" for _, found in results for finding in found):
        raise typer.Exit(TROUBLE)


@with_exit_codes
def plan(file: Annotated[Path, typer.Argument(help="A therapist file, ZIP.json.")], as_json: Json = False) -> None:
    """What importing this therapist file would change, per record and field; the database stays as it is."""
    try:
        scrape = _read(file)
    except (FileUnreadable, FileChanging, OSError):
        end(_unreadable(str(file)), USAGE)
    if scrape is None:
        end(f"{file.name} is no therapist file: its name is not a postal code, such as 52066.json", USAGE)
    engine = database()
    try:
        with transaction(engine) as connection:
            require_revision(connection)
            found = _rehearse(connection, scrape, _audience(file))
            connection.rollback()
    finally:
        engine.dispose()
    if as_json:
        print_json(found)
        return
    if found["error_code"]:
        talk(f"Nothing of it would be applied. {found['error_code']}: {describe(found['error_code']).english}")
    print_table(("", "records"), sorted(found["counts"].items()), title=f"Importing {file.name} would give")
    if found["outcomes"]:
        records = [list(outcome.values()) for outcome in found["outcomes"]]
        print_table(("record", "outcome", "row", "rule", "code"), records, title="Records")
    if found["changes"]:
        changes = [list(change.values()) for change in found["changes"]]
        print_table(("row", "field", "from", "to"), changes, title="Changes")


def _audience(file: Path) -> Audience:
    """That of the service, whose folder need not be known here. Raises `SettingsError`."""
    anywhere = {"THERAPIST_IMPORT_FOLDER_PATH": str(file.parent)}
    return audience_of(read_settings(anywhere | dict(os.environ), TherapistImportSettings)[TherapistImportSettings])


class Rehearsal(TypedDict):
    """What an import would give."""

    status: str
    error_code: str | None
    counts: dict[str, int]
    outcomes: list[dict[str, object]]
    changes: list[dict[str, object]]


def _rehearse(connection: Connection, scrape: Scrape, audience: Audience) -> Rehearsal:
    """Imports the scrape for real, in a transaction that is never committed."""
    key = f"plan|{datetime.now(UTC).isoformat()}"
    import_id = ledger.register(connection, kernel, [Found(key, None, {"zip": scrape.envelope.zip})])[key].id
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


def _check(path: Path) -> list[Finding] | None:
    """The findings, None if the file cannot be read."""
    try:
        scrape = _read(path)
        return _check_registration(path) if scrape is None else _check_scrape(scrape)
    except RejectedError as error:
        return list(error.findings) or [Finding("", error.code)]
    except (CuravaniError, OSError):
        return None


def _unreadable(*paths: str) -> str:
    return f"{', '.join(paths)}: cannot be read. Check path and permissions."


def _check_registration(path: Path) -> list[Finding]:
    if path.stat().st_size > _MAX_REGISTRATION:
        raise RejectedError(Code.FILE_TOO_LARGE)
    return list(parse_registration(path.read_bytes(), path.name, Upload(now()), _signature_key()).findings)


def _read(path: Path) -> Scrape | None:
    """The scrape in the file; None if its name is none of a scrape.

    Raises `RejectedError`, or `FileUnreadable`, `FileChanging` or `OSError` where it cannot be read.
    """
    file = single_file(path)
    return None if file is None else read_scrape(ScrapeFolder(path.parent), file, _MAX_SCRAPE)


def _check_scrape(scrape: Scrape) -> list[Finding]:
    found = [*scrape.findings, *scrape.total_findings()]
    for chunk in scrape.chunks():
        for record in chunk:
            found += record.findings
    implausible = plausibility(scrape.valid, scrape.invalid, usual_counts=())
    return [*found, Finding("/therapists", implausible)] if implausible else found


def _shown(finding: Finding) -> dict[str, object]:
    return {
        "record_index": finding.record_index,
        "pointer": finding.pointer,
        "code": finding.code,
        "severity": describe(finding.code).severity,
    }


def _signature_key() -> bytes | None:
    """The key of the form's signature, if it is set; nothing else of the settings is needed."""
    return read_settings(os.environ, PatientImportSettings)[PatientImportSettings].signature_secret
