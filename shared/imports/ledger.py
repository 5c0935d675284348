"""The ledger of files (`import_tracking`): which file is known, what became of it, and what is due.

States: `pending` (seen, or asked for again) → `success` | `partial` | `skipped` | `retrying` (with `next_attempt_at`) |
`failed` (waits for a person) ; `failed` → `pending` by a retry, `discarded` by a person. Every function works in the
caller's transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, RowMapping

from shared.alerts.outbox import resolve_problem
from shared.core.clock import now
from shared.core.errors import CuravaniError, Finding, NotAllowedError, NotFound
from shared.database.copy import copy_rows
from shared.database.statements import per_service
from shared.database.tables import KernelTables
from shared.history.actions import record_action
from shared.words.statuses import Action, RecordOutcome

SETTLED = ("success", "partial", "failed", "skipped", "discarded")
RETRYABLE = ("failed", "retrying", "pending")
WAITING = ("pending", "retrying")
"""Waits for an attempt; what is discarded meanwhile does so no longer."""
_POINTER_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record of a file. `rule` names the rule of identity or merging that decided."""

    record_index: int
    outcome: str
    entity_id: int | None = None
    code: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a file ended: its new status, the code if there is one, and its counts per record outcome."""

    status: str
    error_code: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    duration_ms: int | None = None
    source_deleted_at: datetime | None = None


def register(connection: Connection, kernel: KernelTables, source_key: str, **values: Any) -> RowMapping:
    """The ledger row with this key, created `pending` if it is not known yet; locked until the transaction ends."""
    table = kernel.import_tracking
    connection.execute(insert(table).values(source_key=source_key, **values).on_conflict_do_nothing())
    return (
        connection.execute(sa.select(table).where(table.c.source_key == source_key).with_for_update()).mappings().one()
    )


def find(connection: Connection, kernel: KernelTables, import_id: int) -> RowMapping:
    """The row. Raises `NotFound`."""
    table = kernel.import_tracking
    row = connection.execute(sa.select(table).where(table.c.id == import_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("Import not found")
    return row


def note(connection: Connection, kernel: KernelTables, import_id: int, **values: Any) -> None:
    """Writes down what is known by now about the file: its hash, its size, the path of its copy."""
    table = kernel.import_tracking
    connection.execute(sa.update(table).where(table.c.id == import_id).values(**values))


class Withdrawn(CuravaniError):
    """The file does not wait for an import any more: a person discarded it after the pass began. Nothing is written."""

    code = "not_allowed"


def note_without_waiting(connection: Connection, kernel: KernelTables, import_id: int, **values: Any) -> None:
    """The same for what a later pass would find out again: the transaction does not wait for the disk."""
    written = {f"new_{name}": value for name, value in values.items()}
    _note_without_waiting(kernel, *values)(connection, import_id=import_id, **written)


def begin_attempt(connection: Connection, kernel: KernelTables, import_id: int) -> int:
    """Counts an attempt, forgets the findings of the one before, and returns its number in this round.

    Raises `Withdrawn`. The transaction does not wait for the disk: a count that a crash of the server takes back costs
    one more attempt.
    """
    begun = _begin_attempt(kernel)(connection, import_id=import_id).fetchone()
    if begun is None:
        raise Withdrawn
    if begun.attempts > 1:
        connection.execute(sa.delete(kernel.import_findings).where(kernel.import_findings.c.import_id == import_id))
    return int(begun.round_attempts)


def take_back_attempt(connection: Connection, kernel: KernelTables, import_id: int) -> None:
    """Uncounts an attempt that failed because a service as a whole was away."""
    table = kernel.import_tracking
    connection.execute(
        sa.update(table)
        .where(table.c.id == import_id, table.c.status.in_(WAITING), table.c.attempts > 0, table.c.round_attempts > 0)
        .values(attempts=table.c.attempts - 1, round_attempts=table.c.round_attempts - 1)
    )


def settle(connection: Connection, kernel: KernelTables, import_id: int, settlement: Settlement, **noted: Any) -> None:
    """Ends the file's way for now, with what else is known about it by then.

    The counts have to cover every record; the database refuses them otherwise. Raises `Withdrawn`: a discarded file's
    import is rolled back with the caller's transaction.
    """
    counts = {f"{outcome}_count": settlement.counts.get(outcome, 0) for outcome in RecordOutcome}
    _end_attempt(
        connection,
        kernel,
        import_id,
        status=settlement.status,
        error_code=settlement.error_code,
        next_attempt_at=None,
        processed_at=now(),
        duration_ms=settlement.duration_ms,
        source_deleted_at=settlement.source_deleted_at,
        **{kernel.total_column.name: sum(counts.values())},
        **counts,
        **noted,
    )


def postpone(connection: Connection, kernel: KernelTables, import_id: int, code: str, delay_seconds: float) -> None:
    """A transient failure: tried again after the delay. Raises `Withdrawn`."""
    due = now() + timedelta(seconds=delay_seconds)
    ended = {"status": "retrying", "error_code": code, "next_attempt_at": due, "processed_at": now()}
    _end_attempt(connection, kernel, import_id, **ended)


def write_findings(connection: Connection, kernel: KernelTables, import_id: int, findings: Sequence[Finding]) -> None:
    """Keeps the findings of the present attempt. Pointers come from the file: overlong ones are cut, NUL is dropped."""
    rows = [(import_id, finding.record_index, _storable(finding.pointer), finding.code) for finding in findings]
    copy_rows(connection, kernel.import_findings, ("import_id", "record_index", "pointer", "code"), rows)


def write_outcomes(connection: Connection, kernel: KernelTables, import_id: int, outcomes: Sequence[Outcome]) -> None:
    """Keeps what became of the records; `unchanged` ones are counted, not kept one by one."""
    rows = [
        (import_id, outcome.record_index, outcome.entity_id, outcome.outcome, outcome.code, outcome.rule)
        for outcome in outcomes
        if outcome.outcome != "unchanged"
    ]
    columns = ("import_id", "record_index", "entity_id", "outcome", "code", "rule")
    copy_rows(connection, kernel.import_outcomes, columns, rows)


def mark_source_deleted(connection: Connection, kernel: KernelTables, import_id: int, **noted: Any) -> None:
    """The file's source is gone, as it should be after a success; in one statement with what else is to be noted."""
    note_without_waiting(connection, kernel, import_id, source_deleted_at=now(), **noted)


