"""The relay of events: the real Kafka client against a mock cluster in another process."""

from shared.events.control import replay
from shared.events.outbox import Event, write_events
from shared.events.queue import forget_events


def test_events_arrive_in_order_of_their_key_in_the_agreed_form(outbox, relay, topic):
    outbox.write(1, 2, 1, 2, 1)
    relay.once()
    assert topic.has(5)
    assert topic.numbers(1) == [0, 2, 4]
    value = topic.values()[0]
    assert list(value) == ["eventId", "eventType", "version", "timestamp", "producer", "payload"]
    assert (value["version"], value["producer"]) == ("1.0", "patient-service")
    message = topic.messages[0]
    assert dict(message.headers()) == {
        "ce_specversion": b"1.0",
        "ce_id": value["eventId"].encode(),
        "ce_type": b"patient.updated",
        "ce_source": b"/curavani/patient-service",
        "ce_time": value["timestamp"].encode(),
        "content-type": b"application/json",
    }
    assert {message.key() for message in topic.messages} == {b"1", b"2"}
    assert outbox.unsent().events.number == 0


def test_the_partition_is_the_one_that_java_clients_choose(outbox, relay, topic):
    outbox.write(1, 7, 1234567)
    relay.once()
    assert topic.has(3)
    # Kafka's own DefaultPartitioner for these keys and three partitions.
    assert {message.key(): message.partition() for message in topic.messages} == {
        key: murmur2(key) % 3 for key in (b"1", b"7", b"1234567")
    }


def murmur2(data):
    """As in `org.apache.kafka.common.utils.Utils`, made positive as its partitioner does."""
    mixed, mask = 0x9747B28C ^ len(data), 0xFFFFFFFF
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * 0x5BD1E995 & mask
        mixed = (mixed * 0x5BD1E995 & mask) ^ ((k ^ k >> 24) * 0x5BD1E995 & mask)
    if len(data) > whole:
        mixed = (mixed ^ int.from_bytes(data[whole:], "little")) * 0x5BD1E995 & mask
    mixed = (mixed ^ mixed >> 13) * 0x5BD1E995 & mask
    return (mixed ^ mixed >> 15) & 0x7FFFFFFF


def test_a_stop_ends_the_batch_between_two_events_of_a_key(outbox, relay, topic):
    outbox.write(*[1] * 5)
    asked = []
    # Asked once before the batch is read, and again after each event that was confirmed.
    relay.turn(stopping=lambda: bool(asked) or bool(asked.append(1)))
    assert outbox.unsent().events.number == 4
    relay.once()
    assert topic.has(5)
    assert topic.numbers(1) == [0, 1, 2, 3, 4]
    assert len(topic.messages) == 5


def test_a_replay_sends_the_same_events_again_in_their_order(outbox, relay, topic):
    outbox.write(1, 2, 1)
    relay.once()
    assert topic.has(3)
    assert outbox.do(replay, "api:eva", since=None, entity_id=1) == 2
    relay.once()
    assert topic.has(5)
    assert [value["payload"]["number"] for value in topic.values()[3:]] == [0, 2]
    assert len(topic.events()) == 3


def test_without_brokers_events_wait(outbox, new_relay):
    outbox.write(1)
    assert new_relay(None).once() == 0
    assert outbox.unsent().events.number == 1


def test_what_was_sent_long_ago_is_forgotten_and_nothing_else(outbox, relay):
    outbox.write(1, 2, 3)
    relay.once()
    outbox.write(4)
    table = "patient_service.event_outbox"
    outbox.ask(f"UPDATE {table} SET sent_at = now() - interval '7 days 1 minute' WHERE key = '1' RETURNING id")
    outbox.ask(f"UPDATE {table} SET created_at = now() - interval '1 year' WHERE key IN ('2', '4') RETURNING id")
    relay.turn()
    assert outbox.ask(f"SELECT key FROM {table} ORDER BY id") == ["2", "3", "4"]


def test_once_a_deletion_is_sent_the_earlier_events_of_its_key_are_forgotten(outbox, relay, topic):
    outbox.write(1, 2, 1)
    outbox.do(write_events, [Event("patient.deleted", 1, {"patient_id": 1})])
    relay.once()
    assert topic.has(4)
    kept = "SELECT key, event_type FROM patient_service.event_outbox ORDER BY id"
    assert outbox.ask(kept) == [("2", "patient.updated"), ("1", "patient.deleted")]


def test_the_events_of_an_erased_person_are_gone_with_the_alert_about_them(outbox, broker, relay):
    outbox.write(1, 2)
    relay.once()
    broker.fail("produce", [10])
    outbox.write(1)
    relay.once()
    outbox.write(1, 2)
    assert outbox.alerts() == ["event_too_large"]
    assert outbox.do(forget_events, [1]) == 3
    assert outbox.ask("SELECT DISTINCT payload->>'patient_id' FROM patient_service.event_outbox") == ["2"]
    assert outbox.alerts() == []
