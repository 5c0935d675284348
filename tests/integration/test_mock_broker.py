"""The mock cluster, asked by the real client: a round trip, and each fault."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer

from standins.local import wait_until
from standins.mock_broker import TOPICS, MockBroker, MockBrokerError

pytestmark = pytest.mark.slow

_PARENT = """
import sys
from standins.mock_broker import MockBroker
broker = MockBroker().start()
print(broker.pid, broker.bootstrap_servers, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def broker() -> Iterator[MockBroker]:
    with MockBroker() as started:
        yield started


def _producer(broker: MockBroker, **settings: object) -> Producer:
    quiet = {"log_level": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100}
    return Producer({"bootstrap.servers": broker.bootstrap_servers, "acks": "all", **quiet, **settings})


def _send(producer: Producer, value: bytes, seconds: float = 60) -> KafkaError | None:
    """Produces, and what became of it. Raises TimeoutError where that is open."""
    outcome: list[KafkaError | None] = []
    producer.produce(TOPICS[0], value, key=b"k", on_delivery=lambda error, _: outcome.append(error))
    producer.flush(seconds)
    if not outcome:
        raise TimeoutError
    return outcome[0]


def _read(broker: MockBroker, count: int) -> list[Message]:
    settings = {
        "bootstrap.servers": broker.bootstrap_servers,
        "group.id": "test",
        "auto.offset.reset": "earliest",
        "log_level": 0,
    }
    consumer = Consumer(settings)
    consumer.subscribe(list(TOPICS))
    found: list[Message] = []
    try:
        deadline = time.monotonic() + 60
        while len(found) < count and time.monotonic() < deadline:
            found += consumer.consume(count - len(found), 0.1)
    finally:
        consumer.close()
    assert len(found) == count
    return found


def test_a_round_trip_through_a_group(broker: MockBroker) -> None:
    metadata = _producer(broker).list_topics(timeout=60)
    assert {topic: len(metadata.topics[topic].partitions) for topic in TOPICS} == dict.fromkeys(TOPICS, 3)

    producer = _producer(broker, **{"enable.idempotence": True})
    values = [str(number).encode() for number in range(20)]
    assert [_send(producer, value) for value in values] == [None] * 20
    messages = _read(broker, 20)
    assert [message.error() for message in messages] == [None] * 20
    assert [message.value() for message in messages] == values  # one key, so one partition, in order
    assert {message.key() for message in messages} == {b"k"}


def test_a_broker_that_is_down_delivers_when_it_is_up_again(broker: MockBroker) -> None:
    producer = _producer(broker)
    assert _send(producer, b"before") is None
    broker.down(1)
    with pytest.raises(TimeoutError):
        _send(producer, b"during", seconds=0.3)
    assert len(producer) == 1
    broker.up(1)
    assert producer.flush(60) == 0
    assert [message.value() for message in _read(broker, 2)] == [b"before", b"during"]


def test_a_delivery_is_given_up_in_time(broker: MockBroker) -> None:
    producer = _producer(broker, **{"message.timeout.ms": 300})
    broker.down(1)
    error = _send(producer, b"lost")
    assert error is not None
    assert error.code() == KafkaError._MSG_TIMED_OUT


def test_errors_of_produce_and_their_end(broker: MockBroker) -> None:
    producer = _producer(broker, **{"retry.backoff.ms": 20, "retry.backoff.max.ms": 50})
    broker.fail("produce", [KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.REQUEST_TIMED_OUT])
    assert _send(producer, b"retried") is None
    broker.fail("produce", [KafkaError.MSG_SIZE_TOO_LARGE])
    error = _send(producer, b"refused")
    assert error is not None
    assert error.code() == KafkaError.MSG_SIZE_TOO_LARGE
    broker.fail("produce", [KafkaError.MSG_SIZE_TOO_LARGE] * 5)
    broker.clear_failures("produce")
    assert _send(producer, b"fine") is None


def test_slow_answers(broker: MockBroker) -> None:
    producer = _producer(broker)
    assert _send(producer, b"fast") is None
    broker.round_trip(1, 400)
    begun = time.monotonic()
    assert _send(producer, b"slow") is None
    assert time.monotonic() - begun >= 0.3


def test_a_topic_is_created_and_its_leader_changes() -> None:
    with MockBroker(brokers=3) as broker:
        broker.create_topic("extra", 1)
        producer = _producer(broker)
        for leader in (1, 2, 3):
            broker.set_leader("extra", 0, leader)
            assert producer.list_topics("extra", timeout=60).topics["extra"].partitions[0].leader == leader
            producer.produce("extra", str(leader).encode())
            assert producer.flush(60) == 0


def test_refused_commands(broker: MockBroker) -> None:
    with pytest.raises(MockBrokerError, match="exists"):
        broker.create_topic(TOPICS[0], 1)
    with pytest.raises(MockBrokerError, match="no such command"):
        broker._command("nonsense")
    with pytest.raises(MockBrokerError):
        broker.down(99)
    broker.stop()
    with pytest.raises(MockBrokerError, match="not running"):
        broker.down(1)


def test_the_cluster_goes_with_its_killed_parent() -> None:
    command = [sys.executable, "-c", _PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, _ = parent.stdout.readline().split()
        assert Path(f"/proc/{pid}/exe").exists()
        os.kill(parent.pid, signal.SIGKILL)
    assert wait_until(lambda: not Path(f"/proc/{pid}/exe").exists(), 60)
