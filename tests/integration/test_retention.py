"""How long things are kept: copies and the record of accesses go when their time is over, patients are only named."""

import json

import pytest
import sqlalchemy as sa

from patient_service.bootstrap import due_counter
from shared.core.errors import SettingsError
from shared.core.settings import RetentionSettings, read_settings

pytestmark = pytest.mark.slow

OLD = "now() - interval '40 days'"


@pytest.fixture
def broken(patients, make_registration):
    """A failed file, a discarded one and an imported one, all of long ago."""
    for name in ("failed.json", "discarded.json"):
        patients.upload(b"{", name)
    patients.upload(make_registration())
    patients.run()
    with patients.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE patient_service.import_tracking SET processed_at = {OLD}"))
        connection.execute(
            sa.text(
                "UPDATE patient_service.import_tracking SET status = 'discarded' WHERE file_name = 'discarded.json'"
            )
        )
    return patients


def kept(patients):
    return sorted(path.name for path in patients.copies.rglob("*.json"))


def test_copies_of_failed_and_discarded_files_go_when_their_time_is_over_and_the_row_says_so(broken, new_patients):
    assert len(kept(broken)) == 3
    new_patients(COPY_RETENTION_DAYS="30").run()
    rows = sorted(broken.files(), key=lambda row: row["status"])
    assert [row["status"] for row in rows] == ["discarded", "failed", "success"]
    assert [row["copy_removed_at"] is not None for row in rows] == [True, True, False]
    assert [row["local_path"] is None for row in rows] == [True, True, False]
    assert len(kept(broken)) == 1
    # The object in the bucket stays: nobody has decided about it.
    assert len(broken.in_bucket()) == 2


@pytest.mark.parametrize("setting", [{}, {"COPY_RETENTION_DAYS": "50"}], ids=["unset", "not yet"])
def test_copies_stay_until_then(broken, new_patients, setting):
    new_patients(**setting).run()
    assert len(kept(broken)) == 3


def test_a_retry_makes_a_removed_copy_anew(broken, new_patients):
    importer = new_patients(COPY_RETENTION_DAYS="30")
    importer.run()
    with broken.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE patient_service.import_tracking SET status = 'pending' WHERE file_name = 'failed.json'")
        )
    importer.run()
    (row,) = [row for row in broken.files() if row["file_name"] == "failed.json"]
    assert (row["status"], row["copy_removed_at"]) == ("failed", None)
    assert len(kept(broken)) == 2


def test_patients_are_named_as_due_and_nobody_is_erased(patients, make_registration, curavani):
    patients.upload(make_registration())
    patients.upload(
        make_registration("aaaaaaaa", vorname="Erika", email="erika@example.com"),
        "Mustermann_Erika_20250705_aaaaaaaa.json",
    )
    patients.run()
    with patients.engine.begin() as connection:
        connection.execute(
            sa.text(f"UPDATE patient_service.patienten SET created_at = {OLD}, updated_at = {OLD} WHERE id IN (1, 2)")
        )
        connection.execute(
            sa.text("UPDATE patient_service.patienten SET letzter_kontakt = current_date - 3 WHERE id = 2")
        )
        connection.execute(sa.text("ALTER TABLE patient_service.patient_consents DISABLE TRIGGER ALL"))
        connection.execute(sa.text(f"UPDATE patient_service.patient_consents SET registration_timestamp = {OLD}"))
    answer = curavani("patients", "due", "--json", PATIENT_RETENTION_DAYS="30")
    (due,) = json.loads(answer.stdout)
    assert (due["patient_id"], due["days"], answer.returncode) == (1, 40, 0)
    assert json.loads(curavani("patients", "due", "--json", PATIENT_RETENTION_DAYS="41").stdout) == []
    assert json.loads(curavani("patients", "due", "--json").stdout) == []
    with patients.engine.begin() as connection:
        count = due_counter(read_settings({"PATIENT_RETENTION_DAYS": "30"}, RetentionSettings))
        assert count(connection) == 1
    assert len(patients.patients()) == 2


def log_access(connection, age):
    statement = (
        f"INSERT INTO patient_service.access_log (at, actor, action, route) VALUES ({age}, 'api:x', 'view', '/')"
    )
    connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE patient_service.access_log SET actor = 'api:somebody'",
        "DELETE FROM patient_service.access_log",
        "SET curavani.access_log_days = '-5'; DELETE FROM patient_service.access_log",
        "SET curavani.access_log_days = ''; DELETE FROM patient_service.access_log",
        "SET curavani.access_log_days = '90'; DELETE FROM patient_service.access_log",
        "SET curavani.access_log_days = '30'; UPDATE patient_service.access_log SET actor = 'api:somebody'",
        "TRUNCATE patient_service.access_log",
    ],
)
def test_nobody_changes_who_looked_or_takes_it_away_early(engine, statement):
    with engine.begin() as connection:
        log_access(connection, OLD)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_the_record_of_accesses_loses_what_is_past_its_time_with_a_pass(patients, new_patients):
    with patients.engine.begin() as connection:
        for age in ("now()", OLD, "now() - interval '400 days'"):
            log_access(connection, age)
    patients.run()
    assert len(patients.rows("SELECT 1 FROM patient_service.access_log")) == 2
    new_patients(ACCESS_LOG_RETENTION_DAYS="30").run()
    assert len(patients.rows("SELECT 1 FROM patient_service.access_log")) == 1


def test_a_registration_of_a_time_that_cannot_be_keeps_nobody(patients, make_registration, curavani):
    data = make_registration().replace(b"2025-07-05 14:33:55", b"2099-01-01 00:00:00")
    assert data != make_registration()
    patients.upload(data)
    patients.run()
    with patients.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE patient_service.patienten SET created_at = {OLD}, updated_at = {OLD}"))
    (due,) = json.loads(curavani("patients", "due", "--json", PATIENT_RETENTION_DAYS="30").stdout)
    assert due["patient_id"] == 1


@pytest.mark.parametrize("name", ["PATIENT_RETENTION_DAYS", "COPY_RETENTION_DAYS"])
def test_more_days_than_the_database_can_count_are_named_at_the_start(name):
    with pytest.raises(SettingsError, match=name):
        read_settings({name: "99999999"}, RetentionSettings)
