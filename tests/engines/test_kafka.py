"""The relay and the reader of contacts against Apache Kafka: what brokers do to themselves, and people to topics."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from confluent_kafka import ElectionType, Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec

from patient_service.contacts import ContactReader
from patient_service.models import kernel
from patient_service.use_cases import create_patient
from shared.core.errors import CuravaniError
from shared.core.settings import KafkaSettings
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.events.control import parked, release
from shared.events.outbox import Event, write_events
from shared.events.probe import BrokerUnavailable, ask_brokers
from standins.local import free_port, wait_until
from tests.engines.kafka import PASSWORD, Cluster

TOPIC = "patient-events"
CONTACTS = "communication-events"
SECONDS = 180.0


@contextmanager
def background(turn: Callable[[Callable[[], bool]], object]) -> Iterator[None]:
    """One turn after the other in a thread, as a service does it."""
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set():
            turn(ending.is_set)
            ending.wait(0.1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def refusal(settings):
    """With which code the probe says no."""
    with pytest.raises(CuravaniError) as answer:
        ask_brokers(settings, TOPIC)
    return answer.value.code


def lets_in(settings):
    """Whether the probe says yes; on a busy machine it may be over before the brokers have answered."""
    try:
        ask_brokers(settings, TOPIC)
    except BrokerUnavailable:
        return False
    return True


def leaders(cluster):
    return {partition: cluster.leader(TOPIC, partition) for partition in range(3)}


def test_brokers_die_one_after_the_other_and_leaders_move_and_every_event_arrives_in_order(
    cluster, outbox, relay, events_topic, read_topic
):
    events_topic(min_insync_replicas="2")
    topic = read_topic()
    keys = range(1, 31)
    written = 0

    def write():
        nonlocal written
        outbox.write(*keys, *keys, first=written)
        written += 2 * len(keys)

    with background(relay.turn):
        for number in cluster.brokers:
            write()
            cluster.brokers[number].kill()
            write()
            # The other two go on without it, where it led, too.
            assert topic.until(lambda: len(topic.events()) == written, SECONDS)
            assert number not in leaders(cluster).values()
            write()
            cluster.restart(number)
        cluster.admin.elect_leaders(ElectionType.PREFERRED).result(SECONDS)
        write()
        assert topic.until(lambda: len(topic.events()) == written, SECONDS)
        assert wait_until(lambda: outbox.unsent().events.number == 0, SECONDS)
    for key in keys:
        assert topic.numbers(key) == sorted(topic.numbers(key))
    assert (outbox.do(parked), outbox.alerts()) == ([], [])


def test_with_too_few_copies_events_wait_and_go_once_the_copies_are_back(
    cluster, outbox, relay, events_topic, read_topic
):
    events_topic(min_insync_replicas="3")
    outbox.write(1, 2)
    assert relay.once() == 2
    outsider = next(number for number in cluster.brokers if number != cluster.leader(TOPIC))
    cluster.brokers[outsider].kill()
    outbox.write(1, 2, 1, first=2)
    assert relay.once(seconds=1.0) == 0
    assert (outbox.unsent().events.number, outbox.do(parked)) == (3, [])
    cluster.restart(outsider)
    topic = read_topic()
    with background(relay.turn):
        assert topic.until(lambda: len(topic.events()) == 5, SECONDS)
        assert wait_until(lambda: outbox.unsent().events.number == 0, SECONDS)
    assert (topic.numbers(1), topic.numbers(2)) == ([0, 2, 4], [1, 3])


def test_a_topic_that_is_missing_deleted_or_made_anew_costs_no_event(cluster, outbox, relay, events_topic, read_topic):
    outbox.write(1, 2)
    assert relay.once() == 0
    assert outbox.alerts() == ["topic_missing"]
    assert refusal(KafkaSettings(bootstrap_servers=cluster.servers())) == "topic_missing"

    events_topic(partitions=3)
    assert wait_until(lambda: lets_in(KafkaSettings(bootstrap_servers=cluster.servers())), SECONDS)
    with background(relay.turn):
        assert wait_until(lambda: outbox.unsent().events.number == 0, SECONDS)
        assert outbox.alerts() == []
        # Under the feet of a producer that has sent to it.
        cluster.delete(TOPIC)
        outbox.write(1, 2, 3, first=2)
        assert wait_until(lambda: list(outbox.alerts()) == ["topic_missing"], SECONDS)
        assert outbox.unsent().events.number == 3
        cluster.create(TOPIC, partitions=5)
        topic = read_topic()
        assert topic.until(lambda: len(topic.events()) == 3, SECONDS)
        # And made anew before it looks again.
        cluster.delete(TOPIC)
        cluster.create(TOPIC, partitions=2)
        outbox.write(1, 2, 3, first=5)
        topic = read_topic()
        assert topic.until(lambda: len(topic.events()) == 3, SECONDS)
        assert wait_until(lambda: outbox.unsent().events.number == 0, SECONDS)
    assert (outbox.do(parked), outbox.alerts()) == ([], [])


def test_a_message_the_broker_finds_too_large_is_parked_alone_and_goes_once_it_may(
    cluster, outbox, relay, events_topic, read_topic
):
    # The broker measures what arrives, which is compressed: text that does not shrink.
    events_topic(partitions=1, max_message_bytes="20000")
    large = " ".join(f"{number * 2654435761 % 2**32:x}" for number in range(10_000))
    outbox.write(1, 2)
    outbox.do(write_events, [Event("patient.updated", 3, {"patient_id": 3, "number": 0, "text": large})])
    outbox.write(3, 4, first=2)
    relay.once(seconds=60.0)
    topic = read_topic()
    assert topic.until(lambda: len(topic.events()) == 3, SECONDS)
    assert {event["payload"]["patient_id"] for event in topic.events()} == {1, 2, 4}
    (refused,) = outbox.do(parked)
    assert (refused.entity_id, refused.code, refused.waiting_behind) == (3, "event_too_large", 1)

    cluster.configure(TOPIC, max_message_bytes="2000000")
    outbox.do(release, refused.number, "api:test")
    relay.once(seconds=60.0)
    assert topic.until(lambda: topic.numbers(3) == [0, 2], SECONDS)
    assert (outbox.do(parked), outbox.alerts()) == ([], [])


# -- who gets in ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def users(cluster: Cluster) -> None:
    """`plain` is in the brokers' configuration, `scram` in the cluster; what they may do is up to each test."""
    cluster.set_scram_password("scram", PASSWORD)


