"""Brokers in a process of their own, relays, and what consumers see."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from sqlalchemy.engine import Engine

from patient_service.models import kernel as patient_kernel
from shared.core.settings import KafkaSettings
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.database.tables import KernelTables
from shared.events.outbox import Event, write_events
from shared.events.relay import EventRelay
from shared.state.reading import read_snapshot
from shared.state.snapshot import Snapshot
from standins.local import wait_until
from standins.mock_broker import MockBroker


class Topic:
    """What a consumer that reads everything from the beginning has seen so far."""

    def __init__(self, servers: str, *topics: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": servers, "group.id": "test", "enable.auto.commit": False, "log_level": 0}
        )
        # Not as a member of a group: it would need the broker that coordinates the group, and some tests end that one.
        known = [(topic, self._consumer.list_topics(topic, timeout=30).topics[topic]) for topic in topics]
        self._consumer.assign(
            [TopicPartition(topic, number, OFFSET_BEGINNING) for topic, about in known for number in about.partitions]
        )
        self.messages: list[Message] = []

    def close(self) -> None:
        self._consumer.close()

    def has(self, count: int, seconds: float = 60) -> bool:
        """Whether so many messages arrive in time."""
        return self.until(lambda: len(self.messages) >= count, seconds)

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> bool:
        def reached() -> bool:
            self.messages += [found for found in self._consumer.consume(1000, 0.1) if found.error() is None]
            return condition()

        return wait_until(reached, seconds)

    def values(self) -> list[dict[str, Any]]:
        """Every message, repetitions included."""
        return [json.loads(message.value() or b"") for message in self.messages]

    def events(self) -> list[dict[str, Any]]:
        """Every event once, as a consumer sees it that remembers `eventId`."""
        seen: dict[str, dict[str, Any]] = {}
        for value in self.values():
            seen.setdefault(value["eventId"], value)
        return list(seen.values())

    def numbers(self, key: int) -> list[int]:
        """The `number` in the payloads of one key, in the order of arrival, repetitions left out."""
        return [event["payload"]["number"] for event in self.events() if event["payload"]["patient_id"] == key]


class Outbox:
    """The patient service's events before they are sent, and what is said about them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, *keys: int, first: int = 0) -> None:
        """An event per key, all in one transaction; `number` in the payload is the position, from `first` on."""
        events = [
            Event("patient.updated", key, {"patient_id": key, "number": number})
            for number, key in enumerate(keys, first)
        ]
        self.do(write_events, events)

    def do(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Calls a function of the events' modules in a transaction of its own."""
        with transaction(self._engine) as connection:
            return function(connection, patient_kernel, *arguments, **named)

    def ask(self, statement: str) -> Sequence[Any]:
        """The rows of a statement; those of one column as values."""
        with transaction(self._engine) as connection:
            rows = connection.exec_driver_sql(statement).all()
        return [row[0] if len(row) == 1 else tuple(row) for row in rows]

    def unsent(self) -> Snapshot:
        found: Snapshot = self.do(read_snapshot)
        return found

    def alerts(self) -> Sequence[str]:
        """The codes of the open problems."""
        return self.ask("SELECT code FROM patient_service.alert_outbox WHERE resolved_at IS NULL ORDER BY id")


class Relay:
    """A relay of one service's events; `once` is what a command does, `turn` what the background work does."""

    def __init__(self, engine: Engine, servers: str | None, kernel: KernelTables) -> None:
        self._engine = engine
        self._lock = LockName(kernel.schema, "relay")
        self._relay = EventRelay(kernel, f"{kernel.service_name}-service", KafkaSettings(bootstrap_servers=servers))

    def once(self, seconds: float = 20.0) -> int:
        with hold(self._engine, self._lock) as locked:
            return self._relay.run_once(locked, seconds=seconds)

    def turn(self, stopping: Callable[[], bool] = lambda: False) -> float:
        with hold(self._engine, self._lock) as locked:
            return self._relay.turn(locked, stopping)

    def close(self) -> None:
        self._relay.close()


@pytest.fixture
def broker() -> Iterator[MockBroker]:
    with MockBroker() as started:
        yield started


@pytest.fixture
def new_topic(broker: MockBroker) -> Iterator[Callable[..., Topic]]:
    """Makes a consumer; brokers other than the usual one are named."""
    made: list[Topic] = []

    def make(*topics: str, servers: str | None = None) -> Topic:
        made.append(Topic(servers or broker.bootstrap_servers, *(topics or ("patient-events",))))
        return made[-1]

    yield make
    for topic in made:
        topic.close()


@pytest.fixture
def topic(new_topic: Callable[..., Topic]) -> Topic:
    return new_topic()


@pytest.fixture
def new_relay(engine: Engine, broker: MockBroker) -> Iterator[Callable[..., Relay]]:
    """Makes a relay, as another process would."""
    made: list[Relay] = []

    def make(servers: str | None = "", kernel: KernelTables = patient_kernel) -> Relay:
        made.append(Relay(engine, broker.bootstrap_servers if servers == "" else servers, kernel))
        return made[-1]

    yield make
    for relay in made:
        relay.close()


@pytest.fixture
def relay(new_relay: Callable[..., Relay]) -> Relay:
    return new_relay()


@pytest.fixture
def outbox(engine: Engine) -> Outbox:
    return Outbox(engine)
