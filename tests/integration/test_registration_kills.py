"""SIGKILL of a real process at each step of an import: whoever comes next finishes it, once.

The process is held at the step from outside: by storage, which does not answer, or by a lock on a table.
"""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import psycopg
import pytest

from shared.core.errors import LockHeld
from standins.local import wait_until
from tests import processes

pytestmark = pytest.mark.slow

WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND state = 'active' AND pid <> pg_backend_pid()"
)


@contextmanager
def storage_holds(patients, database_url, operation):
    before = patients.storage.faults.taken
    patients.storage.faults.add(operation, "stall", times=None)
    yield lambda: patients.storage.faults.taken > before
    patients.storage.faults.clear()


@contextmanager
def table_holds(patients, database_url, table):
    with psycopg.connect(database_url) as blocker, psycopg.connect(database_url, autocommit=True) as watcher:
        blocker.execute(f"LOCK TABLE patient_service.{table} IN ACCESS EXCLUSIVE MODE")
        yield lambda: bool(watcher.execute(WAITING).fetchall())


@contextmanager
def ledger_holds_after_the_delete(patients, database_url, _):
    """Storage has deleted the object, and the ledger does not know yet."""
    before = patients.storage.faults.taken
    patients.storage.faults.add("delete", "hold")
    with psycopg.connect(database_url) as blocker, psycopg.connect(database_url, autocommit=True) as watcher:

        def block():
            assert wait_until(lambda: patients.storage.faults.taken > before, 60)
            blocker.execute("LOCK TABLE patient_service.import_tracking IN ACCESS EXCLUSIVE MODE")
            patients.storage.faults.clear()

        thread = threading.Thread(target=block)
        thread.start()
        yield lambda: patients.in_bucket() == [] and bool(watcher.execute(WAITING).fetchall())
        thread.join()


STEPS = {
    "while the bucket is listed": (storage_holds, "list"),
    "in the middle of the download": (storage_holds, "download"),
    "after the copy, before the transaction": (table_holds, "patient_consents"),
    "in the transaction, before the patient": (table_holds, "patienten"),
    "in the transaction, after the patient": (table_holds, "event_outbox"),
    "in the transaction, after the consent": (table_holds, "import_outcomes"),
    "after the commit, before the delete": (storage_holds, "delete"),
    "after the delete, before the ledger knows": (ledger_holds_after_the_delete, None),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_at_any_step_loses_and_doubles_nothing(patients, make_registration, database_url, step):
    hold, what = STEPS[step]
    data = make_registration()
    patients.upload(data)
    with hold(patients, database_url, what) as at_the_step:
        process = start_import(patients, database_url)
        assert wait_until(at_the_step, 60)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert wait_until(lambda: passes(patients), 60)
    (file,) = patients.files()
    assert file["status"] == "success"
    assert file["source_deleted_at"] is not None
    assert (patients.copies / file["local_path"]).read_bytes() == data
    assert [p["nachname"] for p in patients.patients()] == ["Mustermann"]
    assert len(patients.rows("SELECT id FROM patient_service.patient_consents")) == 1
    assert patients.events() == ["patient.created"]
    assert patients.in_bucket() == []
    assert [path.suffix for path in patients.copies.rglob("*_*")] == [".json"]


def passes(patients):
    """Whether a pass got the lock, which the server keeps until it notices that the killed process is gone."""
    with suppress(LockHeld):
        patients.run()
        return True
    return False


def start_import(patients, database_url):
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "GCS_IMPORT_BUCKET": patients.bucket,
        "STORAGE_EMULATOR_HOST": patients.storage.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(patients.copies),
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "curavani", "imports", "run", "patient"]
    return processes.Popen(command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
