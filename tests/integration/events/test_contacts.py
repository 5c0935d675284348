"""The communication service's events move the last contact: each once in effect, never back, whatever comes between."""

import json
import threading

import pytest
from confluent_kafka import Producer

from patient_service.app import create_app
from patient_service.contacts import ContactReader
from patient_service.models import kernel
from patient_service.use_cases import create_patient
from shared.core.dependencies import ask
from shared.core.settings import KafkaSettings
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.events.probe import contacts_dependency
from standins.local import wait_until
from standins.mock_broker import MockBroker

pytestmark = pytest.mark.slow

TOPIC = "communication-events"


@pytest.fixture
def brokers():
    with MockBroker(topics=[TOPIC]) as broker:
        yield broker


@pytest.fixture
def patient_ids(engine):
    with transaction(engine) as connection:
        words = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Eva"}
        return [create_patient(connection, {**words, "nachname": name}, "api:test") for name in ("Eins", "Zwei")]


class Reader:
    """A reader in a thread of its own; counts what became of the messages."""

    def __init__(self, engine, servers, lock):
        self.counts = {}
        self._lock = LockName(kernel.schema, lock)
        self._engine = engine
        self._stopping = threading.Event()
        settings = KafkaSettings(bootstrap_servers=servers)
        self._reader = ContactReader("patient-service", settings, TOPIC, self._count)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def alive(self):
        return self._thread.is_alive()

    def has(self, **counts):
        return wait_until(lambda: all(self.counts.get(name, 0) >= number for name, number in counts.items()), 60)

    def stop(self):
        self._stopping.set()
        self._thread.join()

    def _count(self, outcome, number):
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def _run(self):
        with hold(self._engine, self._lock) as locked:
            self._reader.turn(locked, self._stopping.is_set)


@pytest.fixture
def new_reader(engine, brokers):
    made = []

    def make(lock="contacts"):
        made.append(Reader(engine, brokers.bootstrap_servers, lock))
        return made[-1]

    yield make
    for reader in made:
        reader.stop()


@pytest.fixture
def tell(brokers):
    """Sends events of the communication service; bytes as they are."""
    producer = Producer({"bootstrap.servers": brokers.bootstrap_servers, "log_level": 0})

    def send(*events, partition=0):
        for event in events:
            value = event if isinstance(event, bytes) else json.dumps(event).encode()
            producer.produce(TOPIC, value=value, partition=partition)
        assert producer.flush(60) == 0

    yield send
    producer.close()


def contact(patient_id, day, kind="email.sent"):
    return {"eventType": kind, "timestamp": f"{day}T12:00:00Z", "payload": {"patient_id": patient_id}}


def days(engine):
    with transaction(engine) as connection:
        rows = connection.exec_driver_sql("SELECT letzter_kontakt FROM patient_service.patienten ORDER BY id").scalars()
        return [None if day is None else day.isoformat() for day in rows]


def told(engine):
    with transaction(engine) as connection:
        statement = "SELECT count(*) FROM patient_service.event_outbox WHERE event_type = 'patient.updated'"
        return connection.exec_driver_sql(statement).scalar()


def test_contacts_move_forward_only_and_nothing_odd_stops_the_reader(engine, patient_ids, tell, new_reader):
    one, two = patient_ids
    # Before the first start: the reader begins at the beginning.
    tell(contact(one, "2025-07-05"), b"\xff{", contact(one, "2025-07-03", "phone_call.completed"))
    reader = new_reader()
    assert reader.has(broken=1, moved=1, unchanged=1)
    tell(contact(999, "2025-07-06"), contact(one, "9999-01-01"), {"eventType": "email.bounced"})
    tell(contact(two, "2025-07-08", "email.response_received"), contact(one, "2025-07-01"))
    assert reader.has(unknown_patient=1, in_the_future=1, other_kind=1, moved=2, unchanged=2)
    assert days(engine) == ["2025-07-05", "2025-07-08"]
    assert told(engine) == 2


def test_a_reader_that_follows_another_one_begins_where_that_one_ended(engine, patient_ids, tell, new_reader):
    first = new_reader()
    tell(contact(patient_ids[0], "2025-07-05"))
    assert first.has(moved=1)
    first.stop()
    tell(contact(patient_ids[0], "2025-07-06"))
    second = new_reader()
    assert second.has(moved=1)
    assert second.counts == {"moved": 1, "unknown_patient": 0, "unchanged": 0}
    assert days(engine)[0] == "2025-07-06"


