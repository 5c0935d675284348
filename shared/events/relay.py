"""The relay: takes event rows in order, sends them, and marks those that the brokers confirmed.

At least once: a crash between sending and marking sends again, with the same `eventId`. In order per key: an event is
handed to the client only after every earlier event of its key is confirmed. That holds through refusals, timeouts and
even two relays at once, because nothing in flight ever has a successor in flight.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.engine import Connection

from shared.alerts.outbox import raise_problem, resolve_problem
from shared.core.clock import now
from shared.core.logs import get_logger
from shared.core.settings import KafkaSettings
from shared.database.locks import LockedConnection
from shared.database.tables import KernelTables
from shared.events.broker import Parcel, Producer
from shared.events.envelope import message
from shared.events.outbox import topic_of
from shared.events.queue import (
    BROKER_PROBLEM,
    QueuedEvent,
    forget_deleted,
    mark_sent,
    next_events,
    park,
    parked_problem,
    prune,
    topic_problem,
)
from shared.events.troubles import BROKER_TROUBLES
from shared.words.statuses import Work
from shared.workers.leader import Job

log = get_logger(__name__)

BATCH = 5000
TOLERATED_WAIT = timedelta(minutes=5)
"""So long events may wait for the brokers before somebody is told: a restart of the cluster is nobody's business."""
_IDLE_SECONDS = 30.0
_RETRY_SECONDS = 5.0


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
        return Job(Work.RELAY, self._kernel.channel("events"), self.turn)

    def turn(self, locked: LockedConnection, stopping: Callable[[], bool]) -> float:
        """Sends everything that waits, and forgets what was sent long ago. Returns the seconds until the next turn."""
        well = True
        if self._settings.bootstrap_servers is not None:
            well = self._drain(locked, stopping).problem is None
        if stopping():
            self.close()
            return 0.0
        with locked.transaction() as connection:
            prune(connection, self._kernel)
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
                events = next_events(connection, self._kernel, BATCH)
            if not events:
                break
            delivery = self._deliver(events, stopping)
            with locked.transaction() as connection:
                self._settle(connection, events, delivery)
            self._working = self._working or bool(delivery.confirmed)
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

    def _deliver(self, events: Sequence[QueuedEvent], stopping: Callable[[], bool]) -> _Delivery:
        """Sends the batch, the later events of a key once the earlier ones are confirmed."""
        delivery = _Delivery()
        confirmed_of: Counter[str] = Counter()
        for position, wave in enumerate(_waves(events)):
            ready = [event for event in wave if confirmed_of[event.key] == position]
            before = len(delivery.confirmed)
            self._send(ready, stopping, delivery)
            done = set(delivery.confirmed[before:])
            confirmed_of.update(event.key for event in ready if event.id in done)
            if delivery.problem is not None or stopping():
                break
        return delivery

    def _send(self, events: Sequence[QueuedEvent], stopping: Callable[[], bool], delivery: _Delivery) -> None:
        """Sends events of different keys, and finds out which ones are refused for their own sake.

        Brokers refuse whole requests, and the client packs many events into one: those refused together are sent
        again in halves, until each one that is refused was alone.
        """
        if not events or delivery.problem is not None:
            return
        receipt = self._usable_producer().send([self._parcel(event) for event in events], stopping)
        delivery.confirmed += receipt.confirmed
        delivery.refused |= receipt.impossible
        delivery.problem, delivery.reason = receipt.problem, receipt.reason
        suspects = [event for event in events if event.id in receipt.refused]
        if len(suspects) == 1:
            delivery.refused |= receipt.refused
        else:
            middle = len(suspects) // 2
            self._send(suspects[:middle], stopping, delivery)
            self._send(suspects[middle:], stopping, delivery)

    def _parcel(self, event: QueuedEvent) -> Parcel:
        content = message(
            event_id=event.event_id,
            event_type=event.event_type,
            key=event.key,
            created_at=event.created_at,
            producer=self._name,
            payload_json=event.payload,
        )
        return Parcel(event.id, content)

    def _usable_producer(self) -> Producer:
        if self._producer is None or not self._producer.usable:
            self.close()
            self._producer = Producer(self._settings, self._name, topic_of(self._kernel))
        return self._producer

    def _settle(self, connection: Connection, events: Sequence[QueuedEvent], delivery: _Delivery) -> None:
        """Writes down what became of the batch, in one transaction."""
        mark_sent(connection, self._kernel, delivery.confirmed)
        confirmed = set(delivery.confirmed)
        forget_deleted(
            connection, self._kernel, [event for event in events if event.is_deletion and event.id in confirmed]
        )
        for event in events:
            if event.id in delivery.refused:
                self._park(connection, event, delivery.refused[event.id])
        topic = topic_of(self._kernel)
        if delivery.confirmed and not self._working:
            resolve_problem(connection, self._kernel, BROKER_PROBLEM)
            resolve_problem(connection, self._kernel, topic_problem(topic))
        if delivery.problem is None:
            return
        if delivery.problem not in BROKER_TROUBLES:
            self._raise(connection, delivery.problem, topic_problem(topic), {"topic": topic})
        elif self._overdue(events, delivery):
            self._raise(connection, delivery.problem, BROKER_PROBLEM, {"reason": delivery.reason})

    def _overdue(self, events: Sequence[QueuedEvent], delivery: _Delivery) -> bool:
        done = {*delivery.confirmed, *delivery.refused}
        oldest = next((event.created_at for event in events if event.id not in done), None)
        return oldest is not None and now() - oldest > TOLERATED_WAIT

    def _park(self, connection: Connection, event: QueuedEvent, code: str) -> None:
        park(connection, self._kernel, event.id, code)
        log.error("event_parked", event_id=event.event_id, entity_id=event.key, code=code, number=event.id)
        about = {"event_row": event.id, "event_id": event.event_id, "entity": event.key}
        self._raise(connection, code, parked_problem(event.id), about)

    def _raise(self, connection: Connection, code: str, fingerprint: str, detail: dict[str, object]) -> None:
        raise_problem(connection, self._kernel, code=code, fingerprint=fingerprint, detail=detail)


def _waves(events: Sequence[QueuedEvent]) -> Iterator[list[QueuedEvent]]:
    """The first event of every key, then the second ones, and so on; each wave in order."""
    waves: list[list[QueuedEvent]] = []
    seen: Counter[str] = Counter()
    for event in events:
        if seen[event.key] == len(waves):
            waves.append([])
        waves[seen[event.key]].append(event)
        seen[event.key] += 1
    return iter(waves)
