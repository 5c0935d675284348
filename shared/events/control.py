"""What people can do about events: look at what waits, send again what was sent, decide about parked ones.

Every function works in the caller's transaction; `actor` is `api:NAME`, as the history names people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.alerts.outbox import resolve_problem
from shared.core.errors import NotAllowedError, NotFound
from shared.database.tables import KernelTables
from shared.events.outbox import topic_of
from shared.events.queue import BROKER_PROBLEM, parked_problem, topic_problem, wake
from shared.history.actions import record_action
from shared.words.statuses import Action, AlertKind


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that the brokers refuse; `waiting_behind` later ones of its key wait for a decision on it."""

    number: int
    event_id: str
    event_type: str
    entity_id: int
    created_at: datetime
    code: str
    waiting_behind: int


def parked(connection: Connection, kernel: KernelTables) -> list[ParkedEvent]:
    """The parked events, oldest first."""
    table = kernel.event_outbox
    later = table.alias("later")
    behind = (
        sa.select(sa.func.count())
        .where(later.c.key == table.c.key, later.c.id > table.c.id, later.c.sent_at.is_(None))
        .scalar_subquery()
    )
    statement = (
        sa.select(table, behind.label("behind"))
        .where(table.c.sent_at.is_(None), table.c.parked_code.is_not(None))
        .order_by(table.c.id)
    )
    return [
        ParkedEvent(
            number=row["id"],
            event_id=str(row["event_id"]),
            event_type=row["event_type"],
            entity_id=int(row["key"]),
            created_at=row["created_at"],
            code=row["parked_code"],
            waiting_behind=row["behind"],
        )
        for row in connection.execute(statement).mappings()
    ]


def problems(connection: Connection, kernel: KernelTables) -> Sequence[str]:
    """The codes of open problems with the brokers or the topic as a whole, the oldest first."""
    alerts = kernel.alert_outbox.c
    about_all = alerts.fingerprint.in_((BROKER_PROBLEM, topic_problem(topic_of(kernel))))
    still_open = sa.and_(alerts.kind == AlertKind.PROBLEM, alerts.resolved_at.is_(None))
    return connection.execute(sa.select(alerts.code).where(about_all, still_open).order_by(alerts.id)).scalars().all()


def replay(
    connection: Connection, kernel: KernelTables, actor: str, *, since: datetime | None, entity_id: int | None
) -> int:
    """Has the events that were sent since then, or that concern this entity, sent again under their old ids.

    Without either it takes all that are kept (`queue.KEEP_SENT`). Returns how many.
    """
    table = kernel.event_outbox
    again = sa.update(table).where(table.c.sent_at.is_not(None)).values(sent_at=None)
    if since is not None:
        again = again.where(table.c.sent_at >= since)
    if entity_id is not None:
        again = again.where(table.c.key == str(entity_id))
    count = connection.execute(again).rowcount
    if count:
        reason = f"{count} events" + (f" sent since {since.isoformat()}" if since else "")
        record_action(connection, kernel, Action.REPLAY_EVENTS, actor, entity_id=entity_id, reason=reason)
        wake(connection, kernel)
    return count


def release(connection: Connection, kernel: KernelTables, event_row_id: int, actor: str) -> None:
    """Lets a parked event be tried again, and those of its key behind it.

    Raises `NotFound`, or `NotAllowedError` where the event is not parked.
    """
    event = _lock_parked(connection, kernel, event_row_id)
    table = kernel.event_outbox
    connection.execute(sa.update(table).where(table.c.id == event_row_id).values(parked_code=None))
    record_action(connection, kernel, Action.RELEASE_EVENT, actor, entity_id=event.entity_id, reason=event.event_id)
    _decided(connection, kernel, event_row_id)


def drop(connection: Connection, kernel: KernelTables, event_row_id: int, actor: str, reason: str) -> None:
    """Removes a parked event for good, so that those of its key behind it are sent.

    Nothing brings it back: sent after its successors it would undo them at the consumers. Raises `NotFound`, or
    `NotAllowedError` where the event is not parked.
    """
    event = _lock_parked(connection, kernel, event_row_id)
    table = kernel.event_outbox
    connection.execute(sa.delete(table).where(table.c.id == event_row_id))
    why = f"{event.event_type} {event.event_id}: {reason}"
    record_action(connection, kernel, Action.DROP_EVENT, actor, entity_id=event.entity_id, reason=why)
    _decided(connection, kernel, event_row_id)


@dataclass(frozen=True, slots=True)
class _Parked:
    event_id: str
    event_type: str
    entity_id: int


def _lock_parked(connection: Connection, kernel: KernelTables, event_row_id: int) -> _Parked:
    table = kernel.event_outbox
    statement = sa.select(table).where(table.c.id == event_row_id).with_for_update()
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound("Event not found")
    if row["parked_code"] is None or row["sent_at"] is not None:
        raise NotAllowedError(f"Event {kernel.number(event_row_id)} is not parked")
    return _Parked(str(row["event_id"]), row["event_type"], int(row["key"]))


def _decided(connection: Connection, kernel: KernelTables, event_row_id: int) -> None:
    resolve_problem(connection, kernel, parked_problem(event_row_id))
    wake(connection, kernel)