def test_what_was_written_but_not_committed_comes_again_and_changes_nothing(
    engine, patient_ids, tell, new_reader, brokers
):
    tell(contact(patient_ids[0], "2025-07-05"))
    # OffsetCommit is refused for a member that is not known any more.
    brokers.fail("offset_commit", [25])
    first = new_reader()
    assert first.has(moved=1)
    first.stop()
    brokers.clear_failures("offset_commit")
    second = new_reader()
    assert second.has(unchanged=1)
    assert (days(engine)[0], told(engine)) == ("2025-07-05", 1)


def in_all_partitions(tell, patient_id, day):
    for partition in range(3):
        tell(contact(patient_id, day), partition=partition)


def read_by(reader):
    return sum(reader.counts.get(name, 0) for name in ("moved", "unchanged"))


def test_members_that_come_and_go_share_the_messages_and_lose_none(engine, patient_ids, tell, new_reader):
    # Two read at a time where the platform's own service, of the same group, has not been stopped.
    one, two = patient_ids
    first = new_reader("contacts")
    in_all_partitions(tell, one, "2025-07-03")
    assert first.has(moved=1, unchanged=2)
    second = new_reader("contacts-of-another")

    def is_shared():
        in_all_partitions(tell, one, "2025-07-02")
        return first.alive() and second.counts.get("unchanged", 0) > 0

    assert wait_until(is_shared, 60)
    in_all_partitions(tell, two, "2025-07-05")
    assert wait_until(lambda: days(engine) == ["2025-07-03", "2025-07-05"], 60)
    first.stop()
    before = read_by(second)
    in_all_partitions(tell, two, "2025-07-06")
    assert wait_until(lambda: read_by(second) >= before + 3, 60)
    assert days(engine) == ["2025-07-03", "2025-07-06"]
    assert told(engine) == 3
    assert second.alive()


def test_an_outage_of_the_brokers_is_waited_for(engine, patient_ids, tell, new_reader, brokers):
    reader = new_reader()
    tell(contact(patient_ids[0], "2025-07-05"))
    assert reader.has(moved=1)
    brokers.down(1)
    settings = KafkaSettings(bootstrap_servers=brokers.bootstrap_servers, communication_topic=TOPIC)
    away = contacts_dependency(settings)
    assert ask(away).code == "broker_unavailable"
    assert reader.alive()
    brokers.up(1)
    tell(contact(patient_ids[0], "2025-07-06"))
    assert reader.has(moved=2)
    assert wait_until(lambda: ask(away).ok, 30)
    assert (days(engine)[0], told(engine)) == ("2025-07-06", 2)


@pytest.fixture
def client(brokers, database_url, tmp_path):
    """The patient service with a topic that nobody has made."""
    app = create_app(
        {
            "DATABASE_URL": database_url,
            "API_TOKENS": "olga:operate:o-token-of-24-characters",
            "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9",
            "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
            "KAFKA_BOOTSTRAP_SERVERS": brokers.bootstrap_servers,
            "COMMUNICATION_EVENTS_TOPIC": "nobody-made-this",
        },
        start_workers=False,
    )
    with app.test_client() as client:
        yield client
    app.extensions["curavani"].close()


def test_a_missing_topic_is_shown_by_health_metrics_and_doctor(client, brokers, curavani):
    missing = "communication_topic_unavailable"
    health = client.get("/health/import")
    assert (health.status_code, health.json["details"]["communication_events"]["code"]) == (503, missing)
    line = 'curavani_dependency_up{dependency="communication_events",service="patient-service"} 0.0'
    assert line in client.get("/metrics").text
    environment = {"KAFKA_BOOTSTRAP_SERVERS": brokers.bootstrap_servers}
    told = json.loads(curavani("doctor", "--json", COMMUNICATION_EVENTS_TOPIC="nobody-made-this", **environment).stdout)
    found = {entry["part"]: entry for entry in told}["communication events"]
    assert (found["state"], "COMMUNICATION_EVENTS_TOPIC" in found["advice"]) == ("failing", True)
    there = json.loads(curavani("doctor", "--json", COMMUNICATION_EVENTS_TOPIC=TOPIC, **environment).stdout)
    assert {entry["part"]: entry["state"] for entry in there}["communication events"] == "ok"
