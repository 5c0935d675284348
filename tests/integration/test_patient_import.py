"""Registrations from the bucket: imported once, kept, and deleted in the cloud only after the commit."""

import threading
import unicodedata
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from patient_service.app import create_app
from patient_service.models import kernel
from shared.core.errors import StorageUnavailable
from shared.database.engine import transaction
from shared.imports import mend
from shared.imports.engine import Importer
from shared.imports.monitor import ImportMonitor


def test_a_registration_becomes_a_patient_with_consent_event_and_copy(patients, make_registration):
    data = make_registration(hat_ptv11=True)
    patients.upload(data)
    report = patients.run()
    (patient,) = patients.patients()
    assert (patient["vorname"], patient["nachname"], patient["status"]) == ("Max", "Mustermann", "offen")
    assert patient["psychotherapeutische_sprechstunde"] is True
    (consent,) = patients.rows("SELECT * FROM patient_service.patient_consents")
    assert consent["document"]["ip_address"] == "192.0.2.7"
    assert consent["registration_token"] == "0b1ab67b"
    (file,) = patients.files()
    assert (file["status"], file["attempts"], file["new_count"], file["patient_count"]) == ("success", 1, 1, 1)
    assert file["source_deleted_at"] is not None
    copy = patients.copies / file["local_path"]
    assert copy.read_bytes() == data
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert patients.in_bucket() == []
    assert patients.events() == ["patient.created"]
    assert not report.has_trouble


def test_a_second_pass_changes_nothing(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    before = patients.patients(), patients.files(), patients.events()
    patients.run()
    assert (patients.patients(), patients.files(), patients.events()) == before


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"{", "invalid_json"),
        (b'{"a": 1, "a": 2}', "invalid_json"),
        (b"[]", "invalid_json"),
        (b'{"patient_data": {}}', "missing_section"),
        (b'{"patient_data": [], "consent_metadata": {}}', "missing_section"),
    ],
)
def test_a_rejected_registration_stays_in_the_cloud_and_is_reported_once(patients, data, code):
    patients.upload(data)
    report = patients.run()
    (file,) = patients.files()
    assert (file["status"], file["error_code"], file["source_deleted_at"]) == ("failed", code, None)
    assert len(patients.in_bucket()) == 1
    assert report.has_trouble
    assert not patients.run().has_trouble
    (alert,) = patients.rows("SELECT * FROM patient_service.alert_outbox")
    assert (alert["kind"], alert["code"], alert["import_id"]) == ("problem", code, file["id"])


def test_findings_name_the_place_of_each_fault(patients, make_registration):
    patients.upload(make_registration(anrede="Dr.", geburtsdatum="1.1.2000"))
    patients.run()
    found = patients.rows("SELECT pointer, code FROM patient_service.import_findings ORDER BY pointer")
    assert found == [
        {"pointer": "/patient_data/anrede", "code": "invalid_value"},
        {"pointer": "/patient_data/geburtsdatum", "code": "invalid_date"},
    ]


def test_a_token_that_contradicts_the_name_is_a_mix_up(patients, make_registration):
    patients.upload(make_registration(token="ffffffff"))
    patients.run()
    assert patients.files()[0]["error_code"] == "token_mismatch"
    assert patients.patients() == []


def test_a_file_above_the_limit_is_not_downloaded(new_patients, make_registration):
    patients = new_patients(PATIENT_IMPORT_MAX_FILE_BYTES="100")
    patients.upload(make_registration())
    patients.run()
    (file,) = patients.files()
    assert (file["error_code"], file["local_path"]) == ("file_too_large", None)


def test_placeholders_and_other_endings_are_ignored_and_counted(patients, make_registration):
    patients.upload(b"", "folder/")
    patients.upload(b"x", "notes.txt")
    patients.upload(make_registration(), "in/a/folder/Mustermann_Max_20250705_0b1ab67b.JSON")
    report = patients.run()
    assert dict(report.ignored) == {"folder_placeholder": 1, "other_ending": 1}
    assert len(patients.patients()) == 1


