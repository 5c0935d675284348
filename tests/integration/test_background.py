"""Services as real processes: several on one database, killed, stopped, and taken over from."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import psycopg
import pytest

from curavani.demo.local import free_port, wait_until

pytestmark = pytest.mark.slow

TAKEOVER_SECONDS = 15.0
GUNICORN = ("gunicorn", "patient_service.app:create_app()", "--worker-class", "gthread", "--log-level", "warning")


@pytest.fixture
def serve(database_url, bucket, storage_server, tmp_path):
    """Starts a patient service as a process of its own."""
    processes = []
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "API_TOKENS": "t:operate:token",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS": "1",
    }

    def start(*options):
        command = [sys.executable, "-m", *GUNICORN, "--bind", f"127.0.0.1:{free_port()}", *options]
        process = subprocess.Popen(command, env=environment, start_new_session=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def ask(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda statement: connection.execute(statement).fetchall()


def leaders(ask):
    return ask(
        "SELECT process FROM patient_service.worker_heartbeats WHERE worker = 'import' AND state = 'leading'"
        " AND beat_at > now() - interval '12 seconds'"
    )


def imported(ask):
    return ask("SELECT count(*) FROM patient_service.patienten")[0][0]


def test_a_standby_takes_over_when_the_leader_is_killed(serve, ask, storage_server, bucket, make_registration):
    first = serve()
    assert wait_until(lambda: bool(leaders(ask)), 30)
    serve()
    standby = "SELECT 1 FROM patient_service.worker_heartbeats WHERE worker = 'import' AND state = 'standby'"
    assert wait_until(lambda: bool(ask(standby)), 30)
    os.killpg(first.pid, signal.SIGKILL)
    storage_server.put(bucket, "Mustermann_Max_20250705_0b1ab67b.json", make_registration())
    assert wait_until(lambda: imported(ask) == 1, TAKEOVER_SECONDS)
    assert wait_until(lambda: storage_server.names(bucket) == [], 10)


def test_with_preload_only_the_workers_import(serve, ask, storage_server, bucket, make_registration):
    serve("--preload", "--workers", "2")
    storage_server.put(bucket, "Mustermann_Max_20250705_0b1ab67b.json", make_registration())
    assert wait_until(lambda: imported(ask) == 1, 30)
    two = "SELECT count(*) FROM patient_service.worker_heartbeats WHERE worker = 'import'"
    assert wait_until(lambda: ask(two)[0][0] == 2, 30)


def test_sigterm_ends_in_good_order(serve, ask):
    process = serve()
    assert wait_until(lambda: bool(leaders(ask)), 30)
    process.terminate()
    assert process.wait(30) == 0
    states = ask("SELECT DISTINCT state FROM patient_service.worker_heartbeats")
    assert states == [("stopped",)]


def test_a_service_killed_at_random_moments_loses_and_doubles_nothing(
    serve, ask, storage_server, bucket, make_registration
):
    names = [f"Person{number}" for number in range(30)]
    for number, name in enumerate(names):
        token = f"{number:08x}"
        data = make_registration(token=token, nachname=name, email=f"{name}@example.com", geburtsdatum="")
        storage_server.put(bucket, f"{name}_Max_20250705_{token}.json", data)
    for target in (3, 11, 19):
        process = serve()
        assert wait_until(lambda target=target: imported(ask) >= target, 60)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    serve()
    assert wait_until(lambda: storage_server.names(bucket) == [], 60)
    assert wait_until(lambda: imported(ask) == len(names), 60)
    found = ask("SELECT nachname FROM patient_service.patienten ORDER BY id")
    assert sorted(row[0] for row in found) == sorted(names)
    events = ask("SELECT count(*), count(DISTINCT key) FROM patient_service.event_outbox")
    assert events == [(30, 30)]
    consents = ask("SELECT count(*) FROM patient_service.patient_consents")
    assert consents == [(30,)]
