"""Whatever brokers do: after repetitions are left out there is exactly one event per change, in order per key."""

import threading
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaError

from standins.local import wait_until
from standins.mock_broker import MockBroker

pytestmark = pytest.mark.slow

KEYS = (1, 2, 3, 4)


@pytest.fixture
def cluster():
    with MockBroker(brokers=3) as started:
        yield started


@contextmanager
def working(relay):
    """The relay's turns in a thread, one after the other, as the background work does it."""
    ending = threading.Event()

    def run():
        while not ending.is_set():
            relay.turn(ending.is_set)
            ending.wait(0.05)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def changes(outbox, start, rounds):
    """Changes to every key, `rounds` times, numbered on from `start`; returns the next number."""
    for _ in range(rounds):
        outbox.write(*KEYS, first=start)
        start += len(KEYS)
    return start


def assert_complete(outbox, topic, count):
    """All `count` changes have arrived, once each and in order per key."""
    assert wait_until(lambda: outbox.unsent().events.number == 0, 60)
    assert topic.until(lambda: len(topic.events()) == count)
    for position, key in enumerate(KEYS):
        assert topic.numbers(key) == list(range(position, count, len(KEYS)))
    assert outbox.unsent().parked == 0


def test_brokers_that_go_and_come_back(outbox, broker, relay, topic):
    with working(relay):
        count = changes(outbox, 0, 3)
        assert topic.until(lambda: len(topic.events()) == count)
        # An event arrives a moment before it is marked as sent.
        assert wait_until(lambda: outbox.unsent().events.number == 0, 60)
        broker.down(1)
        count = changes(outbox, count, 5)
        assert outbox.unsent().events.number == 20
        broker.up(1)
        count = changes(outbox, count, 3)
        assert_complete(outbox, topic, count)


def test_brokers_that_are_away_from_the_start_are_told_after_some_minutes_and_when_they_are_back(
    outbox, broker, relay, topic
):
    broker.down(1)
    count = changes(outbox, 0, 1)
    relay.once()
    assert outbox.alerts() == []
    outbox.ask("UPDATE patient_service.event_outbox SET created_at = now() - interval '6 minutes' RETURNING id")
    relay.once()
    assert outbox.alerts() == ["broker_unavailable"]
    broker.up(1)
    assert wait_until(lambda: relay.once() == count, 60)
    assert_complete(outbox, topic, count)
    assert outbox.alerts() == []


def test_leaders_that_change(outbox, cluster, new_relay, new_topic):
    topic = new_topic(servers=cluster.bootstrap_servers)
    count = 0
    with working(new_relay(cluster.bootstrap_servers)):
        for leader in (1, 2, 3):
            for partition in range(3):
                cluster.set_leader("patient-events", partition, leader)
            count = changes(outbox, count, 3)
        cluster.down(3)
        count = changes(outbox, count, 3)
        for partition in range(3):
            cluster.set_leader("patient-events", partition, 1)
        assert_complete(outbox, topic, count)


def test_slow_brokers(outbox, broker, relay, topic):
    with working(relay):
        broker.round_trip(1, 300)
        count = changes(outbox, 0, 3)
        assert topic.until(lambda: len(topic.events()) == count)
        broker.round_trip(1, 0)
        count = changes(outbox, count, 3)
        assert_complete(outbox, topic, count)


def test_confirmations_that_do_not_come(outbox, broker, relay, topic):
    outbox.write(*KEYS)
    relay.once()
    broker.round_trip(1, 60_000)
    count = changes(outbox, len(KEYS), 2)
    relay.once(seconds=0)
    assert outbox.unsent().events.number == 2 * len(KEYS)
    broker.round_trip(1, 0)
    assert wait_until(lambda: relay.once() is not None and outbox.unsent().events.number == 0, 60)
    assert_complete(outbox, topic, count)


@pytest.mark.parametrize(
    "answer",
    [
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    ],
)
def test_answers_after_which_the_client_tries_again_or_gives_up_for_good(answer, outbox, broker, relay, topic):
    count = changes(outbox, 0, 2)
    broker.fail("produce", [answer] * 2)
    assert wait_until(lambda: relay.once() is not None and outbox.unsent().events.number == 0, 60)
    count = changes(outbox, count, 1)
    relay.once()
    assert_complete(outbox, topic, count)
