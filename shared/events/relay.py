"""The relay: takes event rows in order, sends them, and marks those that the brokers confirmed.

At least once: a crash between sending and marking sends again, with the same `eventId`. In order per key: an event is
handed to the client only after every earlier event of its key is confirmed. That holds through refusals, timeouts and
even two relays at once, because nothing in flight ever has a successor in flight.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.alerts.outbox import raise_problem, resolve_problem
from shared.clock import now
from shared.database.locks import LockedConnection
from shared.events.broker import BROKER_UNAVAILABLE, TOPIC_MISSING, TOPIC_NOT_ALLOWED, Parcel, Producer
from shared.events.envelope import message
from shared.events.outbox import topic_of
from shared.logs import get_logger
from shared.settings import KafkaSettings
from shared.tables import KernelTables
from shared.workers.leader import Job

log = get_logger(__name__)

BATCH = 5000
KEEP_SENT = timedelta(days=7)
"""So long a sent event can be replayed."""
PATIENCE = timedelta(minutes=5)
"""So long events may wait for the brokers before somebody is told: a restart of the cluster is nobody's business."""
_PRUNE_AT_ONCE = 10_000
_IDLE_SECONDS = 30.0
_RETRY_SECONDS = 5.0

_BROKER = "broker"

# Right after an import the planner knows nothing of the new rows, and would sort all of them for every batch instead of
# walking the index of what waits.
_IN_ORDER = sa.select(
    *[
        sa.func.set_config(f"enable_{way}", "off", True)
        for way in ("sort", "bitmapscan", "seqscan", "hashjoin", "mergejoin")
    ]
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not sent: how many events and the age of the oldest, and how many are parked until someone decides."""

    count: int
    oldest_age_seconds: float | None
    parked: int


class _Row(NamedTuple):
    """An unsent event, and its message."""

    id: int
    event_id: str
    key: str
    created_at: datetime
    parcel: Parcel


@dataclass(slots=True)
class _Delivery:
    """What became of a batch; rows that are named nowhere wait."""

    confirmed: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    problem: str | None = None
    reason: str | None = None


class EventRelay:
    """Sends one schema's events. One thread at a time, under the lock `relay`; holds no state that a crash could lose.

    Without brokers in the settings it does nothing, and the events wait.
    """

    def __init__(self, kernel: KernelTables, producer_name: str, settings: KafkaSettings) -> None:
        self._kernel = kernel
        self._name = producer_name
        self._settings = settings
        self._producer: Producer | None = None
        # Whether the brokers took anything since the last failure, so that problems are known to be over.
        self._working = False
        self._problem: str | None = None

    def job(self) -> Job:
        """The relay as background work, woken by every transaction that writes events."""
        return Job("relay", self._kernel.channel("events"), self.turn)

    def turn(self, locked: LockedConnection, stopping: Callable[[], bool]) -> float:
        """Sends everything that waits, and forgets what was sent long ago. Returns the seconds until the next turn."""
        well = True
        if self._settings.bootstrap_servers is not None:
            well = self._drain(locked, stopping).problem is None
        if stopping():
            self.close()
            return 0.0
        self._prune(locked)
        return _IDLE_SECONDS if well else _RETRY_SECONDS

    def run_once(self, locked: LockedConnection, *, seconds: float = 30.0) -> int:
        """Sends what waits, for a command that ends afterwards; starts no batch after `seconds`. Returns how many."""
        if self._settings.bootstrap_servers is None:
            return 0
        deadline = time.monotonic() + seconds
        try:
            return len(self._drain(locked, lambda: time.monotonic() > deadline).confirmed)
        finally:
            self.close()

    def close(self) -> None:
        """Ends the producer; a later turn makes another one."""
        if self._producer is not None:
            self._producer.close()
        self._producer, self._working = None, False

    def _drain(self, locked: LockedConnection, stopping: Callable[[], bool]) -> _Delivery:
        """Batch after batch until nothing waits, the brokers fail, or the process is to stop. Returns all of it."""
        total = _Delivery()
        while not stopping() and total.problem is None:
            with locked.transaction() as connection:
                rows = self._read(connection)
            if not rows:
                break
            delivery = self._deliver(rows, stopping)
            with locked.transaction() as connection:
                self._settle(connection, rows, delivery)
            total.confirmed += delivery.confirmed
            total.refused |= delivery.refused
            total.problem, total.reason = delivery.problem, delivery.reason
        self._log(total)
        return total

    def _log(self, total: _Delivery) -> None:
        if total.confirmed or total.refused:
            log.info("events_sent", counts={"sent": len(total.confirmed), "refused": len(total.refused)})
        # Once, and not with every attempt while it lasts.
        if total.problem not in (None, self._problem):
            log.warning("events_wait", code=total.problem, reason=total.reason, topic=topic_of(self._kernel))
        self._problem = total.problem

    def _read(self, connection: Connection) -> list[_Row]:
        connection.execute(_IN_ORDER)
        return [self._row(row) for row in connection.execute(_unsent(self._kernel))]

    def _row(self, row: Any) -> _Row:
        row_id, event_id, event_type, key, created_at, payload_json = row
        content = message(
            event_id=event_id,
            event_type=event_type,
            key=key,
            created_at=created_at,
            producer=self._name,
            payload_json=payload_json,
        )
        return _Row(row_id, event_id, key, created_at, Parcel(row_id, content))

    def _deliver(self, rows: Sequence[_Row], stopping: Callable[[], bool]) -> _Delivery:
        delivery = _Delivery()
        confirmed_of: Counter[str] = Counter()
        for position, wave in enumerate(_waves(rows)):
            ready = [row for row in wave if confirmed_of[row.key] == position]
            before = len(delivery.confirmed)
            self._send([row.parcel for row in ready], stopping, delivery)
            done = set(delivery.confirmed[before:])
            confirmed_of.update(row.key for row in ready if row.id in done)
            if delivery.problem is not None:
                break
        return delivery

    def _send(self, parcels: Sequence[Parcel], stopping: Callable[[], bool], delivery: _Delivery) -> None:
        """Sends events of different keys, and finds out which ones are refused for their own sake.

        Brokers refuse whole requests, and the client packs many events into one: those refused together are sent
        again in halves, until each one that is refused was alone.
        """
        if not parcels or delivery.problem is not None:
            return
        receipt = self._usable_producer().send(parcels, stopping)
        delivery.confirmed += receipt.confirmed
        delivery.refused |= receipt.impossible
        delivery.problem, delivery.reason = receipt.problem, receipt.reason
        suspects = [parcel for parcel in parcels if parcel.row_id in receipt.refused]
        if len(suspects) == 1:
            delivery.refused |= receipt.refused
            if TOPIC_NOT_ALLOWED in receipt.refused.values():
                # Rights are given per topic: whatever comes after it would fare the same and end up parked, too.
                delivery.problem = TOPIC_NOT_ALLOWED
        else:
            middle = len(suspects) // 2
            self._send(suspects[:middle], stopping, delivery)
            self._send(suspects[middle:], stopping, delivery)

    def _usable_producer(self) -> Producer:
        if self._producer is None or not self._producer.usable:
            self.close()
            self._producer = Producer(self._settings, self._name, topic_of(self._kernel))
        return self._producer

    def _settle(self, connection: Connection, rows: Sequence[_Row], delivery: _Delivery) -> None:
        """Writes down what became of the batch, in one transaction."""
        _mark(connection, self._kernel, delivery.confirmed)
        for row in rows:
            if row.id in delivery.refused:
                self._park(connection, row, delivery.refused[row.id])
        topic = topic_of(self._kernel)
        if delivery.confirmed and not self._working:
            self._working = True
            resolve_problem(connection, self._kernel, _BROKER)
            resolve_problem(connection, self._kernel, f"topic:{topic}")
        if delivery.problem == TOPIC_MISSING:
            self._raise(connection, TOPIC_MISSING, f"topic:{topic}", {"topic": topic})
        elif delivery.problem == BROKER_UNAVAILABLE and self._overdue(rows, delivery):
            self._raise(connection, BROKER_UNAVAILABLE, _BROKER, {"reason": delivery.reason})

    def _overdue(self, rows: Sequence[_Row], delivery: _Delivery) -> bool:
        done = {*delivery.confirmed, *delivery.refused}
        oldest = next((row.created_at for row in rows if row.id not in done), None)
        return oldest is not None and now() - oldest > PATIENCE

    def _park(self, connection: Connection, row: _Row, code: str) -> None:
        if code == TOPIC_NOT_ALLOWED and _is_parked(connection, self._kernel, code):
            # One event stands for the topic; the others wait, and go once the right is given.
            return
        table = self._kernel.event_outbox
        connection.execute(sa.update(table).where(table.c.id == row.id).values(parked_code=code))
        log.error("event_parked", event_id=row.event_id, entity_id=row.key, code=code, number=row.id)
        self._raise(
            connection, code, _parked_event(row.id), {"event_row": row.id, "event_id": row.event_id, "entity": row.key}
        )

    def _raise(self, connection: Connection, code: str, fingerprint: str, detail: dict[str, Any]) -> None:
        raise_problem(connection, self._kernel, code=code, fingerprint=fingerprint, detail=detail)

    def _prune(self, locked: LockedConnection) -> None:
        table = self._kernel.event_outbox
        old = sa.select(table.c.id).where(table.c.sent_at < now() - KEEP_SENT).limit(_PRUNE_AT_ONCE)
        with locked.transaction() as connection:
            connection.execute(sa.delete(table).where(table.c.id.in_(old)))


def waiting(connection: Connection, kernel: KernelTables) -> Waiting:
    """What is not sent yet."""
    table = kernel.event_outbox
    parked = table.c.parked_code.is_not(None)
    oldest = sa.func.min(table.c.created_at).filter(~parked)
    row = connection.execute(
        sa.select(
            sa.func.count().filter(~parked).label("waiting"),
            sa.func.extract("epoch", sa.func.now() - oldest).label("age"),
            sa.func.count().filter(parked).label("parked"),
        ).where(table.c.sent_at.is_(None))
    ).one()
    # A row of a transaction that began after this one is a moment younger than nothing.
    return Waiting(row.waiting, None if row.age is None else max(0.0, float(row.age)), row.parked)


def replay(connection: Connection, kernel: KernelTables, *, since: datetime | None, entity_id: int | None) -> int:
    """Has the events that were sent since then, or that concern this entity, sent again under their old ids.

    Without either it takes all that are kept (`KEEP_SENT`). Returns how many.
    """
    table = kernel.event_outbox
    again = sa.update(table).where(table.c.sent_at.is_not(None)).values(sent_at=None)
    if since is not None:
        again = again.where(table.c.sent_at >= since)
    if entity_id is not None:
        again = again.where(table.c.key == str(entity_id))
    count = connection.execute(again).rowcount
    if count:
        _wake(connection, kernel)
    return count


def unpark(connection: Connection, kernel: KernelTables, event_row_id: int) -> bool:
    """Lets a parked event be tried again, and those of its key behind it. False where it is not parked."""
    table = kernel.event_outbox
    freed = connection.execute(
        sa.update(table).where(table.c.id == event_row_id, table.c.parked_code.is_not(None)).values(parked_code=None)
    ).rowcount
    if not freed:
        return False
    resolve_problem(connection, kernel, _parked_event(event_row_id))
    _wake(connection, kernel)
    return True


def _parked_event(row_id: int) -> str:
    return f"event:{row_id}"


def _wake(connection: Connection, kernel: KernelTables) -> None:
    connection.execute(sa.select(sa.func.pg_notify(kernel.channel("events"), "")))


def _waves(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """The first event of every key, then the second ones, and so on; each wave in order."""
    waves: list[list[_Row]] = []
    seen: Counter[str] = Counter()
    for row in rows:
        if seen[row.key] == len(waves):
            waves.append([])
        waves[seen[row.key]].append(row)
        seen[row.key] += 1
    return iter(waves)


def _unsent(kernel: KernelTables) -> sa.Select[Any]:
    """The next events, oldest first, without those that stand behind a parked one of their key.

    Ids follow the order of changes of a key, although they are given before the commit: whoever writes an event holds
    the lock on the row that it tells of.
    """
    table = kernel.event_outbox
    earlier = table.alias("earlier")
    behind_parked = sa.exists().where(
        earlier.c.key == table.c.key,
        earlier.c.id < table.c.id,
        earlier.c.sent_at.is_(None),
        earlier.c.parked_code.is_not(None),
    )
    event_id, payload = sa.cast(table.c.event_id, sa.Text), sa.cast(table.c.payload, sa.Text)
    return (
        sa.select(table.c.id, event_id, table.c.event_type, table.c.key, table.c.created_at, payload)
        .where(table.c.sent_at.is_(None), table.c.parked_code.is_(None), ~behind_parked)
        .order_by(table.c.id)
        .limit(BATCH)
    )


def _mark(connection: Connection, kernel: KernelTables, row_ids: Sequence[int]) -> None:
    if not row_ids:
        return
    table = kernel.event_outbox
    given = sa.any_(sa.bindparam("ids", list(row_ids), type_=sa.ARRAY(sa.BigInteger)))
    connection.execute(sa.update(table).where(table.c.id == given).values(sent_at=sa.func.now()))


def _is_parked(connection: Connection, kernel: KernelTables, code: str) -> bool:
    table = kernel.event_outbox
    parked = sa.exists().where(table.c.sent_at.is_(None), table.c.parked_code == code)
    return bool(connection.execute(sa.select(parked)).scalar_one())