def file_fingerprint(kernel: KernelTables, import_id: int) -> str:
    """Names the alert about this file."""
    return f"{kernel.service_name}-import:{import_id}"


def next_due(connection: Connection, kernel: KernelTables) -> datetime | None:
    """When the earliest file waits to be tried again; None if none does."""
    table = kernel.import_tracking
    waiting = table.c.status.in_(WAITING)
    return connection.execute(sa.select(sa.func.min(table.c.next_attempt_at)).where(waiting)).scalar()


def retry(connection: Connection, kernel: KernelTables, import_ids: Iterable[int], actor: str) -> list[int]:
    """Makes files due at once, with a fresh round of attempts, and wakes the importer. Returns the ids.

    Raises `NotFound`, or `NotAllowedError` for a file that is imported or discarded; then none is touched.
    """
    wanted = sorted(set(import_ids))
    for row in _lock(connection, kernel, wanted):
        if row["status"] not in RETRYABLE:
            raise NotAllowedError(f"File {kernel.number(row['id'])} is {row['status']} and cannot be retried")
    table = kernel.import_tracking
    connection.execute(
        sa.update(table)
        .where(table.c.id.in_(wanted))
        .values(status="pending", next_attempt_at=sa.func.now(), round_attempts=0)
    )
    for import_id in wanted:
        record_action(connection, kernel, Action.RETRY, actor, import_id=import_id)
    wake(connection, kernel)
    return wanted


