"""Every fault that storage, database, disk and mail server can have during an import: nothing lost, nothing twice.

`docs/faults.md` lists the outcomes and names these tests.
"""

import shutil
import threading
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest

from curavani import schema
from patient_service.imports.bucket import Patience
from patient_service.models import kernel
from shared.core.clock import now
from shared.core.errors import DatabaseUnavailable, DiskUnavailable, LockLost, StorageUnavailable
from shared.core.settings import MailSettings
from shared.database.engine import create_engine
from shared.database.locks import LockName, hold
from shared.mail.mailer import Mailer
from standins.local import wait_until
from standins.mail_sink import MailSink
from standins.postgres import EmbeddedPostgres

NAME = "Mustermann_Max_20250705_0b1ab67b.json"
HASTY = Patience(answer=2.0, retry=0.5)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("dropped_connections"),
]


@pytest.fixture
def run_with_fault(new_patients, patients, kind):
    """Runs a pass while storage answers every request of an operation with the fault of this `kind`."""

    def run(operation):
        patients.storage.faults.add(operation, kind, times=None)
        try:
            (new_patients(patience=HASTY) if kind == "stall" else patients).run()
        finally:
            patients.storage.faults.clear()

    return run


def assert_imported_once(patients, data):
    """The registration is there once, in every respect, and gone from the bucket."""
    (file,) = patients.files()
    assert (file["status"], file["error_code"], file["new_count"]) == ("success", None, 1)
    assert file["source_deleted_at"] is not None
    assert (patients.copies / file["local_path"]).read_bytes() == data
    assert len(patients.patients()) == 1
    assert len(patients.rows("SELECT id FROM patient_service.patient_consents")) == 1
    assert patients.events() == ["patient.created"]
    assert patients.in_bucket() == []


def open_alerts(patients):
    found = patients.rows("SELECT code FROM patient_service.alert_outbox WHERE kind='problem' AND resolved_at IS NULL")
    return [row["code"] for row in found]


@pytest.mark.parametrize("kind", [401, 403, 404, 429, 500, 503, "reset", "stall", "truncate"])
def test_a_fault_of_the_listing_is_an_error_and_costs_no_attempt(patients, run_with_fault, make_registration):
    data = make_registration()
    patients.upload(data)
    with pytest.raises(StorageUnavailable):
        run_with_fault("list")
    assert patients.files() == []
    assert open_alerts(patients) == ["storage_unavailable"]
    patients.run()
    assert patients.files()[0]["attempts"] == 1
    assert open_alerts(patients) == []
    assert_imported_once(patients, data)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (401, "retrying", "storage_unavailable"),
        (403, "retrying", "storage_unavailable"),
        (429, "retrying", "storage_unavailable"),
        (500, "retrying", "storage_unavailable"),
        (503, "retrying", "storage_unavailable"),
        ("reset", "retrying", "storage_unavailable"),
        ("stall", "retrying", "storage_unavailable"),
        ("truncate", "retrying", "storage_unavailable"),
        ("wrong_bytes", "retrying", "download_corrupt"),
        (404, "skipped", "source_gone"),
        (412, "skipped", "source_gone"),
    ],
)
def test_a_fault_of_the_download_is_tried_again(patients, run_with_fault, make_registration, status, code):
    data = make_registration()
    patients.upload(data)
    run_with_fault("download")
    (file,) = patients.files()
    assert (file["status"], file["error_code"], file["attempts"], file["local_path"]) == (status, code, 1, None)
    assert patients.in_bucket() == [NAME]
    patients.run()
    assert_imported_once(patients, data)


@pytest.mark.parametrize("kind", [401, 403, 412, 429, 500, 503, "reset", "stall", "after", 404])
def test_a_fault_of_the_delete_is_tried_again_and_imports_nothing_twice(patients, run_with_fault, make_registration):
    data = make_registration()
    patients.upload(data)
    run_with_fault("delete")
    assert patients.files()[0]["status"] == "success"
    patients.run()
    patients.run()
    assert_imported_once(patients, data)


def test_an_upload_between_download_and_delete_survives_and_is_imported(patients, make_registration):
    patients.upload(make_registration())
    ended = begin_and_hold(patients, "delete")
    newer = patients.upload(make_registration(telefon="0171 3920099"))
    patients.storage.faults.clear()
    assert ended() is None
    assert patients.in_bucket() == [NAME]
    patients.run()
    assert [file["status"] for file in patients.files()] == ["success", "success"]
    assert patients.files()[1]["file_version"] == str(newer)
    assert patients.patients()[0]["telefon"] == "0171 3920099"
    assert patients.in_bucket() == []


def test_storage_that_ends_in_the_middle_of_a_pass_costs_no_attempt(patients, make_registration):
    data = make_registration()
    patients.upload(data)
    ended = begin_and_hold(patients)
    patients.storage.stop()
    assert ended() == StorageUnavailable
    patients.storage.start()
    patients.storage.faults.clear()
    assert patients.files()[0]["attempts"] == 0
    patients.run()
    assert patients.files()[0]["attempts"] == 1
    assert_imported_once(patients, data)


