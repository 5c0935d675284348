"""Several service processes on one database: the holder of the import is killed, frozen or stopped in mid-file."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import psycopg
import pytest

from curavani.demo.local import free_port, wait_until

pytestmark = pytest.mark.slow

TAKEOVER_SECONDS = 15.0
PATIENCE = 60.0
NAME = "Mustermann_Max_20250705_0b1ab67b.json"
LEADER = (
    "SELECT process FROM {}.worker_heartbeats WHERE worker = 'import' AND state = 'leading'"
    " AND beat_at > now() - interval '12 seconds'"
)


@pytest.fixture
def environment(database_url, bucket, storage_server, tmp_path):
    (tmp_path / "scrapes").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "API_TOKENS": "t:operate:token",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS": "1",
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path / "scrapes"),
        "THERAPIST_IMPORT_CHECK_INTERVAL_SECONDS": "1",
        "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
    }


@pytest.fixture
def serve(environment):
    """Starts a service as a group of processes of its own."""
    processes = []

    def start(service, *options, **changes):
        command = [sys.executable, "-m", "curavani", "serve", service, *options]
        command += [] if "--port" in options else ["--port", str(free_port())]
        processes.append(subprocess.Popen(command, env={**environment, **changes}, start_new_session=True))
        return processes[-1]

    yield start
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def ask(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield lambda statement: connection.execute(statement).fetchall()


def group_of(leader):
    """The group of the process that a heartbeat names, as `host:pid`."""
    return os.getpgid(int(leader.rpartition(":")[2]))


def await_leader(ask, schema):
    assert wait_until(lambda: bool(ask(LEADER.format(schema))), PATIENCE)
    return ask(LEADER.format(schema))[0][0]


def await_everybody(ask, schema, number):
    beats = f"SELECT count(*) FROM {schema}.worker_heartbeats WHERE worker = 'import' AND state <> 'stopped'"
    assert wait_until(lambda: ask(beats)[0][0] == number, PATIENCE), ask(beats)


@pytest.fixture
def holder_in_mid_file(serve, ask, storage_server, bucket, make_registration):
    """Three services, one of them with two preloaded workers, one of the four in the middle of a download."""
    serve("patient")
    serve("patient")
    serve("patient", "--workers", "2", GUNICORN_CMD_ARGS="--preload")
    await_everybody(ask, "patient_service", 4)
    leader = await_leader(ask, "patient_service")
    storage_server.faults.add("download", "stall")
    met = storage_server.faults.taken
    storage_server.put(bucket, NAME, make_registration())
    assert wait_until(lambda: storage_server.faults.taken > met, PATIENCE)
    return leader


def assert_imported_once(ask, storage_server, bucket):
    assert wait_until(lambda: storage_server.names(bucket) == [], PATIENCE)
    for table in ("patienten", "patient_consents", "event_outbox", "import_tracking"):
        assert ask(f"SELECT count(*) FROM patient_service.{table}") == [(1,)], table
    assert ask("SELECT status, new_count FROM patient_service.import_tracking") == [("success", 1)]


def imported(ask):
    return ask("SELECT count(*) FROM patient_service.patienten") == [(1,)]


def test_another_process_takes_over_a_killed_holders_file_and_nothing_is_done_twice(
    holder_in_mid_file, ask, storage_server, bucket
):
    os.killpg(group_of(holder_in_mid_file), signal.SIGKILL)
    assert wait_until(lambda: imported(ask), TAKEOVER_SECONDS)
    assert_imported_once(ask, storage_server, bucket)
    assert wait_until(
        lambda: any(holder_in_mid_file not in row for row in ask(LEADER.format("patient_service"))), PATIENCE
    )


def test_a_frozen_holder_whose_connection_is_gone_is_replaced_and_does_no_harm_when_it_wakes(
    holder_in_mid_file, ask, storage_server, bucket
):
    group = group_of(holder_in_mid_file)
    os.killpg(group, signal.SIGSTOP)
    ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%{holder_in_mid_file}'")
    assert wait_until(lambda: imported(ask), TAKEOVER_SECONDS)
    assert_imported_once(ask, storage_server, bucket)
    os.killpg(group, signal.SIGCONT)
    storage_server.faults.clear()  # the download that it waited for breaks off
    beats = "SELECT state FROM patient_service.worker_heartbeats WHERE worker = 'import' AND process = '{}'"
    assert wait_until(lambda: ask(beats.format(holder_in_mid_file)) == [("standby",)], PATIENCE)
    assert_imported_once(ask, storage_server, bucket)


def test_sigterm_finishes_the_file_in_hand_and_begins_no_other(serve, ask, database_url, tmp_path, make_therapist):
    for zip_code in ("52066", "52070"):
        document = {"metadata": {}, "therapists": [make_therapist(number) for number in range(50)]}
        (tmp_path / "scrapes" / f"{zip_code}.json").write_text(json.dumps(document))
    port = free_port()
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE therapist_service.therapeuten IN SHARE MODE")  # nobody can write into it meanwhile
        process = serve("therapist", "--port", str(port))
        begun = "SELECT count(*) FROM therapist_service.import_tracking WHERE attempts = 1"
        assert wait_until(lambda: ask(begun) == [(1,)], PATIENCE)
        process.terminate()
        assert wait_until(lambda: not listens(port), PATIENCE)
        other.rollback()
        assert process.wait(PATIENCE) == 0
    counts = "SELECT status, attempts, therapist_count FROM therapist_service.import_tracking ORDER BY attempts DESC"
    assert ask(counts) == [("success", 1, 50), ("pending", 0, 0)]
    assert ask("SELECT count(*) FROM therapist_service.therapeuten") == [(50,)]
    assert ask("SELECT DISTINCT state FROM therapist_service.worker_heartbeats") == [("stopped",)]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_pass_by_hand_says_who_holds_the_lock(serve, ask, environment):
    serve("therapist")
    leader = await_leader(ask, "therapist_service")
    command = [sys.executable, "-m", "curavani", "imports", "run", "therapist"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 3
    assert leader in ran.stderr
