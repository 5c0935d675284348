"""Events that the brokers refuse, topics that are missing or closed: what waits, who is told, how it goes on."""

import pytest
from confluent_kafka import KafkaError

from shared.core.errors import CuravaniError, NotAllowedError, NotFound
from shared.core.settings import KafkaSettings
from shared.events.broker import LARGEST_EVENT
from shared.events.control import drop, parked, problems, release
from shared.events.outbox import Event, write_events
from shared.events.probe import ask_brokers
from standins.mock_broker import MockBroker

pytestmark = pytest.mark.slow


@pytest.fixture
def parked_event(outbox, broker, relay):
    """An event of key 1 that the brokers refused, as `parked` tells of it."""
    broker.fail("produce", [KafkaError.MSG_SIZE_TOO_LARGE])
    outbox.write(1)
    relay.once()
    (found,) = outbox.do(parked)
    return found


def actions(outbox):
    return outbox.ask("SELECT action, actor, entity_id, reason FROM patient_service.operator_actions ORDER BY id")


def test_a_refused_event_is_parked_and_holds_back_its_own_key_only(parked_event, outbox, relay, topic):
    outbox.write(1, 2, 1, first=1)
    relay.once()
    assert topic.has(1)
    assert topic.messages[0].key() == b"2"
    state = outbox.unsent()
    assert (state.events.number, state.parked) == (2, 1)
    (found,) = outbox.do(parked)
    assert (found.entity_id, found.event_type, found.code) == (1, "patient.updated", "event_too_large")
    assert found.waiting_behind == 2
    assert outbox.alerts() == ["event_too_large"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (KafkaError.RECORD_LIST_TOO_LARGE, "event_too_large"),
        (KafkaError.INVALID_RECORD, "event_refused"),
    ],
)
def test_the_brokers_answer_decides_the_reason(answer, code, outbox, broker, relay):
    broker.fail("produce", [answer])
    outbox.write(1)
    relay.once()
    assert [event.code for event in outbox.do(parked)] == [code]
    assert outbox.alerts() == [code]


def test_those_refused_together_are_told_apart(outbox, broker, relay, topic):
    # The client packs all of them into one request per partition, and brokers refuse whole requests.
    broker.fail("produce", [KafkaError.MSG_SIZE_TOO_LARGE] * 3)
    outbox.write(*range(1, 31))
    relay.once()
    assert topic.has(30)
    assert {message.key() for message in topic.messages} == {str(key).encode() for key in range(1, 31)}
    assert (outbox.unsent().events.number, outbox.unsent().parked) == (0, 0)


def test_an_event_too_large_for_the_client_is_parked_alone(outbox, relay, topic):
    outbox.write(1)
    outbox.do(write_events, [Event("patient.updated", 2, {"patient_id": 2, "x": "x" * LARGEST_EVENT})])
    outbox.write(2, 3, first=1)
    relay.once()
    assert topic.has(2)
    assert {message.key() for message in topic.messages} == {b"1", b"3"}
    assert (outbox.unsent().events.number, outbox.unsent().parked) == (1, 1)


def test_a_released_event_is_sent_and_those_behind_it_follow(parked_event, outbox, relay, topic):
    outbox.write(1, 1, first=1)
    relay.once()
    outbox.do(release, parked_event.number, "api:eva")
    relay.once()
    assert topic.has(3)
    assert topic.numbers(1) == [0, 1, 2]
    assert (outbox.unsent().parked, outbox.alerts()) == (0, [])
    assert actions(outbox) == [("release_event", "api:eva", 1, parked_event.event_id)]


def test_a_released_event_that_is_refused_again_is_parked_again(parked_event, broker, relay, outbox):
    outbox.do(release, parked_event.number, "api:eva")
    broker.fail("produce", [KafkaError.MSG_SIZE_TOO_LARGE])
    relay.once()
    assert outbox.unsent().parked == 1
    assert outbox.alerts() == ["event_too_large"]