@pytest.mark.parametrize("table", ["patienten", "event_outbox", "patient_consents", "import_outcomes"])
def test_a_connection_that_is_killed_in_the_transaction_costs_no_attempt(
    patients, make_registration, database_url, table
):
    data = make_registration()
    patients.upload(data)
    with psycopg.connect(database_url) as blocker:
        blocker.execute(f"LOCK TABLE patient_service.{table} IN ACCESS EXCLUSIVE MODE")
        ended = in_background(patients.run)
        with psycopg.connect(database_url, autocommit=True) as killer:
            assert wait_until(lambda: killed_waiting_backend(killer), 30)
        assert ended() in (DatabaseUnavailable, LockLost)
    assert patients.patients() == []
    patients.run()
    assert patients.files()[0]["attempts"] == 1
    assert_imported_once(patients, data)


def test_a_database_that_refuses_connections_touches_nothing(new_patients, make_registration):
    patients = new_patients(DATABASE_URL="postgresql://postgres:x@127.0.0.1:1/curavani")
    patients.upload(make_registration())
    with pytest.raises(DatabaseUnavailable):
        patients.run()
    assert patients.in_bucket() == [NAME]
    assert not patients.copies.exists()


def test_a_database_server_that_is_killed_in_the_transaction_loses_nothing(new_patients, make_registration):
    data = make_registration()
    with EmbeddedPostgres() as server:
        url = server.create_database("curavani")
        engine = create_engine(url, application_name="tests")
        schema.upgrade(engine)
        patients = new_patients(DATABASE_URL=url)
        patients.engine = engine
        patients.upload(data)
        with suppress(psycopg.OperationalError), psycopg.connect(url) as blocker:
            blocker.execute("LOCK TABLE patient_service.event_outbox IN ACCESS EXCLUSIVE MODE")
            ended = in_background(patients.run)
            with psycopg.connect(url, autocommit=True) as watcher:
                assert wait_until(lambda: bool(watcher.execute(WAITING).fetchall()), 30)
            server.kill()
            assert ended() in (DatabaseUnavailable, LockLost)
            server.start()
        engine.dispose()
        patients.run()
        assert patients.files()[0]["attempts"] == 1
        assert_imported_once(patients, data)
        engine.dispose()


def test_a_full_disk_is_told_at_once_and_the_file_waits(patients, make_registration, curavani):
    data = make_registration()
    patients.upload(data)
    # The system refuses to write more than nothing, as a full disk does; only in that process.
    ran = curavani("imports", "run", "patient", before="ulimit -f 0")
    assert ran.returncode == 1, ran.stderr
    (file,) = patients.files()
    assert (file["status"], file["error_code"]) == ("retrying", "disk_unavailable")
    assert list(patients.copies.rglob("*.*")) == []
    # Of a copy that is not there yet, an erasure has to know already.
    assert file["local_path"] is not None
    assert open_alerts(patients) == ["disk_unavailable"]
    assert curavani("imports", "retry", "P1").returncode == 0
    patients.run()
    assert open_alerts(patients) == []
    assert_imported_once(patients, data)


def test_a_folder_that_may_not_be_written_is_told_at_once_and_the_file_waits(new_patients, make_registration):
    # Nobody may write there, not even the superuser that tests may run as.
    patients = new_patients(PATIENT_IMPORT_LOCAL_PATH="/proc")
    patients.upload(make_registration())
    patients.run()
    (file,) = patients.files()
    assert (file["status"], file["error_code"], file["attempts"]) == ("retrying", "disk_unavailable", 1)
    assert open_alerts(patients) == ["disk_unavailable"]
    assert patients.patients() == []
    mended = new_patients()
    mended.run()
    assert open_alerts(mended) == []
    assert len(mended.patients()) == 1


def test_a_folder_that_vanished_stops_the_pass_before_anything_is_read(patients, make_registration):
    data = make_registration()
    patients.upload(make_registration(token="11111111", vorname="Erika"), "M_Erika_20250704_11111111.json")
    patients.run()
    shutil.move(patients.copies, patients.copies.with_name("unmounted"))
    patients.upload(data)
    with pytest.raises(DiskUnavailable):
        patients.run()
    assert open_alerts(patients) == ["disk_unavailable"]
    assert len(patients.files()) == 1
    shutil.move(patients.copies.with_name("unmounted"), patients.copies)
    patients.run()
    assert patients.files()[1]["status"] == "success"
    assert open_alerts(patients) == []


def test_a_folder_that_vanishes_during_a_pass_lets_nothing_be_imported_without_a_copy(patients, make_registration):
    data = make_registration()
    patients.upload(data)
    ended = begin_and_hold(patients)
    shutil.rmtree(patients.copies)
    patients.storage.faults.clear()
    assert ended() is None
    assert (patients.files()[0]["status"], patients.files()[0]["error_code"]) == ("retrying", "disk_unavailable")
    assert patients.patients() == []
    patients.copies.mkdir()
    patients.run()
    assert_imported_once(patients, data)