RIGHT = {
    "tls": ("TLS", {"security_protocol": "SSL"}),
    "plain": ("LOGIN", {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}),
    "scram": ("LOGIN", {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512"}),
    "plain over tls": ("BOTH", {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}),
    "scram over tls": ("BOTH", {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}),
}
WRONG = {
    "wrong password for plain": ("plain over tls", {"sasl_password": "wrong-password"}, "broker_login_refused"),
    "wrong password for scram": ("scram over tls", {"sasl_password": "wrong-password"}, "broker_login_refused"),
    "unknown user": ("scram", {"sasl_username": "nobody"}, "broker_login_refused"),
    "login where there is none": ("scram", {"listener": "OPEN"}, "broker_login_refused"),
    "wrong authority": ("tls", {"ssl_ca_location": "stranger"}, "broker_tls_failed"),
    "wrong authority before a login": ("scram over tls", {"ssl_ca_location": "stranger"}, "broker_tls_failed"),
    "wrong host name": ("tls", {"listener": "MISNAMED"}, "broker_tls_failed"),
    # The broker hangs up without a word.
    "tls where there is none": ("tls", {"listener": "OPEN"}, "broker_unavailable"),
    "none where there is tls": (None, {"listener": "TLS"}, "broker_unavailable"),
    "no login where one is asked for": (None, {"listener": "LOGIN"}, "broker_unavailable"),
    "no such host": (None, {"bootstrap_servers": "no-such-host.invalid:9092"}, "broker_address_unknown"),
    "nobody there": (None, {"bootstrap_servers": f"localhost:{free_port()}"}, "broker_unavailable"),
}


@pytest.fixture
def way_in(cluster, certificates, users):
    """The settings of a way in, with changes."""

    def make(way, *, listener=None, ssl_ca_location="authority", **changes):
        default, settings = RIGHT[way] if way else ("OPEN", {})
        given = {**settings, "bootstrap_servers": cluster.servers(listener or default)}
        if "SSL" in settings.get("security_protocol", ""):
            given["ssl_ca_location"] = certificates.authority(ssl_ca_location)
        if "sasl_mechanism" in settings:
            user = "plain" if settings["sasl_mechanism"] == "PLAIN" else "scram"
            given |= {"sasl_username": user, "sasl_password": PASSWORD}
        return KafkaSettings(**{**given, **changes})

    return make


@pytest.fixture
def rights(cluster):
    """Gives a user the right to write; all rights are taken back after the test."""
    yield lambda user: cluster.allow(user, TOPIC)
    cluster.forbid_all()


def test_every_right_way_in_delivers(cluster, way_in, rights, outbox, new_relay, events_topic, read_topic):
    events_topic()
    for user in ("plain", "scram"):
        rights(user)
    topic = read_topic()
    for number, way in enumerate(RIGHT):
        settings = way_in(way)
        assert wait_until(lambda settings=settings: lets_in(settings), SECONDS), way
        outbox.write(1, first=number)
        sender = new_relay(settings)
        assert wait_until(lambda sender=sender: sender.once() == 1, SECONDS), way
    assert topic.until(lambda: topic.numbers(1) == list(range(len(RIGHT))), SECONDS)
    assert outbox.alerts() == []


def test_every_wrong_way_in_makes_events_wait_and_parks_none(
    cluster, way_in, rights, outbox, new_relay, events_topic, read_topic
):
    events_topic()
    rights("scram")
    outbox.write(1, 2)
    settings = {name: way_in(way, **changes) for name, (way, changes, _) in WRONG.items()}

    # On a busy machine a probe may be over before the brokers have said no.
    def is_told(name):
        return wait_until(lambda: refusal(settings[name]) == WRONG[name][2], 60)

    with ThreadPoolExecutor(3) as threads:
        untold = [name for name, told in zip(WRONG, threads.map(is_told, WRONG), strict=True) if not told]
    assert untold == []
    for name in ("wrong password for plain", "wrong password for scram", "wrong authority", "wrong host name"):
        assert new_relay(settings[name]).once(seconds=1.0) == 0, name
        assert (outbox.unsent().events.number, outbox.do(parked)) == (2, []), name
    assert new_relay(way_in("scram over tls")).once() == 2
    topic = read_topic()
    assert topic.until(lambda: (topic.numbers(1), topic.numbers(2)) == ([0], [1]), SECONDS)


def test_without_rights_events_wait_and_go_once_they_are_given(
    cluster, way_in, rights, outbox, new_relay, events_topic, read_topic
):
    events_topic()
    settings = way_in("scram over tls")
    outbox.write(1, 2, 1)
    topic = read_topic()
    with background(new_relay(settings).turn):
        assert wait_until(lambda: list(outbox.alerts()) == ["topic_not_allowed"], SECONDS)
        assert refusal(settings) == "topic_not_allowed"
        rights("scram")
        assert topic.until(lambda: (topic.numbers(1), topic.numbers(2)) == ([0, 2], [1]), SECONDS)
        assert wait_until(lambda: outbox.unsent().events.number == 0, SECONDS)
    assert (outbox.do(parked), outbox.alerts()) == ([], [])


# -- the reader of contacts -------------------------------------------------------------------------------------------


@pytest.fixture
def contacts(cluster):
    """The communication service's topic; the group begins anew with it."""
    cluster.create(CONTACTS, partitions=2)
    producer = Producer({"bootstrap.servers": cluster.servers(), "log_level": 0})

    def tell(patient_id, day, partition=0):
        value = {"eventType": "email.sent", "timestamp": f"{day}T12:00:00Z", "payload": {"patient_id": patient_id}}
        producer.produce(CONTACTS, value=json.dumps(value).encode(), partition=partition)
        assert producer.flush(SECONDS) == 0

    yield tell
    producer.close()
    cluster.forget_group("patient-service")
    cluster.delete(CONTACTS)


@pytest.fixture
def patient_ids(engine):
    with transaction(engine) as connection:
        words = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Eva"}
        return [create_patient(connection, {**words, "nachname": name}, "api:test") for name in ("Eins", "Zwei")]


def days(engine):
    with transaction(engine) as connection:
        rows = connection.exec_driver_sql("SELECT letzter_kontakt FROM patient_service.patienten ORDER BY id")
        return [None if day is None else day.isoformat() for day in rows.scalars()]


@contextmanager
def reading(engine, cluster, lock):
    """A reader of contacts. In a service a lock keeps it alone; with a lock each, two are members of one group."""
    counts: dict[str, int] = {}

    def count(outcome, number):
        counts[outcome] = counts.get(outcome, 0) + number

    settings = KafkaSettings(bootstrap_servers=cluster.servers())
    reader = ContactReader("patient-service", settings, CONTACTS, count)

    def turn(stopping):
        with hold(engine, LockName(kernel.schema, lock)) as locked:
            reader.turn(locked, stopping)

    with background(turn):
        yield counts


def test_members_that_come_and_go_and_brokers_that_die_move_every_contact_once(engine, cluster, contacts, patient_ids):
    one, two = patient_ids
    with reading(engine, cluster, "first") as first:
        contacts(one, "2025-07-01", partition=0)
        contacts(two, "2025-07-01", partition=1)
        assert wait_until(lambda: days(engine) == ["2025-07-01"] * 2, SECONDS)
        # The partitions are divided anew, and again when the other one leaves.
        with reading(engine, cluster, "second") as second:
            assert wait_until(lambda: cluster.members("patient-service") == [1, 1], SECONDS)
            contacts(one, "2025-07-02", partition=0)
            contacts(two, "2025-07-02", partition=1)
            assert wait_until(lambda: days(engine) == ["2025-07-02"] * 2, SECONDS)
            assert second["moved"] == 1
        assert wait_until(lambda: cluster.members("patient-service") == [2], SECONDS)
        coordinator = cluster.coordinator("patient-service")
        cluster.brokers[coordinator].kill()
        contacts(one, "2025-07-03", partition=0)
        contacts(two, "2025-07-03", partition=1)
        assert wait_until(lambda: days(engine) == ["2025-07-03"] * 2, SECONDS)
        cluster.restart(coordinator)
    assert first["moved"] + second["moved"] == 6
    with reading(engine, cluster, "third") as third:
        contacts(one, "2025-07-04", partition=1)
        assert wait_until(lambda: days(engine) == ["2025-07-04", "2025-07-03"], SECONDS)
    assert third["moved"] == 1


def test_a_reader_goes_on_behind_what_the_broker_has_forgotten_meanwhile(engine, cluster, contacts, patient_ids):
    with reading(engine, cluster, "first"):
        contacts(patient_ids[0], "2025-07-01")
        assert wait_until(lambda: days(engine)[0] == "2025-07-01", SECONDS)
    contacts(patient_ids[0], "2025-07-02")
    cluster.configure(CONTACTS, retention_ms="100")
    partition = TopicPartition(CONTACTS, 0)

    def earliest():
        return cluster.admin.list_offsets({partition: OffsetSpec.earliest()})[partition].result(SECONDS).offset

    assert wait_until(lambda: earliest() == 2, SECONDS)
    cluster.configure(CONTACTS, retention_ms="604800000")
    contacts(patient_ids[1], "2025-07-03")
    with reading(engine, cluster, "second"):
        assert wait_until(lambda: days(engine) == ["2025-07-01", "2025-07-03"], SECONDS)
