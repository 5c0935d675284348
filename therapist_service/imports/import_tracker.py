"""The ledger's side of a pass over the folder: which files are known, what was applied, and how a failure is kept."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, RowMapping

from shared.alerts.outbox import raise_problem, resolve_problem
from shared.core.clock import now
from shared.core.errors import Finding, RejectedError
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection
from shared.database.statements import Statement
from shared.imports import ledger
from shared.imports.ledger import Settlement
from shared.imports.passes import PassReport
from shared.imports.retry import delay_seconds
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.mapping import MAPPING_VERSION
from therapist_service.imports.scrape_files import ScrapeFile
from therapist_service.models import kernel

log = get_logger(__name__)

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


@dataclass(frozen=True, slots=True)
class AppliedBefore:
    """What was applied before of a postal code: the latest scrape's moment, and the last files' record counts.

    `same_content` says that a file with the very same bytes was applied, wherever it stood.
    """

    same_content: bool
    latest: datetime | None
    usual_counts: Sequence[int]

    def why_needless(self, envelope: Envelope) -> str | None:
        """`duplicate_content` or `superseded` where an applied file makes this one needless."""
        if self.same_content:
            return "duplicate_content"
        is_older = self.latest is not None and day_of(self.latest) > envelope.scrape_day
        return "superseded" if is_older else None


def applied_before(connection: Connection, import_id: int, sha256: str, zip_code: str) -> AppliedBefore:
    """What was applied before, apart from this import."""
    return AppliedBefore(*_APPLIED_BEFORE.one(connection, id=import_id, hash=sha256, zip=zip_code))


def count_is_accepted(row: RowMapping) -> bool:
    """Whether a person has asked again for a file whose number of records was not believed: it is so, after all."""
    return (row["status"], row["error_code"]) == ("pending", "implausible_count")


def day_of(moment: datetime) -> date:
    """The calendar day of a scrape, as its envelope counts it."""
    return moment.astimezone(UTC).date()


def settle(connection: Connection, import_id: int, settlement: Settlement, **noted: Any) -> None:
    """Ends the file's way for now; a failure is told to the people who run Curavani, once."""
    ledger.settle(connection, kernel, import_id, settlement, **noted)
    if settlement.status == "failed":
        code = str(settlement.error_code)
        raise_problem(connection, kernel, code=code, fingerprint=fingerprint(import_id), import_id=import_id)
        log.error("file_failed", import_id=import_id, code=code)


def fail(locked: LockedConnection, import_id: int, code: str, findings: Sequence[Finding] = ()) -> str:
    """Nothing of the file is applied, in a transaction of its own: it waits for a person."""
    with locked.transaction() as connection:
        ledger.write_findings(connection, kernel, import_id, findings)
        settle(connection, import_id, Settlement("failed", code))
    return "failed"


def begin(locked: LockedConnection, import_id: int) -> None:
    """Counts the attempt before anything happens: a file that kills the process has to run out of attempts, too.

    Raises `ledger.Withdrawn`, or `RejectedError` where every attempt of this round ended with its process.
    """
    with locked.single_statements() as connection:
        number = ledger.begin_attempt(connection, kernel, import_id)
    if number > _MAX_ATTEMPTS:
        raise RejectedError("internal_error")


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


_APPLIED_BEFORE = Statement(
    sa.text(f"""
    WITH applied AS NOT MATERIALIZED (
      SELECT id, file_hash, zip, scrape_date, therapist_count AS records FROM {_tracking.fullname}
      WHERE status IN ('success', 'partial') AND id <> :id
    )
    SELECT EXISTS (SELECT FROM applied WHERE file_hash = :hash),
      (SELECT max(scrape_date) FROM applied WHERE zip = :zip),
      ARRAY(SELECT records FROM applied WHERE zip = :zip ORDER BY scrape_date DESC, id DESC LIMIT {_USUAL_FILES})
    """)
)


def _rows(connection: Connection, keys: list[str]) -> dict[str, RowMapping]:
    columns = _tracking.c
    wanted = columns.source_key == sa.any_(sa.literal(keys, sa.ARRAY(sa.Text)))
    named = ("id", "source_key", "status", "next_attempt_at", "attempts", "error_code")
    statement = sa.select(*[columns[name] for name in named]).where(wanted)
    return {row["source_key"]: row for row in connection.execute(statement).mappings()}


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