def test_the_same_person_again_updates_what_the_form_fills(patients, make_registration):
    patients.upload(make_registration(symptome="alt", telefon="0171 3920042"))
    patients.run()
    patients.upload(
        make_registration(token="22222222", nachname="MUSTERMANN", telefon="0171 3920043", symptome=""),
        "Mustermann_Max_20250801_22222222.json",
    )
    patients.run()
    (patient,) = patients.patients()
    assert (patient["nachname"], patient["telefon"], patient["symptome"]) == ("Mustermann", "0171 3920043", "alt")
    assert len(patients.rows("SELECT id FROM patient_service.patient_consents")) == 2
    changes = patients.rows("SELECT field, old_value, new_value, changed_by FROM patient_service.field_changes")
    assert changes == [
        {"field": "telefon", "old_value": "0171 3920042", "new_value": "0171 3920043", "changed_by": "import:2"}
    ]
    assert patients.events() == ["patient.created", "patient.updated"]


def test_the_policy_skip_leaves_the_patient_alone_and_keeps_the_consent(new_patients, make_registration):
    patients = new_patients(PATIENT_DUPLICATE_POLICY="skip")
    patients.upload(make_registration())
    patients.run()
    patients.upload(make_registration(token="22222222", telefon="1"), "Mustermann_Max_20250801_22222222.json")
    patients.run()
    assert patients.files()[1]["status"] == "skipped"
    assert patients.files()[1]["error_code"] == "duplicate_patient"
    assert patients.patients()[0]["telefon"] == "0171 3920042"
    assert len(patients.rows("SELECT id FROM patient_service.patient_consents")) == 2
    assert patients.in_bucket() == []


@pytest.mark.parametrize(
    "answers",
    [{"vorname": "Erika"}, {"email": "other@example.com"}, {"email": ""}],
    ids=["same e-mail, other name", "same name and birth date, other e-mail", "no e-mail"],
)
def test_a_partial_match_is_a_new_patient_and_a_question(patients, make_registration, answers):
    patients.upload(make_registration())
    patients.upload(make_registration(token="22222222", **answers), "Mustermann_Max_20250801_22222222.json")
    patients.run()
    assert len(patients.patients()) == 2
    (review,) = patients.rows("SELECT * FROM patient_service.reviews")
    assert (review["kind"], review["state"], review["entity_id"], review["other_id"]) == (
        "possible_duplicate",
        "open",
        2,
        1,
    )


