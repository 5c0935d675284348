"""The relay of events: the real Kafka client against a mock cluster in another process."""

import json

import pytest
from confluent_kafka import Consumer

from curavani.demo.local import wait_until
from curavani.demo.mock_broker import MockBroker
from patient_service.models import kernel
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.events.outbox import Event, write_events
from shared.events.relay import EventRelay, replay, waiting
from shared.settings import KafkaSettings

pytestmark = pytest.mark.slow
MESSAGE_TOO_LARGE = 10


@pytest.fixture
def broker():
    with MockBroker() as started:
        yield started


@pytest.fixture
def relay(engine, broker):
    made = EventRelay(kernel, "patient-service", KafkaSettings(bootstrap_servers=broker.bootstrap_servers))

    class Running:
        def once(self):
            with hold(engine, LockName(kernel.schema, "relay")) as locked:
                return made.run_once(locked, seconds=20.0)

    yield Running()
    made.close()


def write(engine, *keys):
    with transaction(engine) as connection:
        events = [
            Event("patient.updated", key, {"patient_id": key, "number": number}) for number, key in enumerate(keys)
        ]
        write_events(connection, kernel, events)


def unsent(engine):
    with transaction(engine) as connection:
        return waiting(connection, kernel)


def received(broker, count):
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "test", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["patient-events"])
    messages = []

    def enough():
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            messages.append(message)
        return len(messages) >= count

    assert wait_until(enough, 30)
    consumer.close()
    return messages


def test_events_arrive_in_order_of_their_key_in_the_agreed_form(engine, broker, relay):
    write(engine, 1, 2, 1, 2, 1)
    relay.once()
    messages = received(broker, 5)
    values = [json.loads(message.value()) for message in messages]
    of_one = [value["payload"]["number"] for value in values if value["payload"]["patient_id"] == 1]
    assert of_one == [0, 2, 4]
    assert set(values[0]) == {"eventId", "eventType", "version", "timestamp", "producer", "payload"}
    assert (values[0]["version"], values[0]["producer"]) == ("1.0", "patient-service")
    headers = dict(messages[0].headers())
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_id"].decode() == json.loads(messages[0].value())["eventId"]
    assert {message.key() for message in messages} == {b"1", b"2"}
    assert unsent(engine).count == 0


def test_events_wait_for_a_broker_that_is_away(engine, broker, relay):
    write(engine, 1)
    relay.once()
    broker.down(1)
    write(engine, 1, 2)
    assert unsent(engine).count == 2
    broker.up(1)
    assert wait_until(lambda: relay.once() is not None and unsent(engine).count == 0, 60)
    ids = {json.loads(message.value())["eventId"] for message in received(broker, 3)}
    assert len(ids) == 3


def test_a_refused_event_is_parked_and_holds_back_its_own_key_only(engine, broker, relay):
    broker.fail("produce", [MESSAGE_TOO_LARGE])
    write(engine, 1)
    relay.once()
    broker.clear_failures("produce")
    write(engine, 1, 2)
    relay.once()
    state = unsent(engine)
    assert state.parked == 1
    (message,) = received(broker, 1)
    assert message.key() == b"2"
    with transaction(engine) as connection:
        codes = connection.exec_driver_sql("SELECT code FROM patient_service.alert_outbox").scalars().all()
    assert codes == ["event_too_large"]


def test_a_replay_sends_the_same_event_ids_again(engine, broker, relay):
    write(engine, 1, 2)
    relay.once()
    with transaction(engine) as connection:
        assert replay(connection, kernel, since=None, entity_id=1) == 1
    relay.once()
    ids = [json.loads(message.value())["eventId"] for message in received(broker, 3)]
    assert len(set(ids)) == 2


def test_without_brokers_events_wait(engine):
    write(engine, 1)
    idle = EventRelay(kernel, "patient-service", KafkaSettings())
    with hold(engine, LockName(kernel.schema, "relay")) as locked:
        idle.run_once(locked)
    assert unsent(engine).count == 1