def test_a_copy_that_was_damaged_is_neither_used_nor_overwritten(patients, make_registration, database_url):
    data = make_registration()
    patients.upload(data)
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE patient_service.patient_consents IN ACCESS EXCLUSIVE MODE")
        ended = in_background(patients.run)
        with psycopg.connect(database_url, autocommit=True) as killer:
            assert wait_until(lambda: killed_waiting_backend(killer), 30)
        ended()
    (copy,) = patients.copies.rglob("*.json")
    copy.write_bytes(data[:-5])
    patients.run()
    assert_imported_once(patients, data)
    assert copy.read_bytes() == data[:-5]


@pytest.mark.parametrize("refusal", [451, 550, 535, "down"])
def test_a_mail_server_that_fails_fails_no_import_and_loses_no_alert(
    patients, make_registration, engine, monkeypatch, refusal
):
    with MailSink("localhost", tls=True, login=("user", "word")) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", str(sink.certificate))
        ahead = timedelta()
        settings = MailSettings(host="localhost", port=sink.port, username="user", password="word")
        mailer = Mailer(kernel, settings, clock=lambda: now() + ahead)
        patients.upload(b"{", "broken.json")
        patients.upload(make_registration())
        patients.run()
        assert len(patients.patients()) == 1
        if refusal == "down":
            sink.stop()
        else:
            sink.refuse(refusal)
        with hold(engine, LockName(kernel.schema, "mailer")) as locked:
            assert not mailer.run_once(locked)
            sink.start()
            ahead = timedelta(hours=1)
            assert mailer.run_once(locked)
            assert mailer.run_once(locked)
        assert len(sink.messages) == 1
        assert "invalid_json" in sink.messages[0].get_content()


def test_two_files_of_one_person_in_two_processes_make_one_patient(patients, make_registration, curavani):
    for number in range(6):
        token = f"{number:08x}"
        data = make_registration(token=token, telefon=f"0171 392004{number}")
        patients.upload(data, f"Mustermann_Max_20250705_{token}.json")
    runs = [in_background(lambda: curavani("imports", "run", "patient", "--wait")) for _ in range(2)]
    assert [ended() for ended in runs] == [None, None]
    assert len(patients.patients()) == 1
    assert len(patients.rows("SELECT id FROM patient_service.patient_consents")) == 6
    assert patients.events() == ["patient.created"] + ["patient.updated"] * 5
    assert patients.in_bucket() == []


def test_a_file_that_kills_its_process_every_time_runs_out_of_attempts(new_patients, make_registration):
    patients = new_patients(PATIENT_IMPORT_MAX_ATTEMPTS="2")
    patients.upload(make_registration())
    patients.storage.faults.add("download", 503, times=None)
    patients.run()
    # As the third kill in a row leaves them, of a second attempt.
    left = "attempts = 2, round_attempts = 2, interruptions = 2, next_attempt_at = NULL"
    patients.rows(f"UPDATE patient_service.import_tracking SET {left} RETURNING id")
    patients.rows("INSERT INTO patient_service.import_attempts (import_id, number) VALUES (1, 2) RETURNING number")
    patients.storage.faults.clear()
    patients.run()
    assert (patients.files()[0]["status"], patients.files()[0]["error_code"]) == ("failed", "interrupted")
    assert open_alerts(patients) == ["interrupted"]


@pytest.mark.parametrize(("number", "attempts"), [(1, 1), (2, 0)])
def test_a_file_that_is_discarded_while_the_pass_runs_is_not_imported(
    patients, make_registration, curavani, number, attempts
):
    """File 1 is being read at that moment, file 2 waits its turn."""
    patients.upload(make_registration(token="11111111", vorname="Erika"), "A_Erika_20250704_11111111.json")
    patients.upload(make_registration())
    ended = begin_and_hold(patients)
    assert curavani("imports", "discard", f"P{number}", "--reason", "test").returncode == 0
    patients.storage.faults.clear()
    assert ended() is None
    discarded, imported = patients.files() if number == 1 else reversed(patients.files())
    assert (discarded["status"], discarded["attempts"]) == ("discarded", attempts)
    assert imported["status"] == "success"
    assert len(patients.patients()) == 1
    assert patients.in_bucket() == [discarded["file_name"]]


def begin_and_hold(patients, operation="download"):
    """Begins a pass, and returns once storage holds a request back; clearing the faults lets it be done."""
    before = patients.storage.faults.taken
    patients.storage.faults.add(operation, "hold")
    ended = in_background(patients.run)
    assert wait_until(lambda: patients.storage.faults.taken > before, 30)
    return ended


WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND state = 'active' AND pid <> pg_backend_pid()"
)


def killed_waiting_backend(connection):
    """Ends the session that waits for the table; whether there was one."""
    return bool(connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) waiting").fetchall())


def in_background(work):
    """Begins the work; the function returned waits for it and returns the class of its exception, or None."""
    raised = []

    def run():
        try:
            work()
        except Exception as error:  # noqa: BLE001 - looked at by the caller
            raised.append(type(error))

    thread = threading.Thread(target=run)
    thread.start()

    def ended():
        thread.join(120)
        assert not thread.is_alive()
        return raised[0] if raised else None

    return ended
