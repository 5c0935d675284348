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
_IN_ORDER = sa.select(
    *[
        sa.func.set_config(f"enable_{way}", "off", True)
        for way in ("sort", "bitmapscan", "seqscan", "hashjoin", "mergejoin")
    ]
)


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
    # Looking behind every event costs as much as reading it, and hardly ever is there anything to see.
    if is_parked(connection, kernel):
        statement = statement.where(~_behind_parked(kernel))
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


def is_parked(connection: Connection, kernel: KernelTables) -> bool:
    """Whether any event is parked."""
    table = kernel.event_outbox
    exists = sa.exists().where(table.c.sent_at.is_(None), table.c.parked_code.is_not(None))
    return bool(connection.execute(sa.select(exists)).scalar_one())


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


def _behind_parked(kernel: KernelTables) -> sa.ColumnElement[bool]:
    table = kernel.event_outbox
    earlier = table.alias("earlier")
    return sa.exists().where(
        earlier.c.key == table.c.key,
        earlier.c.id < table.c.id,
        earlier.c.sent_at.is_(None),
        earlier.c.parked_code.is_not(None),
    )
