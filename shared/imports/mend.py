"""What people ask of files: to try them again, to leave them out, to look for new ones now."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.alerts.outbox import resolve_problem
from shared.core.clock import now
from shared.core.errors import NotAllowedError, NotFound
from shared.database.tables import KernelTables
from shared.history.actions import record_action
from shared.imports import ledger
from shared.imports.ledger import RETRYABLE, file_fingerprint
from shared.words.statuses import Action, FileStatus


def run_now(connection: Connection, kernel: KernelTables, actor: str) -> None:
    """Asks for a pass as soon as the importer is free."""
    record_action(connection, kernel, Action.RUN, actor)
    wake(connection, kernel)


def retry(connection: Connection, kernel: KernelTables, import_ids: Iterable[int], actor: str) -> list[int]:
    """Makes files due at once, with a fresh round of attempts, and wakes the importer. Returns the ids.

    Raises `NotFound`, or `NotAllowedError` for a file that is imported or discarded; then none is touched.
    """
    wanted = sorted(set(import_ids))
    for row in lock_files(connection, kernel, wanted):
        if row["status"] not in RETRYABLE:
            raise NotAllowedError(f"File {kernel.number(row['id'])} is {row['status']} and cannot be retried")
    table = kernel.import_tracking
    connection.execute(
        sa.update(table)
        .where(table.c.id.in_(wanted))
        .values(status=FileStatus.PENDING, next_attempt_at=sa.func.now(), round_attempts=0, interruptions=0)
    )
    for import_id in wanted:
        record_action(connection, kernel, Action.RETRY, actor, import_id=import_id)
    wake(connection, kernel)
    return wanted


def failed_ids(connection: Connection, kernel: KernelTables, code: str | None = None) -> list[int]:
    """The files that wait for a person, by code if one is given."""
    table = kernel.import_tracking
    statement = sa.select(table.c.id).where(table.c.status == FileStatus.FAILED).order_by(table.c.id)
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

    Raises `NotFound` or `NotAllowedError`, the latter also where the service's source keeps its files.
    """
    if delete_source and not kernel.releases_sources:
        raise NotAllowedError("Scraped files stay in their folder; discard the file without deleting its source")
    (row,) = lock_files(connection, kernel, [import_id])
    if row["status"] not in RETRYABLE:
        raise NotAllowedError(f"File {kernel.number(import_id)} is {row['status']} and cannot be discarded")
    table = kernel.import_tracking
    released = {"delete_source": True} if delete_source else {}
    connection.execute(
        sa.update(table)
        .where(table.c.id == import_id)
        .values(
            status=FileStatus.DISCARDED, next_attempt_at=None, discard_reason=reason, processed_at=now(), **released
        )
    )
    record_action(connection, kernel, Action.DISCARD, actor, import_id=import_id, reason=reason)
    resolve_problem(connection, kernel, file_fingerprint(kernel, import_id))
    if delete_source:
        # The importer is who deletes it; there is no reason to wait for the next pass.
        wake(connection, kernel)


def begin_correction(
    connection: Connection,
    kernel: KernelTables,
    import_id: int,
    actor: str,
    reason: str,
    *,
    action: Action = Action.CORRECT,
) -> None:
    """Begins the attempt at a failed file with what a person has put right or entered for it; the caller ends it.

    Only the transaction that does both is to be committed. Raises `NotFound`, or `NotAllowedError` for a file that has
    not failed, or is being tried again.
    """
    (row,) = lock_files(connection, kernel, [import_id])
    if row["status"] != FileStatus.FAILED:
        raise NotAllowedError(f"File {kernel.number(import_id)} is {row['status']} and cannot be corrected")
    table = kernel.import_tracking
    connection.execute(sa.update(table).where(table.c.id == import_id).values(status=FileStatus.PENDING))
    ledger.begin(connection, kernel, [import_id])
    # What follows is an import: unlike a mere count of attempts it has to survive a crash of the server.
    connection.execute(sa.text("SET LOCAL synchronous_commit TO DEFAULT"))
    record_action(connection, kernel, action, actor, import_id=import_id, reason=reason)
    # The importer takes the source away, as after any import.
    wake(connection, kernel)


def wake(connection: Connection, kernel: KernelTables) -> None:
    """Wakes the importer of this schema, in whichever process it runs, once the transaction commits."""
    connection.execute(sa.select(sa.func.pg_notify(kernel.channel("import"), "")))


def lock_files(connection: Connection, kernel: KernelTables, wanted: Sequence[int]) -> Sequence[RowMapping]:
    """The files' rows in the order of their numbers, locked. Raises `NotFound`."""
    table = kernel.import_tracking
    statement = sa.select(table).where(table.c.id.in_(wanted)).order_by(table.c.id).with_for_update()
    rows = connection.execute(statement).mappings().all()
    if len(rows) < len(wanted):
        raise NotFound("Import not found")
    return rows
