"""Erasure (Art. 17 GDPR): what it reaches, what it tries again, and what a restored backup does to it."""

import json
import shutil
import threading

import pytest
import sqlalchemy as sa

from patient_service.reviews import resolve_review
from patient_service.undo import undo_review
from shared.database.engine import create_engine, transaction
from shared.reviews.values import Resolution
from standins.local import wait_until
from tests.integration.conftest import Patients

pytestmark = pytest.mark.slow


def everything(patients):
    """Every value of every table of the service, as one text."""
    tables = patients.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'patient_service'")
    return json.dumps([patients.rows(f"SELECT t::text FROM patient_service.{row['tablename']} t") for row in tables])


def erase(patients, patient_id=1):
    return patients.parts.erasure.erase(patient_id, "api:test")


def certificate(patients):
    return patients.rows("SELECT certificate FROM patient_service.erasures ORDER BY id DESC")[0]["certificate"]


def open_alerts(patients):
    found = patients.rows("SELECT code FROM patient_service.alert_outbox WHERE kind='problem' AND resolved_at IS NULL")
    return [row["code"] for row in found]


def test_an_erasure_leaves_nothing_and_the_same_file_is_recognised(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    erased = erase(patients)
    assert erased["removed"]["consents"] == 1
    assert erased["removed"]["local_copies"] == 1
    assert erased["not_reached"] == []
    assert patients.patients() == []
    assert list(patients.copies.rglob("*.json")) == []
    assert "Mustermann" not in everything(patients)
    assert "max.mustermann" not in everything(patients)
    assert patients.events() == ["patient.deleted"]
    patients.upload(make_registration())
    patients.run()
    assert patients.files()[1]["error_code"] == "erased_registration"
    assert patients.patients() == []


def test_the_copy_of_an_erased_person_who_came_again_is_not_kept(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    erase(patients)
    patients.upload(make_registration())
    patients.run()
    patients.run()
    assert list(patients.copies.rglob("*.json")) == []
    assert patients.files()[1]["local_path"] is None
    assert len(patients.in_bucket()) == 1


def test_a_name_in_the_ledger_goes_with_the_object_that_needed_it(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    erase(patients)
    patients.upload(make_registration())
    patients.run()
    patients.storage.restart()
    for name in patients.in_bucket():
        patients.parts.bucket.delete(name, int(patients.files()[1]["file_version"]))
    patients.run()
    assert "Mustermann" not in everything(patients)


def test_an_erasure_finds_the_same_bytes_under_another_name(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    patients.upload(make_registration(), "Mustermann_Kopie_20250705_0b1ab67b.json")
    patients.run()
    assert erase(patients)["removed"]["local_copies"] == 2
    assert list(patients.copies.rglob("*.json")) == []
    assert "Mustermann" not in everything(patients)


def test_an_erasure_finds_the_broken_file_that_the_person_sent_first(patients, make_registration):
    patients.upload(make_registration(anrede="Dr."))
    patients.run()
    patients.upload(make_registration())
    patients.run()
    assert open_alerts(patients) == ["validation_failed"]
    assert erase(patients)["found"] == {"local_copies": 2, "cloud_objects": 1}
    assert list(patients.copies.rglob("*.json")) == []
    assert "Mustermann" not in everything(patients)
    assert open_alerts(patients) == []


def test_an_erasure_finds_what_is_kept_of_a_record_that_was_merged(patients, make_registration, engine):
    patients.upload(make_registration())
    patients.run()
    patients.upload(make_registration(token="22222222", vorname="Maxi"), "Mustermann_Maxi_20250801_22222222.json")
    patients.run()
    patients.upload(make_registration(token="33333333", vorname="Maxi", ort="Aachen"), "M_M_20250901_33333333.json")
    patients.run()
    with transaction(engine) as connection:
        resolve_review(connection, 1, Resolution("merge", "api:test"))
    assert [patient["id"] for patient in patients.patients()] == [1]
    erase(patients)
    assert "Mustermann" not in everything(patients)
    assert patients.events() == ["patient.deleted", "patient.deleted"]
    assert patients.parts.erasure.returned() == []


def test_an_erasure_leaves_a_mixed_up_file_to_a_person(patients, make_registration):
    patients.upload(make_registration(token="ffffffff", vorname="Erika"), "Mustermann_Max_20250704_0b1ab67b.json")
    patients.upload(make_registration())
    patients.run()
    erase(patients)
    assert patients.in_bucket() == ["Mustermann_Max_20250704_0b1ab67b.json"]


def test_an_erasure_blanks_what_people_wrote_about_the_persons_files(patients, make_registration, engine):
    patients.upload(make_registration(anrede="Dr."))
    patients.run()
    with transaction(engine) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO patient_service.operator_actions (action, import_id, actor, reason)"
                " VALUES ('discard', 1, 'api:test', 'Frau Mustermann rief an')"
            )
        )
    patients.upload(make_registration())
    patients.run()
    erase(patients)
    assert "Mustermann" not in everything(patients)


def test_an_erasure_blanks_why_somebody_undid_a_decision_about_the_person(patients, make_registration, engine):
    patients.upload(make_registration())
    patients.run()
    patients.upload(make_registration("aaaaaaaa", vorname="Erika"), "Mustermann_Erika_20250706_aaaaaaaa.json")
    patients.run()
    with transaction(engine) as connection:
        resolve_review(connection, 1, Resolution("separate", "api:test"))
        undo_review(connection, 1, "api:test", "Herr Mustermann rief an")
    erase(patients, 2)
    assert "rief an" not in everything(patients)


def test_an_erasure_that_cannot_reach_the_bucket_is_completed_by_a_later_pass(patients, make_registration):
    patients.upload(make_registration())
    patients.storage.faults.add("delete", 403, times=None)
    patients.run()
    assert erase(patients)["not_reached"]
    patients.storage.faults.clear()
    patients.run()
    assert patients.in_bucket() == []
    assert "Mustermann" not in everything(patients)
    assert certificate(patients)["not_reached"] == []
    assert certificate(patients)["removed"]["cloud_objects"] == 1
    assert certificate(patients)["completed_at"]


@pytest.mark.parametrize("denied", ["download", "delete"])
def test_an_object_that_storage_denied_and_lists_again_is_deleted_after_all(patients, make_registration, denied):
    name = "Mustermann_Max_20250801_0b1ab67b.json"
    patients.upload(make_registration(), "first.json")
    patients.run()
    patients.upload(make_registration(anrede="Herrn"), name)
    patients.storage.faults.add(denied, 404, name=name)
    patients.run()
    assert erase(patients)["completed_at"]
    assert patients.in_bucket() == [name]
    patients.storage.faults.add("delete", 403, times=None)
    patients.run()
    assert certificate(patients)["completed_at"] is None
    assert "cloud_objects" in certificate(patients)["not_reached"][0]
    patients.storage.faults.clear()
    patients.run()
    assert patients.in_bucket() == []
    assert certificate(patients)["completed_at"]
    assert certificate(patients)["removed"]["cloud_objects"] > 0
    assert "Mustermann" not in everything(patients)


@pytest.mark.parametrize(
    ("work", "operation"),
    [("erase", "delete"), ("follow up", "delete"), ("run", "list"), ("run", "download"), ("run", "delete")],
)
def test_no_transaction_is_open_while_storage_is_waited_for(patients, make_registration, work, operation):
    patients.upload(make_registration())
    if work != "run":
        patients.run()
        patients.upload(make_registration(anrede="Herrn"), "failed.json")
        patients.run()
    if work == "follow up":
        patients.storage.faults.add("delete", 403)
        erase(patients)
    begin = {"erase": erase, "follow up": Patients.run, "run": Patients.run}[work]
    before = patients.storage.faults.taken
    patients.storage.faults.add(operation, "hold")
    working = threading.Thread(target=begin, args=(patients,))
    working.start()
    assert wait_until(lambda: patients.storage.faults.taken > before, 30)
    waiting = "datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    found = patients.rows(f"SELECT query FROM pg_stat_activity WHERE {waiting}")
    patients.storage.faults.clear()
    working.join()
    assert found == []
    assert patients.in_bucket() == []


def test_an_erasure_without_the_copies_volume_is_completed_once_it_is_back(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    away = patients.copies.with_name("away")
    shutil.move(patients.copies, away)
    assert [entry.partition(":")[0] for entry in erase(patients)["not_reached"]] == ["local_copies", "tombstones"]
    shutil.move(away, patients.copies)
    patients.run()
    assert list(patients.copies.rglob("*.json")) == []
    assert certificate(patients)["not_reached"] == []
    assert certificate(patients)["removed"]["local_copies"] == 1


@pytest.fixture
def restored(new_patients, postgres, make_registration):
    """The import on a restored backup: an older state of the database, with a person in it who was erased since."""
    patients = new_patients()
    patients.upload(make_registration())
    patients.run()
    patients.parts.close()
    patients.engine.dispose()
    name = f"{patients.engine.url.database}_restored"
    url = postgres.create_database(name, template=patients.engine.url.database)
    erase(patients)
    after = new_patients(DATABASE_URL=url)
    after.engine = create_engine(url, application_name="tests")
    yield after
    after.engine.dispose()
    after.parts.close()
    postgres.drop_database(name)


def test_a_restored_backup_that_undid_an_erasure_is_noticed_by_the_next_pass(restored):
    assert restored.patients()
    restored.run()
    assert open_alerts(restored) == ["erased_person_restored"]
    assert restored.parts.erasure.returned() == [1]
    erasures = restored.rows("SELECT patient_id, erased_by FROM patient_service.erasures")
    assert erasures == [{"patient_id": 1, "erased_by": "api:test"}]


def test_those_whom_a_restore_brought_back_are_erased_again(restored):
    restored.run()
    (again,) = restored.parts.erasure.erase_again(restored.parts.erasure.returned(), "api:test")
    assert again["removed"]["patient"] == 1
    assert "Mustermann" not in everything(restored)
    assert open_alerts(restored) == []
    assert restored.parts.erasure.returned() == []
    restored.run()
    assert open_alerts(restored) == []


def test_after_a_restore_the_erased_persons_file_is_still_recognised(restored, make_registration):
    restored.upload(make_registration(telefon="0171 3920099"), "again_once_20250705_0b1ab67b.json")
    restored.run()
    assert restored.files()[-1]["error_code"] == "erased_registration"
    assert restored.patients()[0]["telefon"] == "0171 3920042"


def test_a_line_that_a_crash_cut_off_hides_no_other_erasure(patients, make_registration):
    for number in (1, 2):
        token = f"{number:08x}"
        patients.upload(make_registration(token=token, vorname=f"P{number}"), f"M_P{number}_20250705_{token}.json")
    patients.run()
    erase(patients, 1)
    kept = patients.copies / "erasures.jsonl"
    kept.write_bytes(kept.read_bytes()[:-20])
    erase(patients, 2)
    lines = patients.parts.erasure.copies.erasures()
    complete = [line for line in lines if line.endswith("}")]
    assert sorted(json.loads(line)["patient_id"] for line in complete) == [1, 2]
    assert "M_P1" not in kept.read_text()


def test_the_command_line_erases_again(restored, curavani):
    url = restored.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    copies = str(restored.copies)
    ran = curavani("patients", "re-erase", "--yes", DATABASE_URL=url, PATIENT_IMPORT_LOCAL_PATH=copies)
    assert [entry["patient_id"] for entry in json.loads(ran.stdout)] == [1]
    assert curavani("patients", "re-erase", DATABASE_URL=url, PATIENT_IMPORT_LOCAL_PATH=copies).returncode == 0
