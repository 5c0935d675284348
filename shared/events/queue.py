"""The outbox as a queue: what is next to be sent, and what became of it. Every function works in the caller's
transaction.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.alerts.outbox import resolve_problem
from shared.database.tables import KernelTables

KEEP_SENT = timedelta(days=7)
"""So long a sent event can be replayed."""
_PRUNE_AT_ONCE = 10_000

BROKER_PROBLEM = "broker"
"""The fingerprint of the alert about brokers that are away."""

# Right after an import the planner knows nothing of the new rows, and would sort all of them for every batch instead of
# walking the index of what waits.
_IN_ORDER = sa.select(sa.func.set_config("enable_sort", "off", True))


class QueuedEvent(NamedTuple):
    """An unsent event; `payload` is JSON text as PostgreSQL gives it."""

    id: int
    event_id: str
    event_type: str
    key: str
    created_at: datetime
    payload: str

    @property
    def is_deletion(self) -> bool:
        return self.event_type.endswith(".deleted")


def topic_problem(topic: str) -> str:
    """The fingerprint of the alert about a topic that is missing, or that we may not write to."""
    return f"topic:{topic}"


def parked_problem(row_id: int) -> str:
    """The fingerprint of the alert about a parked event."""
    return f"event:{row_id}"


def next_events(connection: Connection, kernel: KernelTables, limit: int) -> list[QueuedEvent]:
    """The next events, oldest first, without those that stand behind a parked one of their key.

    Ids follow the order of changes of a key, although they are given before the commit: whoever writes an event holds
    the lock on the row that it tells of. Across keys they need not, so a reader must not remember how far it came.
    """
    table = kernel.event_outbox
    event_id, payload = sa.cast(table.c.event_id, sa.Text), sa.cast(table.c.payload, sa.Text)
    statement = (
        sa.select(table.c.id, event_id, table.c.event_type, table.c.key, table.c.created_at, payload)
        .where(table.c.sent_at.is_(None), table.c.parked_code.is_(None))
        .order_by(table.c.id)
        .limit(limit)
    )
    parked = connection.execute(_first_parked(kernel)).all()
    if parked:
        statement = statement.where(~_is_behind(table, [row.key for row in parked], [row.id for row in parked]))
    connection.execute(_IN_ORDER)
    return [QueuedEvent(*row) for row in connection.execute(statement).all()]


def mark_sent(connection: Connection, kernel: KernelTables, row_ids: Sequence[int]) -> None:
    """The brokers have these."""
    if not row_ids:
        return
    table = kernel.event_outbox
    given = sa.any_(sa.bindparam("ids", list(row_ids), type_=sa.ARRAY(sa.BigInteger)))
    connection.execute(sa.update(table).where(table.c.id == given).values(sent_at=sa.func.now()))


def park(connection: Connection, kernel: KernelTables, row_id: int, code: str) -> None:
    """Sets the event aside, and those of its key behind it, until somebody decides."""
    table = kernel.event_outbox
    connection.execute(sa.update(table).where(table.c.id == row_id).values(parked_code=code))


def forget_deleted(connection: Connection, kernel: KernelTables, deletions: Sequence[QueuedEvent]) -> None:
    """Forgets the earlier events of entities whose deletion is sent.

    Nobody needs them again, and their data would outlive the entity: an erasure does not know who had been merged into
    the person before.
    """
    if not deletions:
        return
    table = kernel.event_outbox
    keys, ids = [event.key for event in deletions], [event.id for event in deletions]
    earlier = sa.and_(table.c.key.in_(keys), table.c.id.not_in(ids), table.c.sent_at.is_not(None))
    connection.execute(sa.delete(table).where(earlier))


def prune(connection: Connection, kernel: KernelTables) -> None:
    """Forgets what was sent before `KEEP_SENT`, a part of it at a time."""
    table = kernel.event_outbox
    old = sa.select(table.c.id).where(table.c.sent_at < sa.func.now() - KEEP_SENT).limit(_PRUNE_AT_ONCE)
    connection.execute(sa.delete(table).where(table.c.id.in_(old)))


def forget_events(connection: Connection, kernel: KernelTables, entity_ids: Sequence[int]) -> int:
    """Removes every event of these entities, sent or not, and the alerts about them; returns how many.

    For erasures: what brokers already have is out of reach.
    """
    table = kernel.event_outbox
    gone = sa.delete(table).where(table.c.key.in_([str(entity_id) for entity_id in entity_ids]))
    rows = connection.execute(gone.returning(table.c.id, table.c.parked_code)).all()
    for row_id, parked_code in rows:
        if parked_code is not None:
            resolve_problem(connection, kernel, parked_problem(row_id))
    return len(rows)


def wake(connection: Connection, kernel: KernelTables) -> None:
    """Wakes the relay of this schema, in whichever process it runs, once the transaction commits."""
    connection.execute(sa.select(sa.func.pg_notify(kernel.channel("events"), "")))


def _first_parked(kernel: KernelTables) -> sa.Select[tuple[str, int]]:
    """The first parked event of each key that has one."""
    table = kernel.event_outbox
    is_parked = sa.and_(table.c.sent_at.is_(None), table.c.parked_code.is_not(None))
    return sa.select(table.c.key, sa.func.min(table.c.id).label("id")).where(is_parked).group_by(table.c.key)


def _is_behind(table: sa.Table, keys: Sequence[str], ids: Sequence[int]) -> sa.ColumnElement[bool]:
    """Whether the event stands behind one of these of its key. They are given: to look for them behind every event that
    waits would take the server longer than all the rest."""
    given = sa.func.unnest(sa.literal(keys, sa.ARRAY(sa.Text)), sa.literal(ids, sa.ARRAY(sa.BigInteger)))
    parked = given.table_valued("key", "id", name="parked").render_derived()
    return sa.exists().where(parked.c.key == table.c.key, parked.c.id < table.c.id)