def test_the_same_bytes_under_another_name_do_nothing_twice(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    patients.upload(make_registration(), "copy_of_it_20250705_0b1ab67b.json")
    patients.run()
    assert len(patients.patients()) == 1
    assert patients.files()[1]["error_code"] == "duplicate_content"
    assert patients.events() == ["patient.created"]
    assert patients.in_bucket() == []


def test_a_new_generation_under_the_name_of_a_failed_file_is_a_new_candidate(patients, make_registration):
    patients.upload(b"{")
    patients.run()
    patients.upload(make_registration())
    patients.run()
    assert [file["status"] for file in patients.files()] == ["failed", "success"]
    assert patients.in_bucket() == []


def test_a_listing_that_fails_is_an_error_and_costs_nobody_an_attempt(patients, make_registration):
    patients.upload(make_registration())
    patients.storage.faults.add("any", 403, times=None)
    with pytest.raises(StorageUnavailable):
        patients.run()
    assert patients.files() == []
    patients.storage.faults.clear()
    patients.run()
    assert patients.files()[0]["attempts"] == 1
    passes = patients.rows("SELECT error_code FROM patient_service.import_passes ORDER BY id")
    assert [row["error_code"] for row in passes] == ["storage_unavailable", None]


def test_an_object_that_cannot_be_read_is_retried_and_given_up_after_its_attempts(new_patients, make_registration):
    patients = new_patients(PATIENT_IMPORT_MAX_ATTEMPTS="2")
    patients.upload(make_registration())
    patients.storage.faults.add("download", 403, times=None)
    patients.run()
    assert (patients.files()[0]["status"], patients.files()[0]["attempts"]) == ("retrying", 1)
    patients.run()
    assert (patients.files()[0]["status"], patients.files()[0]["error_code"]) == ("failed", "storage_unavailable")
    assert len(patients.in_bucket()) == 1


def test_a_delete_that_fails_is_pending_and_tried_again(patients, make_registration):
    patients.upload(make_registration())
    patients.storage.faults.add("delete", 403, times=None)
    assert patients.run().has_trouble
    assert patients.files()[0]["status"] == "success"
    assert patients.files()[0]["source_deleted_at"] is None
    patients.storage.faults.clear()
    patients.run()
    assert patients.in_bucket() == []
    assert patients.files()[0]["source_deleted_at"] is not None
    assert patients.events() == ["patient.created"]


def test_a_newer_upload_while_a_delete_is_pending_is_imported(patients, make_registration):
    patients.upload(make_registration())
    patients.storage.faults.add("delete", 403, times=None)
    patients.run()
    patients.storage.faults.clear()
    patients.upload(make_registration(telefon="0171 3920099"))
    patients.run()
    assert patients.patients()[0]["telefon"] == "0171 3920099"
    assert [file["status"] for file in patients.files()] == ["success", "success"]


def test_an_upload_that_comes_just_before_the_delete_is_not_deleted_with_the_one_that_was_read(
    patients, make_registration
):
    @contextmanager
    def uploads_before_the_delete(step):
        if step == "delete" and len(patients.files()) == 1:
            patients.upload(make_registration(telefon="0171 3920099"))
        yield

    patients.upload(make_registration())
    source = replace(patients.parts.importer.source, stage=uploads_before_the_delete)
    ImportMonitor(patients.engine, kernel, Importer(source), 3600).run_once("test")
    assert patients.patients()[0]["telefon"] == "0171 3920042"
    assert len(patients.in_bucket()) == 1
    patients.run()
    assert (patients.patients()[0]["telefon"], patients.in_bucket()) == ("0171 3920099", [])


def test_a_folder_that_takes_no_copy_stops_the_pass_and_loses_nothing(new_patients, make_registration, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    patients = new_patients(PATIENT_IMPORT_LOCAL_PATH=str(blocked / "copies"))
    patients.upload(make_registration())
    with pytest.raises(Exception, match="disk_unavailable"):
        patients.run()
    assert patients.patients() == []
    assert len(patients.in_bucket()) == 1


def test_two_racing_importers_of_one_person_make_one_patient(new_patients, make_registration):
    one, other = new_patients(), new_patients()
    one.upload(make_registration())
    errors = []

    def run(importer):
        try:
            importer.run()
        except Exception as error:  # noqa: BLE001 - looked at below
            errors.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(importer,)) for importer in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(one.patients()) == 1
    assert set(errors) <= {"LockHeld"}


def test_the_api_shows_the_evidence_of_consent_to_those_who_may_see_personal_data(
    patients, make_registration, database_url
):
    patients.upload(make_registration())
    patients.run()
    app = create_app(
        {
            "DATABASE_URL": database_url,
            "GCS_IMPORT_BUCKET": patients.bucket,
            "PATIENT_IMPORT_LOCAL_PATH": str(patients.copies),
            "API_TOKENS": "eva:look:l-token-of-24-characters,otto:read:r-token-of-24-characters",
        },
        start_workers=False,
    )
    client = app.test_client()

    def ask(token, patient_id=1):
        return client.get(f"/api/patients/{patient_id}/consents", headers={"Authorization": f"Bearer {token}"})

    (consent,) = ask("r-token-of-24-characters").json["data"]
    assert consent["document"]["user_agent"] == "Test"
    assert consent["given_at"] == "2025-07-05T14:33:55.000000+00:00"
    assert (ask("l-token-of-24-characters").status_code, ask("r-token-of-24-characters", 2).status_code) == (403, 404)
    described = client.get("/openapi.json").json["paths"]["/api/patients/{patient_id}/consents"]
    assert "ConsentList" in str(described)
    app.extensions["curavani"].close()


def test_evidence_of_consent_can_neither_be_changed_nor_removed(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    for statement in (
        "UPDATE patient_service.patient_consents SET document = '{}'",
        "DELETE FROM patient_service.patient_consents",
    ):
        with pytest.raises(IntegrityError, match="append-only"), patients.engine.begin() as connection:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "answers",
    [
        {"vorname": "MAX", "nachname": " mustermann "},
        {"nachname": unicodedata.normalize("NFD", "Müller"), "email": "Max.Mustermann@Example.com"},
        {"nachname": "Mueller"},
    ],
)
def test_spelling_makes_nobody_another_person_and_changes_nothing(patients, make_registration, answers):
    known = {"nachname": "Mustermann"} if "mustermann" in answers["nachname"] else {"nachname": "Müller"}
    patients.upload(make_registration(**known))
    patients.run()
    before = patients.patients()
    patients.upload(make_registration(token="22222222", **answers), "M_M_20250801_22222222.json")
    patients.run()
    assert patients.patients() == before
    assert patients.events() == ["patient.created"]
    assert len(patients.rows("SELECT id FROM patient_service.patient_consents")) == 2


def test_one_token_of_two_people_is_asked_about_under_its_own_reason(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    stranger = {"vorname": "Erika", "nachname": "Muster", "email": "erika@example.com", "geburtsdatum": "1950-01-01"}
    patients.upload(make_registration(**stranger), "Muster_Erika_20250801_0b1ab67b.json")
    patients.run()
    (review,) = patients.rows("SELECT entity_id, detail FROM patient_service.reviews")
    assert review == {"entity_id": 2, "detail": {"rule": "same_token", "candidates": [1]}}


def test_the_same_token_with_other_content_is_an_update_also_under_another_name(patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    patients.upload(make_registration(nachname="Neumann", email="max.mustermann@example.com"))
    patients.run()
    assert [patient["nachname"] for patient in patients.patients()] == ["Neumann"]
    outcomes = patients.rows("SELECT outcome, rule FROM patient_service.import_outcomes ORDER BY id")
    assert outcomes[-1] == {"outcome": "updated", "rule": "token"}


def test_a_discarded_file_ends_its_alert_keeps_its_copy_and_says_who_did_it(patients):
    patients.upload(b"{", "broken.json")
    patients.run()
    with transaction(patients.engine) as connection:
        mend.discard(connection, kernel, 1, "api:maria", "test file", delete_source=True)
    patients.run()
    (file,) = patients.files()
    assert (file["status"], file["error_code"]) == ("discarded", "invalid_json")
    assert file["source_deleted_at"] is not None
    assert (patients.copies / file["local_path"]).read_bytes() == b"{"
    assert patients.in_bucket() == []
    assert patients.rows("SELECT 1 FROM patient_service.alert_outbox WHERE resolved_at IS NULL") == []
    (action,) = patients.rows("SELECT action, actor, reason FROM patient_service.operator_actions")
    assert action == {"action": "discard", "actor": "api:maria", "reason": "test file"}


@pytest.mark.parametrize("table", ["patienten", "patient_consents", "event_outbox", "import_outcomes"])
def test_a_row_that_the_database_refuses_is_its_own_files_fault_and_leaves_nothing(patients, make_registration, table):
    with patients.engine.begin() as connection:
        connection.exec_driver_sql(f"""
            CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
              BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '54000'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON patient_service.{table}
              FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION public.refuse()
        """)
    patients.upload(make_registration())
    patients.upload(make_registration("11111111", vorname="Erika", email="e@example.com"), "M_Erika_1_11111111.json")
    patients.run()
    assert [file["status"] for file in patients.files()] == ["failed", "success"]
    assert [patient["vorname"] for patient in patients.patients()] == ["Erika"]
    assert patients.events() == ["patient.created"]