def test_a_dropped_event_is_never_sent_and_those_behind_it_are(parked_event, outbox, relay, topic):
    outbox.write(1, 1, first=1)
    outbox.do(drop, parked_event.number, "api:eva", "known to all")
    relay.once()
    assert topic.has(2)
    assert topic.numbers(1) == [1, 2]
    assert (outbox.unsent().events.number, outbox.unsent().parked, outbox.alerts()) == (0, 0, [])
    assert actions(outbox) == [
        ("drop_event", "api:eva", 1, f"patient.updated {parked_event.event_id}: known to all"),
    ]


def test_only_parked_events_can_be_decided_about(outbox, relay):
    outbox.write(1)
    (number,) = outbox.ask("SELECT id FROM patient_service.event_outbox")
    for decide, reason in ((release, ()), (drop, ("no reason",))):
        with pytest.raises(NotAllowedError) as refused:
            outbox.do(decide, number, "api:eva", *reason)
        assert refused.value.message == f"Event P{number} is not parked"
        with pytest.raises(NotFound):
            outbox.do(decide, number + 1, "api:eva", *reason)
    assert relay.once() == 1


def test_the_events_of_a_closed_topic_wait_and_go_by_themselves(outbox, broker, relay, new_topic):
    broker.fail_topic("patient-events", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    outbox.write(1, 2, 3)
    relay.once()
    relay.once()
    assert (outbox.unsent().events.number, outbox.unsent().parked) == (3, 0)
    assert outbox.alerts() == outbox.do(problems) == ["topic_not_allowed"]
    broker.fail_topic("patient-events", 0)
    relay.once()
    # A consumer of before would have been told of the missing right, too.
    assert new_topic().has(3)
    assert (outbox.unsent().events.number, outbox.unsent().parked, outbox.alerts()) == (0, 0, [])


def test_a_right_that_is_taken_while_events_are_sent_parks_none(outbox, broker, relay, topic):
    broker.fail("produce", [KafkaError.TOPIC_AUTHORIZATION_FAILED] * 3)
    outbox.write(*range(1, 31))
    relay.once()
    assert outbox.unsent().parked == 0
    assert outbox.alerts() == ["topic_not_allowed"]
    broker.clear_failures("produce")
    relay.once()
    assert topic.has(30)
    assert (outbox.unsent().events.number, outbox.alerts()) == (0, [])


def test_a_missing_topic_is_told_at_once_is_not_created_and_costs_no_event(outbox, new_relay, new_topic):
    with MockBroker(topics=["another"]) as broker:
        relay = new_relay(broker.bootstrap_servers)
        outbox.write(1, 2, 1)
        relay.once()
        relay.once()
        assert (outbox.unsent().events.number, outbox.unsent().parked) == (3, 0)
        assert outbox.alerts() == ["topic_missing"]
        assert outbox.do(problems) == ["topic_missing"]
        broker.create_topic("patient-events", 3)
        relay.once()
        topic = new_topic(servers=broker.bootstrap_servers)
        assert topic.has(3)
        assert topic.numbers(1) == [0, 2]
        assert outbox.alerts() == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "topic_missing"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "topic_not_allowed"),
    ],
)
def test_who_asks_the_brokers_hears_what_is_wrong_with_the_topic(broker, error, code):
    settings = KafkaSettings.model_validate({"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers})
    ask_brokers(settings, "patient-events")
    broker.fail_topic("patient-events", error)
    with pytest.raises(CuravaniError, match=code):
        ask_brokers(settings, "patient-events")
    broker.fail_topic("patient-events", 0)


def test_a_topic_that_vanishes_is_told_at_once(outbox, broker, relay, new_topic):
    outbox.write(1)
    relay.once()
    broker.fail_topic("patient-events", KafkaError.UNKNOWN_TOPIC_OR_PART)
    outbox.write(2)
    relay.once()
    assert (outbox.unsent().events.number, outbox.alerts()) == (1, ["topic_missing"])
    broker.fail_topic("patient-events", 0)
    relay.once()
    assert new_topic().has(2)
    assert outbox.alerts() == []
