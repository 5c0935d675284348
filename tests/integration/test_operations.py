"""Services run by `curavani serve`, as real processes: what health and metrics say, and how they start and end."""

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from standins.local import wait_until
from standins.mail_sink import MailSink
from standins.mock_broker import MockBroker
from standins.storage_emulator import StorageEmulator

pytestmark = pytest.mark.slow

PATIENCE = 60.0
"""For what takes seconds, on a machine that does other things, too."""


class Served:
    """A service in its own process, with what one can ask it."""

    def __init__(self, started):
        self.process = started.process
        self.port = started.port
        self.log = started.log

    def get(self, path):
        """Status and body; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()
        except OSError:
            return 0, ""

    def health(self):
        status, body = self.get("/health/import")
        return status, json.loads(body)["details"] if body else {}

    def metrics(self):
        _, body = self.get("/metrics")
        return {
            (sample.name, *sorted(value for name, value in sample.labels.items() if name != "service")): sample.value
            for family in text_string_to_metric_families(body)
            for sample in family.samples
        }

    def lines(self):
        """What is logged so far, without a line that is still being written."""
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def events(self):
        return [line["event"] for line in self.lines()]

    def workers(self):
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]


@pytest.fixture
def serve(run_service):
    """Starts a service and returns it once it answers."""

    def start(service, *options, **changes):
        served = Served(run_service(service, *options, **changes))
        assert wait_until(lambda: served.get("/livez")[0] == 200, PATIENCE), served.log.read_text()
        return served

    return start


@pytest.fixture
def storage():
    server = StorageEmulator()
    server.start()
    server.create_bucket("registrations")
    yield server
    server.stop()


@contextmanager
def database_away(database_url):
    """Nobody gets into the database, and whoever is in is thrown out."""
    server, _, name = database_url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


@contextmanager
def stopped(server):
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def broker_down(broker):
    broker.down(1)
    try:
        yield
    finally:
        broker.up(1)


@contextmanager
def renamed(folder):
    away = folder.rename(folder.with_name("away"))
    try:
        yield
    finally:
        away.rename(folder)


def is_healthy(served):
    status, details = served.health()
    return status == 200 and all(check["ok"] for check in details.values())


def tells(served, part):
    """Whether health and metrics say of this part that it is away, and readiness only what concerns it."""
    status, details = served.health()
    if status != 503 or details.get(part, {}).get("ok") is not False:
        return False
    metrics = served.metrics()
    if part == "database":
        return metrics.get(("curavani_database_up",)) == 0 and served.get("/readyz")[0] == 503
    return metrics.get(("curavani_dependency_up", part)) == 0 and served.get("/readyz")[0] == 200


def test_health_and_metrics_follow_each_dependency_of_the_patient_service(serve, storage, database_url):
    with MailSink() as mail, MockBroker() as broker:
        served = serve(
            "patient",
            GCS_IMPORT_BUCKET="registrations",
            STORAGE_EMULATOR_HOST=storage.host,
            KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap_servers,
            SMTP_HOST=mail.host,
            SMTP_PORT=str(mail.port),
            SMTP_USE_TLS="false",
        )
        assert wait_until(lambda: is_healthy(served), PATIENCE), served.health()
        outages = {
            "database": lambda: database_away(database_url),
            "storage": lambda: stopped(storage),
            "broker": lambda: broker_down(broker),
            "mail": lambda: stopped(mail),
        }
        for part, outage in outages.items():
            with outage():
                assert wait_until(lambda part=part: tells(served, part), PATIENCE), (part, served.health())
            assert wait_until(lambda: is_healthy(served), PATIENCE), (part, served.health())


def test_health_follows_the_folder_of_the_therapist_service(serve, tmp_path):
    served = serve("therapist")
    assert wait_until(lambda: is_healthy(served), PATIENCE), served.health()
    details = served.health()[1]
    assert details["broker"] == details["mail"] == {"ok": True, "code": "not_configured"}
    with renamed(tmp_path / "scrapes"):
        assert wait_until(lambda: tells(served, "folder"), PATIENCE), served.health()
    assert wait_until(lambda: is_healthy(served), PATIENCE), served.health()


def test_two_workers_give_one_answer_and_leave_nothing_behind(serve, tmp_path):
    (tmp_path / "temporary").mkdir()
    served = serve("patient", "--workers", "2", TMPDIR=str(tmp_path / "temporary"))
    standby = ("curavani_worker_processes", "import", "standby")
    assert wait_until(lambda: served.metrics().get(standby) == 1, PATIENCE)
    for _ in range(20):
        served.get("/livez")
    counted = ("curavani_http_requests_total", "/livez", "200", "GET")
    assert len({served.metrics()[counted] for _ in range(6)}) == 1
    served.process.terminate()
    assert served.process.wait(PATIENCE) == 0
    assert not [path.name for path in (tmp_path / "temporary").iterdir() if "metrics" in path.name]


def test_every_line_of_a_service_is_json_of_ours(serve):
    served = serve("patient", "--workers", "2")
    # It answers as soon as one of them is up.
    assert wait_until(lambda: served.events().count("worker_process_started") == 2, PATIENCE)
    os.kill(served.workers()[0], signal.SIGKILL)
    assert wait_until(lambda: "worker_process_killed" in served.events(), PATIENCE)
    assert wait_until(lambda: served.events().count("worker_process_started") == 3, PATIENCE)
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(b"GET /\x00Mustermann\r\nevil HTTP/9\r\n\r\n")
        connection.recv(1000)
    served.process.terminate()
    assert served.process.wait(PATIENCE) == 0
    assert {"server_starting", "server_listens", "signal_received", "server_stopped"} <= set(served.events())
    assert {line["service"] for line in served.lines()} == {"patient-service"}
    assert "Mustermann" not in served.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_ends_in_good_order(serve, database_url, number):
    served = serve("therapist")
    assert wait_until(lambda: is_healthy(served), PATIENCE)
    os.killpg(served.process.pid, number)  # Ctrl-C reaches the workers as well
    assert served.process.wait(PATIENCE) == 0
    with psycopg.connect(database_url) as connection:
        states = connection.execute("SELECT DISTINCT state FROM therapist_service.worker_heartbeats").fetchall()
    assert states == [("stopped",)]


def test_a_port_in_use_is_said_at_once(curavani):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = curavani("serve", "therapist", "--port", port)
    assert ended.returncode == 2
    assert f"port {port}: Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr
