"""Who takes care of a file that waits for a person, and what they note about it.

Both are entries among what people did to the file: they are only ever added, and an erasure blanks what they say.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import NotAllowedError
from shared.database.statements import KernelStatement
from shared.database.tables import KernelTables
from shared.history.actions import record_action
from shared.imports.ledger import RETRYABLE
from shared.imports.mend import lock_files
from shared.words.statuses import Action


@dataclass(frozen=True, slots=True)
class Care:
    """Who takes care of a file, and since when."""

    actor: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody noted; `text` is None where an erasure blanked it."""

    actor: str
    at: datetime
    text: str | None


class TakenMeanwhile(NotAllowedError):
    """Somebody else, `actor`, takes care of the file by now."""

    def __init__(self, number: str, actor: str) -> None:
        super().__init__(f"{actor} takes care of file {number}")
        self.actor = actor


def add_note(connection: Connection, kernel: KernelTables, import_id: int, actor: str, text: str) -> None:
    """Notes something about a file that waits. Raises `NotFound`, or `NotAllowedError` for a file that is settled: an
    erasure may have been there, and would not come again for what is written now."""
    _lock_waiting(connection, kernel, import_id)
    record_action(connection, kernel, Action.NOTE, actor, import_id=import_id, reason=text)


def take(connection: Connection, kernel: KernelTables, import_id: int, actor: str, *, after: str | None) -> None:
    """The actor takes care of the file from now on. `after` is who did so as far as the actor knows.

    Raises `NotFound`, `NotAllowedError` for a file that is settled, and `TakenMeanwhile`.
    """
    _lock_waiting(connection, kernel, import_id)
    present = carers(connection, kernel, [import_id]).get(import_id)
    holder = present.actor if present else None
    if holder == actor:
        return
    if holder is not None and holder != after:
        raise TakenMeanwhile(kernel.number(import_id), holder)
    record_action(connection, kernel, Action.TAKE, actor, import_id=import_id)


def give_back(connection: Connection, kernel: KernelTables, import_id: int, actor: str) -> None:
    """The actor does not take care of the file any more; nothing happens where somebody else does. Raises as `take`."""
    _lock_waiting(connection, kernel, import_id)
    present = carers(connection, kernel, [import_id]).get(import_id)
    if present is not None and present.actor == actor:
        record_action(connection, kernel, Action.GIVE_BACK, actor, import_id=import_id)


def carers(connection: Connection, kernel: KernelTables, import_ids: Collection[int]) -> dict[int, Care]:
    """Who takes care of these files, as far as somebody does and they still wait."""
    rows = _LATEST.of(kernel.schema)(connection, ids=list(import_ids))
    return {row.import_id: Care(row.actor, row.at) for row in rows if row.action == Action.TAKE}


_LATEST = KernelStatement("""
    SELECT DISTINCT ON (acted.import_id) acted.import_id, acted.action, acted.actor, acted.at
      FROM {schema}.operator_actions AS acted
      JOIN {schema}.import_tracking AS file ON file.id = acted.import_id
     WHERE acted.import_id = ANY(CAST(:ids AS bigint[]))
       AND acted.action IN ('take', 'give_back')
       AND file.status IN ('failed', 'retrying', 'pending')
     ORDER BY acted.import_id, acted.id DESC
""")


def notes(connection: Connection, kernel: KernelTables, import_id: int) -> Sequence[Note]:
    """What was noted about the file, oldest first."""
    actions = kernel.operator_actions.c
    found = sa.select(actions.actor, actions.at, actions.reason).where(
        actions.import_id == import_id, actions.action == Action.NOTE
    )
    return [Note(*row) for row in connection.execute(found.order_by(actions.id))]


def _lock_waiting(connection: Connection, kernel: KernelTables, import_id: int) -> None:
    (row,) = lock_files(connection, kernel, [import_id])
    if row["status"] not in RETRYABLE:
        raise NotAllowedError(f"File {kernel.number(import_id)} is {row['status']} and waits for nobody")
