"""The ledger's side of a pass over the bucket: which objects are known, which are due, and how a failure is kept."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, RowMapping

from patient_service.imports.bucket import StoredObject
from patient_service.models import kernel
from shared.alerts.outbox import raise_problem, resolve_problem
from shared.core.clock import now
from shared.core.errors import DiskUnavailable, RejectedError
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection
from shared.imports import ledger
from shared.imports.ledger import Settlement
from shared.imports.passes import PassReport
from shared.imports.retry import delay_seconds

log = get_logger(__name__)

IMPORTED = ("success", "skipped")
"""Done with; what remains is to delete the source."""

ERASED = "erased_registration"
"""The ledger's mark of files whose person was erased."""

_GONE = "source_gone"
_DISK = "patient-import:disk"
_tracking = kernel.import_tracking
_SOURCE_TO_GO = sa.or_(
    sa.and_(_tracking.c.status == "discarded", _tracking.c.delete_source), _tracking.c.error_code == ERASED
)
"""Its source is to vanish although it was not imported; an erased person's name is kept no longer than that."""
Due = tuple[RowMapping, StoredObject | None]


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How often and how fast a transient failure is tried again."""

    max_attempts: int
    base_seconds: float
    jitter: random.Random = field(default_factory=random.SystemRandom)


def source_key(bucket: str, stored: StoredObject) -> str:
    """The ledger's key of one generation of an object; does not show its name, which is a person's."""
    digest = hashlib.sha256(stored.name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{bucket}/{stored.generation}/{digest}"


def fingerprint(import_id: int) -> str:
    """Names the alert about this file."""
    return ledger.file_fingerprint(kernel, import_id)


def copies_exist(connection: Connection) -> bool:
    """Whether any local copy was ever written, so that its folder has to be there."""
    return bool(connection.execute(sa.select(sa.exists().where(_tracking.c.local_path.is_not(None)))).scalar())


def register_listing(
    connection: Connection, bucket: str, listed: Sequence[StoredObject], report: PassReport
) -> list[Due]:
    """Makes every listed generation known and returns what is due: imports, and deletes that are still pending.

    A file that vanished from the bucket before its import is due as well: its copy may still be there.
    """
    by_key = {source_key(bucket, stored): stored for stored in listed}
    new = [_new_row(bucket, key, stored) for key, stored in by_key.items()]
    if new:
        connection.execute(insert(_tracking).on_conflict_do_nothing(index_elements=["source_key"]), new)
    _revive_what_is_there_after_all(connection, list(by_key))
    rows = _unsettled(connection, bucket, list(by_key))
    _note_vanished_sources(connection, [row["id"] for row in rows if row["source_key"] not in by_key])
    order = {key: number for number, key in enumerate(by_key)}
    rows.sort(key=lambda row: (order.get(row["source_key"], -1), row["id"]))
    return [(row, by_key.get(row["source_key"])) for row in rows if _is_due(row, by_key, report)]


def begin(locked: LockedConnection, import_id: int, rule: RetryRule) -> None:
    """Counts the attempt before anything happens: a file that kills the process has to run out of attempts, too.

    Raises `Withdrawn`, or `RejectedError` where every attempt of this round ended with its process.
    """
    with locked.single_statements() as connection:
        number = ledger.begin_attempt(connection, kernel, import_id)
    if number > rule.max_attempts:
        raise RejectedError("internal_error")


def reject(locked: LockedConnection, import_id: int, error: RejectedError) -> str:
    """The file's own fault: it waits for a person, who is told once."""
    with locked.transaction() as connection:
        ledger.write_findings(connection, kernel, import_id, error.findings)
        _fail(connection, import_id, error.code)
    return "failed"


def postpone_or_fail(locked: LockedConnection, import_id: int, code: str, rule: RetryRule) -> str:
    """The world's fault: tried again later, until the attempts of this round are used up."""
    with locked.transaction() as connection:
        attempts = ledger.find(connection, kernel, import_id)["round_attempts"]
        if attempts >= rule.max_attempts:
            _fail(connection, import_id, code)
            return "failed"
        delay = delay_seconds(attempts, rule.base_seconds, rule.jitter.uniform(-1.0, 1.0))
        ledger.postpone(connection, kernel, import_id, code, delay)
    log.warning("file_postponed", import_id=import_id, code=code, attempts=attempts)
    return "retrying"


