"""Every rule fires when what it watches is taken away, and resolves; every panel of the dashboard shows something."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
import yaml
from confluent_kafka import KafkaError, Producer

from curavani import schema
from shared.database.engine import create_engine
from standins.local import wait_until
from standins.mail_sink import MailSink
from standins.mock_broker import TOPICS, MockBroker
from standins.postgres import EmbeddedPostgres
from tests.engines.conftest import SECONDS, registration, therapist
from tests.engines.prometheus import DEPLOY, Prometheus

HEADERS = {"Authorization": "Bearer a-token-of-24-characters"}
CONTACTS = "communication-events"
DATABASE_TROUBLE = "curavani_database_trouble"
PATIENT, THERAPIST = "patient-service", "therapist-service"
PERSON = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Eva", "nachname": "Eins"}


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """One of this module's own: it is taken away."""
    with EmbeddedPostgres(durable=False) as started:
        yield started


@pytest.fixture
def database_url(server):
    url = server.create_database("watched")
    engine = create_engine(url, application_name="tests")
    schema.upgrade(engine)
    engine.dispose()
    return url


@pytest.fixture
def broker() -> Iterator[MockBroker]:
    with MockBroker(topics=[*TOPICS, CONTACTS]) as started:
        yield started


class Watched:
    """Both services with Prometheus behind them, and calls coming in all the time."""

    def __init__(self, services, environment, prometheus):
        self.environment = environment
        self.services = services
        self.prometheus = prometheus
        self._ending = threading.Event()
        self._calls = threading.Thread(target=self._call)
        self._calls.start()

    def end_calls(self):
        self._ending.set()
        self._calls.join()

    def call(self, method, service, path, **options):
        address = f"http://127.0.0.1:{self.services[service].port}{path}"
        return requests.request(method, address, headers=HEADERS, timeout=60, **options)

    def fires(self, *expected):
        assert wait_until(lambda: set(expected) <= self.prometheus.firing(), SECONDS), (
            set(expected) - self.prometheus.firing()
        )

    def resolves(self, *expected):
        assert wait_until(lambda: not set(expected) & self.prometheus.firing(), SECONDS), (
            set(expected) & self.prometheus.firing()
        )

    def _call(self):
        paths = {PATIENT: "/api/patients", THERAPIST: "/api/therapists"}
        while not self._ending.wait(0.5):
            for service, path in paths.items():
                try:
                    self.call("GET", service, path)
                    requests.get(f"http://127.0.0.1:{self.services[service].port}{path}", timeout=60)
                except requests.RequestException:
                    """It is away, which is what Prometheus has to notice."""


@pytest.fixture
def mail() -> Iterator[MailSink]:
    with MailSink() as sink:
        yield sink


@pytest.fixture
def watched(server, database_url, broker, mail, storage_server, bucket, run_service, tmp_path):
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "COMMUNICATION_EVENTS_TOPIC": CONTACTS,
        "SMTP_HOST": mail.host,
        "SMTP_PORT": str(mail.port),
        "SMTP_USE_TLS": "false",
        "PATIENT_IMPORT_RETRY_BASE_SECONDS": "2",
        "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS": "3",
        "THERAPIST_IMPORT_CHECK_INTERVAL_SECONDS": "3",
    }
    services = {PATIENT: run_service("patient", **environment), THERAPIST: run_service("therapist", **environment)}
    prometheus = Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{service.port}" for service in services.values()])
    made = Watched(services, environment, prometheus)
    yield made
    made.end_calls()
    prometheus.close()


def scrape(folder: Path, day: str) -> None:
    metadata = {"scrape_date": f"{day}T03:13:24", "postcode_area": "52XXX"}
    records = [therapist(number) for number in range(1, 6)]
    target = folder / "scrapes" / day.replace("-", "") / "52066.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps({"metadata": metadata, "therapists": records}))


