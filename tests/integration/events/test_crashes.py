"""Services as real processes, killed or stopped at a step of the relay that the test holds open."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
import requests

from shared.words.statuses import ServiceName
from standins.local import free_port, wait_until
from tests import processes

pytestmark = pytest.mark.slow

PERSON = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"}
TOKEN = {"Authorization": "Bearer a-token-of-24-characters"}


class Service:
    """A patient or therapist service with its relay, as a process of its own."""

    def __init__(self, service_name: ServiceName, environment: dict[str, str], *wishes: str) -> None:
        self._url = f"http://127.0.0.1:{free_port()}"
        self._path = f"/api/{service_name}s"
        self.schema = f"{service_name}_service"
        command = ["gunicorn", f"{service_name}_service.app:create_app()", "--worker-class", "gthread"]
        options = ["--log-level", "warning", "--bind", self._url.removeprefix("http://")]
        self._process = processes.Popen(
            [sys.executable, "-m", *command, *options, *wishes], env=environment, start_new_session=True
        )
        assert wait_until(self._answers, 60)

    def create(self) -> int:
        answer = requests.post(self._url + self._path, json=PERSON, headers=TOKEN, timeout=30)
        assert answer.status_code == 201
        return int(answer.json()["id"])

    def rename(self, number: int, name: str) -> None:
        path = f"{self._url}{self._path}/{number}"
        assert requests.put(path, json={"ort": name}, headers=TOKEN, timeout=30).ok

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        self._process.terminate()

    def ended(self) -> int:
        """The exit code, once it has ended."""
        return self._process.wait(60)

    def _answers(self) -> bool:
        with suppress(requests.ConnectionError):
            return requests.get(f"{self._url}/livez", timeout=30).ok
        return False


@pytest.fixture
def serve(database_url, broker, bucket, storage_server, tmp_path):
    """Starts a service with its import turned off: only the API and the relay."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "API_TOKENS": "t:operate:a-token-of-24-characters",
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_ENABLED": "false",
        "THERAPIST_IMPORT_ENABLED": "false",
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path),
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
    }
    started = []

    def start(service_name, *wishes):
        started.append(Service(service_name, environment, *wishes))
        return started[-1]

    yield start
    for service in started:
        service.kill()


class Database:
    """The services' database, as an operator looks at it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def unsent(self, schema: str) -> int:
        return int(self._ask(f"SELECT count(*) FROM {schema}.event_outbox WHERE sent_at IS NULL"))

    @contextmanager
    def held_marks(self, schema: str) -> Iterator[Callable[[], bool]]:
        """While the block lasts, no event of now can be marked; tells whether the relay waits to do so."""
        waits = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            f" AND query LIKE 'UPDATE {schema}.event_outbox%'"
        )
        with psycopg.connect(self._url) as connection:
            connection.execute(f"SELECT id FROM {schema}.event_outbox WHERE sent_at IS NULL FOR UPDATE")
            yield lambda: self._ask(waits) > 0

    def _ask(self, statement: str) -> Any:
        with psycopg.connect(self._url) as connection:
            return connection.execute(statement).fetchone()[0]


@pytest.fixture
def database(database_url):
    return Database(database_url)


@pytest.mark.parametrize("service_name", ["patient", "therapist"])
def test_killed_between_commit_and_send(service_name, serve, broker, new_topic, database):
    service = serve(service_name)
    broker.down(1)
    number = service.create()
    for name in ("Aachen", "Bonn", "Celle"):
        service.rename(number, name)
    service.kill()
    assert database.unsent(service.schema) == 4
    broker.up(1)
    serve(service_name)
    topic = new_topic(f"{service_name}-events")
    assert wait_until(lambda: database.unsent(service.schema) == 0, 60)
    assert topic.has(4)
    kinds = [event["eventType"].split(".")[1] for event in topic.events()]
    assert kinds == ["created", "updated", "updated", "updated"]
    assert cities(service_name, topic) == [None, "Aachen", "Bonn", "Celle"]
    assert len(topic.messages) == 4


@pytest.mark.parametrize("service_name", ["patient", "therapist"])
def test_killed_between_send_and_mark(service_name, serve, broker, new_topic, database):
    topic = new_topic(f"{service_name}-events")
    service = serve(service_name)
    broker.down(1)
    number = service.create()
    for name in ("Aachen", "Bonn"):
        service.rename(number, name)
    with database.held_marks(service.schema) as relay_waits:
        broker.up(1)
        assert wait_until(relay_waits, 60)
        service.kill()
    assert database.unsent(service.schema) == 3
    again = serve(service_name)
    again.rename(number, "Celle")
    assert wait_until(lambda: database.unsent(service.schema) == 0, 60)
    # What had been sent was sent again, under its old id: who remembers ids sees each change once.
    assert topic.until(lambda: len(topic.events()) == 4)
    assert len(topic.messages) > 4
    assert cities(service_name, topic) == [None, "Aachen", "Bonn", "Celle"]


def test_sigterm_finishes_the_batch_in_hand(serve, broker, topic, database):
    service = serve("patient")
    broker.down(1)
    for _ in range(3):
        service.create()
    with database.held_marks(service.schema) as relay_waits:
        broker.up(1)
        assert wait_until(relay_waits, 60)
        # The relay has sent, and cannot note it down before the block ends.
        service.terminate()
        assert topic.has(1)
    assert service.ended() == 0
    sent = 3 - database.unsent(service.schema)
    assert sent > 0
    assert topic.has(sent)
    assert len(topic.messages) == sent
    again = serve("patient")
    assert wait_until(lambda: database.unsent(again.schema) == 0, 60)
    assert topic.has(3)
    assert len(topic.messages) == 3


def test_with_preload_the_worker_that_was_forked_sends(serve, topic, database):
    service = serve("patient", "--preload", "--workers", "2")
    service.create()
    assert wait_until(lambda: database.unsent(service.schema) == 0, 60)
    assert topic.has(1)


def cities(service_name, topic):
    """`ort` in the order of the changes, repetitions left out."""
    return [event["payload"][f"{service_name}_data"]["ort"] for event in topic.events()]