def fail(locked: LockedConnection, import_id: int, code: str) -> str:
    """The program's fault: it waits for a person, who is told once."""
    with locked.transaction() as connection:
        _fail(connection, import_id, code)
    return "failed"


def settle_gone(locked: LockedConnection, import_id: int) -> str:
    """The object vanished before it was read, and there is no copy: nothing is left to do."""
    with locked.transaction() as connection:
        ledger.settle(connection, kernel, import_id, Settlement("skipped", _GONE, source_deleted_at=now()))
        resolve_problem(connection, kernel, fingerprint(import_id))
    return "gone"


def note_source_deleted(locked: LockedConnection, row: RowMapping) -> None:
    """The source is gone, as it should be; with it what an erasure still needed the name for."""
    needless = {"file_name": None} if row["error_code"] == ERASED else {}
    with locked.single_statements() as connection:
        ledger.mark_source_deleted(connection, kernel, row["id"], **needless)


def report_disk(connection: Connection) -> None:
    """Tells people of a disk that takes no copies, at once and not after the last attempt, and when it does again."""
    waiting = sa.exists().where(_tracking.c.status == "retrying", _tracking.c.error_code == DiskUnavailable.code)
    if connection.execute(sa.select(waiting)).scalar():
        raise_problem(connection, kernel, code=DiskUnavailable.code, fingerprint=_DISK)
    else:
        resolve_problem(connection, kernel, _DISK)


def forget_attempt(locked: LockedConnection, import_id: int) -> None:
    """Takes back an attempt that failed for no fault of the file's, where the database can still be told."""
    with locked.transaction() as connection:
        ledger.take_back_attempt(connection, kernel, import_id)


def _fail(connection: Connection, import_id: int, code: str) -> None:
    ledger.settle(connection, kernel, import_id, Settlement("failed", code))
    raise_problem(connection, kernel, code=code, fingerprint=fingerprint(import_id), import_id=import_id)
    log.error("file_failed", import_id=import_id, code=code)


def _new_row(bucket: str, key: str, stored: StoredObject) -> dict[str, object]:
    return {
        "source_key": key,
        "bucket": bucket,
        "file_name": stored.name,
        "file_version": str(stored.generation),
        "file_size": stored.size,
    }


def _revive_what_is_there_after_all(connection: Connection, keys: list[str]) -> None:
    """A generation that storage once denied and now lists was never imported: it must not pass for done."""
    denied = sa.and_(_tracking.c.error_code == _GONE, _tracking.c.status == "skipped")
    connection.execute(
        sa.update(_tracking)
        .where(_tracking.c.source_key == sa.any_(sa.literal(keys, sa.ARRAY(sa.Text))), denied)
        .values(status="pending", error_code=None, source_deleted_at=None)
    )


def _unsettled(connection: Connection, bucket: str, keys: list[str]) -> list[RowMapping]:
    """Rows that are listed, or that still expect something of their source."""
    columns = _tracking.c
    wanted = sa.or_(columns.status.not_in(("failed", "discarded")), _SOURCE_TO_GO)
    open_ended = sa.and_(columns.source_deleted_at.is_(None), wanted)
    statement = sa.select(_tracking).where(
        sa.or_(columns.source_key == sa.any_(sa.literal(keys, sa.ARRAY(sa.Text))), open_ended),
        columns.bucket == bucket,
    )
    return list(connection.execute(statement).mappings())


def _note_vanished_sources(connection: Connection, ids: list[int]) -> None:
    """A source to be deleted that is no longer listed was deleted after all: the answer got lost, or a person did."""
    if ids:
        done = sa.or_(_tracking.c.status.in_(IMPORTED), _SOURCE_TO_GO)
        name = sa.case((_tracking.c.error_code == ERASED, None), else_=_tracking.c.file_name)
        connection.execute(
            sa.update(_tracking).where(_tracking.c.id.in_(ids), done).values(source_deleted_at=now(), file_name=name)
        )


def _is_due(row: RowMapping, listed: dict[str, StoredObject], report: PassReport) -> bool:
    if row["status"] in IMPORTED:
        return row["source_key"] in listed
    if row["status"] == "discarded":
        return bool(row["delete_source"]) and row["source_key"] in listed
    if row["status"] == "failed":
        report.ignore("waits_for_a_person")
        return False
    if row["next_attempt_at"] is not None and row["next_attempt_at"] > now():
        report.ignore("waits_for_its_retry")
        return False
    return True
