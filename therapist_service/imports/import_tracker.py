"""The ledger's side of a pass over the folder: which files are known, what was applied, and how a failure is kept."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, RowMapping

from shared.alerts.outbox import raise_problem, resolve_problem
from shared.clock import now
from shared.database.locks import LockedConnection
from shared.errors import Finding
from shared.imports import ledger
from shared.imports.ledger import Settlement
from shared.imports.passes import PassReport
from shared.imports.retry import delay_seconds
from shared.logs import get_logger
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.mapping import MAPPING_VERSION
from therapist_service.imports.scrape_files import ScrapeFile
from therapist_service.models import kernel

log = get_logger(__name__)

APPLIED = ("success", "partial")
_TO_IMPORT = ("pending", "retrying")
_MAX_ATTEMPTS = 8
_RETRY_BASE_SECONDS = 600.0
_USUAL_FILES = 3

_tracking = kernel.import_tracking
_jitter = random.SystemRandom()
Due = tuple[RowMapping, ScrapeFile]


def source_key(file: ScrapeFile) -> str:
    """The ledger's key of one version of a file."""
    return f"{file.path}|{file.version}"


def fingerprint(import_id: int) -> str:
    """Names the alert about this file."""
    return f"therapist-import:{import_id}"


def register_files(connection: Connection, files: Sequence[ScrapeFile], report: PassReport) -> list[Due]:
    """Makes every version of a file known and returns those that are due; what is settled is not even opened."""
    by_key = {source_key(file): file for file in files}
    known = _rows(connection, list(by_key))
    fresh = [_new_row(key, file) for key, file in by_key.items() if key not in known]
    if fresh:
        connection.execute(insert(_tracking).on_conflict_do_nothing(index_elements=["source_key"]), fresh)
        paths = [str(row["file_name"]) for row in fresh]
        _supersede_older_versions(connection, paths, [str(row["source_key"]) for row in fresh])
        known |= _rows(connection, [str(row["source_key"]) for row in fresh])
    return [(row, by_key[key]) for key, row in known.items() if _is_due(row, report)]


def usual_counts(connection: Connection, zip_code: str) -> list[int]:
    """How many records the last files applied for this postal code had, the latest first."""
    columns = _tracking.c
    statement = (
        sa.select(columns.therapist_count)
        .where(columns.zip == zip_code, columns.status.in_(APPLIED))
        .order_by(columns.scrape_date.desc(), columns.id.desc())
        .limit(_USUAL_FILES)
    )
    return list(connection.execute(statement).scalars())


def why_skipped(connection: Connection, import_id: int, sha256: str, envelope: Envelope) -> str | None:
    """`duplicate_content` or `superseded` where an applied file makes this one needless."""
    columns = _tracking.c
    applied = sa.and_(columns.status.in_(APPLIED), columns.id != import_id)
    same = sa.select(sa.exists().where(columns.file_hash == sha256, applied))
    if connection.execute(same).scalar():
        return "duplicate_content"
    newest = sa.select(sa.func.max(columns.scrape_date)).where(columns.zip == envelope.zip, applied)
    latest: datetime | None = connection.execute(newest).scalar()
    return "superseded" if latest is not None and day_of(latest) > envelope.scrape_day else None


def day_of(moment: datetime) -> date:
    """The calendar day of a scrape, as its envelope counts it."""
    return moment.astimezone(UTC).date()


def settle_skipped(connection: Connection, import_id: int, code: str) -> Settlement:
    """The file is known or outdated: nothing of it is applied."""
    settlement = Settlement("skipped", code)
    ledger.settle(connection, kernel, import_id, settlement)
    resolve_problem(connection, kernel, fingerprint(import_id))
    return settlement


def settle_failed(connection: Connection, import_id: int, code: str, findings: Sequence[Finding] = ()) -> Settlement:
    """Nothing of the file is applied; it waits for a person, who is told once."""
    settlement = Settlement("failed", code)
    ledger.write_findings(connection, kernel, import_id, findings)
    ledger.settle(connection, kernel, import_id, settlement)
    raise_problem(connection, kernel, code=code, fingerprint=fingerprint(import_id), import_id=import_id)
    log.error("file_failed", import_id=import_id, code=code)
    return settlement


def fail(locked: LockedConnection, import_id: int, code: str, findings: Sequence[Finding] = ()) -> str:
    """`settle_failed` in a transaction of its own."""
    with locked.transaction() as connection:
        return settle_failed(connection, import_id, code, findings).status


def postpone_or_fail(locked: LockedConnection, import_id: int, code: str) -> str:
    """The world's fault: tried again later, until the attempts are used up."""
    with locked.transaction() as connection:
        attempts = ledger.find(connection, kernel, import_id)["round_attempts"]
    if attempts >= _MAX_ATTEMPTS:
        return fail(locked, import_id, code)
    with locked.transaction() as connection:
        delay = delay_seconds(attempts, _RETRY_BASE_SECONDS, _jitter.uniform(-1.0, 1.0))
        ledger.postpone(connection, kernel, import_id, code, delay)
    log.warning("file_postponed", import_id=import_id, code=code, attempts=attempts)
    return "retrying"


def take_back(locked: LockedConnection, import_id: int) -> None:
    """The attempt did not happen: the file is still being written, or a service as a whole is away."""
    with locked.transaction() as connection:
        ledger.take_back_attempt(connection, kernel, import_id)


def _rows(connection: Connection, keys: list[str]) -> dict[str, RowMapping]:
    columns = _tracking.c
    wanted = columns.source_key == sa.any_(sa.literal(keys, sa.ARRAY(sa.Text)))
    statement = sa.select(columns.id, columns.source_key, columns.status, columns.next_attempt_at, columns.attempts)
    return {row["source_key"]: row for row in connection.execute(statement.where(wanted)).mappings()}


def _new_row(key: str, file: ScrapeFile) -> dict[str, object]:
    return {
        "source_key": key,
        "file_name": file.path,
        "file_version": file.version,
        "file_size": file.size,
        "zip": file.zip,
        "mapping_version": MAPPING_VERSION,
    }


def _supersede_older_versions(connection: Connection, paths: Sequence[str], newest: Sequence[str]) -> None:
    """A file that was replaced under its name can no longer be read: what waited for it waits for nothing."""
    columns = _tracking.c
    waiting = columns.status.in_((*_TO_IMPORT, "failed"))
    replaced = connection.execute(
        sa.update(_tracking)
        .where(columns.file_name.in_(paths), columns.source_key.not_in(newest), waiting)
        .values(status="skipped", error_code="superseded", next_attempt_at=None, processed_at=now())
        .returning(columns.id)
    ).scalars()
    for import_id in list(replaced):
        resolve_problem(connection, kernel, fingerprint(import_id))


def _is_due(row: RowMapping, report: PassReport) -> bool:
    if row["status"] == "failed":
        report.ignore("waits_for_a_person")
        return False
    if row["status"] not in _TO_IMPORT:
        report.ignore("known")
        return False
    if row["next_attempt_at"] is not None and row["next_attempt_at"] > now():
        report.ignore("waits_for_its_retry")
        return False
    return True