@contextmanager
def lock_taken_away(database_url, server, name):
    """The lock of a work, taken from whoever has it by somebody who does nothing with it."""
    with psycopg.connect(database_url, autocommit=True) as taker, psycopg.connect(database_url, autocommit=True) as us:
        thread = threading.Thread(
            target=taker.execute, args=("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        )
        thread.start()
        queued = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND pid = %s"
        assert wait_until(lambda: us.execute(queued, [taker.info.backend_pid]).fetchone()[0] == 1, SECONDS)
        us.execute(
            "SELECT pg_terminate_backend(held.pid) FROM pg_locks held JOIN pg_locks wanted"
            " USING (locktype, database, classid, objid, objsubid)"
            " WHERE held.granted AND NOT wanted.granted AND wanted.pid = %s",
            [taker.info.backend_pid],
        )
        thread.join()
        yield


def test_every_rule_fires_and_resolves_and_every_panel_has_data(
    watched, server, database_url, broker, mail, storage_server, bucket, run_service, curavani, tmp_path
):
    seen: set[str] = set()

    def fires(*expected):
        watched.fires(*expected)
        seen.update(name for name, _ in expected)

    # What goes wrong with single files, events, mails and questions, while everything answers but the mail server.
    assert wait_until(lambda: watched.prometheus.ask("curavani_dependency_up == 1"), SECONDS)
    scrape(tmp_path, "2025-07-02")
    storage_server.put(bucket, "a.json", registration("11111111"))
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    contact = {"eventType": "email.sent", "timestamp": "2025-07-05T12:00:00Z", "payload": {"patient_id": 1}}
    patients = "/api/patients"
    assert wait_until(lambda: watched.call("GET", PATIENT, patients).json()["total"] == 1, SECONDS)
    producer.produce(CONTACTS, value=json.dumps(contact).encode())
    assert producer.flush(60) == 0
    producer.close()
    moved = f"{patients}/1"
    assert wait_until(lambda: watched.call("GET", PATIENT, moved).json()["letzter_kontakt"] == "2025-07-05", SECONDS)
    # The broker refuses the next event, whosever it is: only the patients' are to come.
    assert wait_until(lambda: watched.call("GET", THERAPIST, "/api/therapists").json()["total"], SECONDS)
    assert wait_until(lambda: all_sent(curavani), SECONDS)
    mail.stop()
    broker.fail("produce", [KafkaError.MSG_SIZE_TOO_LARGE])
    storage_server.faults.add("download", 403, times=None, name="waits.json")
    storage_server.faults.add("delete", 403, times=None, name="stays.json")
    storage_server.put(bucket, "stays.json", registration("22222222", vorname="Moritz"))
    storage_server.put(bucket, "waits.json", registration("33333333", vorname="Jonas", email="jonas@example.com"))
    storage_server.put(bucket, "broken.json", b"{")
    trouble = [
        ("CuravaniFilesFailed", PATIENT),
        ("CuravaniFilesWaitLong", PATIENT),
        ("CuravaniDeletesPending", PATIENT),
        ("CuravaniReviewsForgotten", PATIENT),
        ("CuravaniEventsParked", PATIENT),
        ("CuravaniDependencyAway", "mail"),
        ("CuravaniMailsWaiting", PATIENT),
        ("CuravaniNoNewScrape", THERAPIST),
        ("CuravaniRequestsSlow", PATIENT),
    ]
    fires(*trouble)
    every_panel_shows_something(watched.prometheus)
    # Of the panel that names what is wrong with the database, nothing may be seen yet.
    assert watched.prometheus.ask(DATABASE_TROUBLE) == []

    storage_server.faults.clear()
    mail.start()
    (broken,) = watched.call("GET", PATIENT, "/api/imports?status=failed").json()["data"]
    given_up = watched.call("POST", PATIENT, f"/api/imports/{broken['id']}/discard", json={"reason": "test"})
    assert given_up.ok, given_up.text
    for review in watched.call("GET", PATIENT, "/api/reviews?state=open").json()["data"]:
        answer = watched.call("POST", PATIENT, f"/api/reviews/{review['id']}/resolve", json={"choose": "separate"})
        assert answer.ok, answer.text
    (parked,) = json.loads(curavani("events", "status", "--json").stdout)["patient"]["parked"]
    assert curavani("events", "release", parked["id"]).returncode == 0
    watched.resolves(*trouble[:-2])
    scrape(tmp_path, "2025-07-09")
    watched.resolves(("CuravaniNoNewScrape", THERAPIST))

    # Storage and brokers away as a whole.
    storage_server.stop()
    broker.down(1)
    assert watched.call("POST", PATIENT, patients, json=PERSON).status_code == 201
    trouble = [
        ("CuravaniDependencyAway", "storage"),
        ("CuravaniDependencyAway", "broker"),
        ("CuravaniImportFailing", PATIENT),
        ("CuravaniEventsWaiting", PATIENT),
    ]
    fires(*trouble)
    storage_server.start()
    broker.up(1)
    watched.resolves(*trouble)

    # The locks with somebody who neither imports nor sends events.
    trouble = [("CuravaniImportNotLed", PATIENT), ("CuravaniImportSilent", PATIENT), ("CuravaniWorkNotLed", "relay")]
    with (
        lock_taken_away(database_url, server, "curavani:patient_service:import"),
        lock_taken_away(database_url, server, "curavani:patient_service:relay"),
    ):
        fires(*trouble)
    watched.resolves(*trouble)

    # The database away, with which no call can be answered.
    server.stop()
    names = ("CuravaniDatabaseAway", "CuravaniRequestsFail")
    trouble = [(name, service) for service in (PATIENT, THERAPIST) for name in names]
    fires(*trouble)
    assert {series["metric"]["code"] for series in watched.prometheus.ask(DATABASE_TROUBLE)} == {"server_unreachable"}
    server.start()
    watched.resolves(*trouble)

    # A service away.
    gone = watched.services[THERAPIST]
    gone.process.terminate()
    gone.process.wait()
    fires(("CuravaniServiceAway", THERAPIST))
    run_service("therapist", "--port", str(gone.port), **watched.environment)
    watched.resolves(("CuravaniServiceAway", THERAPIST))
    watched.end_calls()
    watched.resolves(("CuravaniRequestsSlow", PATIENT))

    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "curavani.rules.yml").read_text())["groups"]
    assert {rule["alert"] for rule in group["rules"]} == seen


def all_sent(curavani):
    return not any(it["waiting"] for it in json.loads(curavani("events", "status", "--json").stdout).values())


def every_panel_shows_something(prometheus):
    """Asks what every panel asks, as Grafana would, until each has numbers to show while the database answers."""
    panels = json.loads((DEPLOY / "grafana" / "curavani.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    asked = {text: text.replace("$service", ".*").replace("$__rate_interval", "30s") for text in expressions}

    def silent():
        return [
            text
            for text, expression in asked.items()
            if DATABASE_TROUBLE not in expression
            and not any(math.isfinite(float(series["value"][1])) for series in prometheus.ask(expression))
        ]

    assert wait_until(lambda: not silent(), SECONDS), silent()