def failed_ids(connection: Connection, kernel: KernelTables, code: str | None = None) -> list[int]:
    """The files that wait for a person, by code if one is given."""
    table = kernel.import_tracking
    statement = sa.select(table.c.id).where(table.c.status == "failed").order_by(table.c.id)
    if code is not None:
        statement = statement.where(table.c.error_code == code)
    return list(connection.execute(statement).scalars())


def discard(
    connection: Connection,
    kernel: KernelTables,
    import_id: int,
    actor: str,
    reason: str,
    *,
    delete_source: bool = False,
) -> None:
    """The file is never imported. Its copy stays, and so does its source unless `delete_source`.

    Raises `NotFound` or `NotAllowedError`, the latter also where a scraped file is to be deleted: those stay.
    """
    if delete_source and kernel.service_name == "therapist":
        raise NotAllowedError("Scraped files stay in their folder; discard the file without deleting its source")
    (row,) = _lock(connection, kernel, [import_id])
    if row["status"] not in RETRYABLE:
        raise NotAllowedError(f"File {kernel.number(import_id)} is {row['status']} and cannot be discarded")
    note(
        connection,
        kernel,
        import_id,
        status="discarded",
        next_attempt_at=None,
        discard_reason=reason,
        delete_source=delete_source,
        processed_at=now(),
    )
    record_action(connection, kernel, Action.DISCARD, actor, import_id=import_id, reason=reason)
    resolve_problem(connection, kernel, file_fingerprint(kernel, import_id))
    if delete_source:
        # The importer is who deletes it; there is no reason to wait for the next pass.
        wake(connection, kernel)


def wake(connection: Connection, kernel: KernelTables) -> None:
    """Wakes the importer of this schema, in whichever process it runs, once the transaction commits."""
    connection.execute(sa.select(sa.func.pg_notify(kernel.channel("import"), "")))


def _end_attempt(connection: Connection, kernel: KernelTables, import_id: int, **values: Any) -> None:
    """Writes how the attempt ended, unless a person has discarded the file since it began."""
    written = {f"new_{name}": value for name, value in values.items()}
    if _write_end(kernel, *values)(connection, import_id=import_id, **written).rowcount == 0:
        raise Withdrawn


@per_service
def _begin_attempt(kernel: KernelTables) -> sa.Executable:
    columns = kernel.import_tracking.c
    return (
        _update(kernel)
        .where(_is_waiting(kernel))
        .values(attempts=columns.attempts + 1, round_attempts=columns.round_attempts + 1)
        .returning(columns.attempts, columns.round_attempts, _AT_EASE)
    )


@per_service
def _write_end(kernel: KernelTables, *names: str) -> sa.Executable:
    return _update(kernel, *names).where(_is_waiting(kernel))


@per_service
def _note_without_waiting(kernel: KernelTables, *names: str) -> sa.Executable:
    return _update(kernel, *names).returning(_AT_EASE)


def _update(kernel: KernelTables, *names: str) -> sa.Update:
    """Sets the named columns of the row `import_id` to `new_NAME`."""
    table = kernel.import_tracking
    return (
        sa.update(table)
        .where(table.c.id == sa.bindparam("import_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
    )


def _is_waiting(kernel: KernelTables) -> sa.ColumnElement[bool]:
    return sa.or_(*[kernel.import_tracking.c.status == word for word in WAITING])


# The transaction does not wait for the disk.
_AT_EASE = sa.func.set_config("synchronous_commit", "off", sa.true())


def _lock(connection: Connection, kernel: KernelTables, wanted: Sequence[int]) -> Sequence[RowMapping]:
    table = kernel.import_tracking
    statement = sa.select(table).where(table.c.id.in_(wanted)).order_by(table.c.id).with_for_update()
    rows = connection.execute(statement).mappings().all()
    if len(rows) < len(wanted):
        raise NotFound("Import not found")
    return rows


def _storable(pointer: str) -> str:
    cleaned = pointer.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return cleaned if len(cleaned) <= _POINTER_LIMIT else cleaned[: _POINTER_LIMIT - 1] + "…"
