"""An older registration never overwrites a newer one, whichever comes first, and whatever delayed it."""

import json

import pytest
import sqlalchemy as sa

from patient_service.models import kernel
from patient_service.reviews import resolve_review
from patient_service.use_cases import update_patients
from shared.database.engine import transaction
from shared.imports import mend
from shared.reviews.values import Resolution
from shared.words.statuses import ReviewChoice

pytestmark = pytest.mark.slow

JANUARY, JULY = "2025-01-05 10:00:00", "2025-07-05 10:00:00"


@pytest.fixture
def send(patients, make_registration):
    """Uploads a registration made at `moment`; without one it says nothing of when it was made."""

    def upload(moment, token, *, consent=None, name=None, **answers):
        document = json.loads(make_registration(token, **answers))
        document["consent_metadata"]["timestamp_utc"] = consent or (moment or JULY).replace(" ", "T") + "Z"
        document["registration_timestamp"] = moment
        patients.upload(json.dumps(document).encode(), name or f"Mustermann_Max_20250705_{token}.json")

    return upload


def the_patient(patients):
    (patient,) = patients.patients()
    return patient


def findings(patients):
    return [row["code"] for row in patients.rows("SELECT code FROM patient_service.import_findings ORDER BY id")]


def count(patients, table):
    return patients.rows(f"SELECT count(*) AS number FROM patient_service.{table}")[0]["number"]


def test_a_delayed_older_registration_fills_only_what_is_empty(patients, send):
    send(JULY, "bbbbbbbb", telefon="0171 7")
    patients.run()
    send(JANUARY, "aaaaaaaa", telefon="0171 1", strasse="Alte Gasse 1")
    patients.run()
    patient = the_patient(patients)
    assert (patient["telefon"], patient["strasse"]) == ("0171 7", "Alte Gasse 1")
    assert findings(patients) == ["older_registration"]
    assert count(patients, "patient_consents") == 2
    assert patients.in_bucket() == []


def test_a_newer_registration_overwrites(patients, send):
    send(JANUARY, "aaaaaaaa", telefon="0171 1")
    patients.run()
    send(JULY, "bbbbbbbb", telefon="0171 7")
    patients.run()
    assert the_patient(patients)["telefon"] == "0171 7"
    assert findings(patients) == []


def test_a_failed_registration_that_is_retried_after_its_successor_overwrites_nothing(patients, send):
    name = "Mustermann_Max_20250705_aaaaaaaa.json"
    patients.storage.faults.add("download", 403, times=None, name=name)
    send(JANUARY, "aaaaaaaa", telefon="0171 1")
    send(JULY, "bbbbbbbb", telefon="0171 7")
    patients.run()
    patients.storage.faults.clear()
    with transaction(patients.engine) as connection:
        waiting = [row["id"] for row in patients.files() if row["status"] == "retrying"]
        mend.retry(connection, kernel, waiting, "api:test")
    patients.run()
    assert the_patient(patients)["telefon"] == "0171 7"
    assert {row["status"] for row in patients.files()} == {"success"}


def test_the_same_token_again_is_newer_by_its_upload_where_both_were_made_at_the_same_time(patients, send):
    patients.storage.faults.add("download", 403, times=None, name="first.json")
    send(JULY, "0b1ab67b", telefon="0171 1", name="first.json")
    send(JULY, "0b1ab67b", telefon="0171 2", name="second.json")
    patients.run()
    patients.storage.faults.clear()
    patients.run()
    assert the_patient(patients)["telefon"] == "0171 2"
    assert findings(patients) == ["unparsable_name", "unparsable_name", "older_registration"]


def test_of_several_made_at_the_same_time_the_one_that_was_uploaded_last_stands(patients, send):
    patients.storage.faults.add("download", 403, times=None, name="second.json")
    for number, name in enumerate(("first.json", "second.json", "third.json"), start=1):
        send(JULY, "0b1ab67b", telefon=f"0171 {number}", name=name)
    patients.run()
    patients.storage.faults.clear()
    patients.run()
    assert the_patient(patients)["telefon"] == "0171 3"


@pytest.mark.parametrize("bad", ["soon", "2099-01-01 00:00:00", "1999-12-31 23:59:59", None])
def test_without_a_time_that_can_be_true_the_consents_decides(patients, send, bad):
    send(JULY, "bbbbbbbb", telefon="0171 7")
    patients.run()
    send(bad, "aaaaaaaa", telefon="0171 1", consent="2025-01-05T10:00:00Z")
    patients.run()
    assert the_patient(patients)["telefon"] == "0171 7"


def test_without_any_time_that_can_be_true_the_upload_decides(patients, send):
    send("2099-01-01 00:00:00", "aaaaaaaa", telefon="0171 1", consent="2099-01-01T00:00:00Z")
    patients.run()
    send("2099-01-01 00:00:00", "bbbbbbbb", telefon="0171 2", consent="2099-01-01T00:00:00Z")
    patients.run()
    assert the_patient(patients)["telefon"] == "0171 2"


def test_objects_are_taken_in_the_order_of_their_upload_whatever_was_done_to_them_since(patients, send):
    send(None, "aaaaaaaa", telefon="0171 1", name="a.json")
    send(None, "bbbbbbbb", telefon="0171 2", name="b.json")
    touch(patients, "a.json")
    patients.run()
    assert the_patient(patients)["telefon"] == "0171 2"
    assert [row["file_name"] for row in patients.files()] == ["a.json", "b.json"]


def touch(patients, name):
    client = patients.parts.bucket._bucket()
    blob = client.get_blob(name)
    blob.metadata = {"seen": "yes"}
    blob.patch()


def test_what_staff_emptied_stays_empty(patients, send):
    send(JULY, "bbbbbbbb", telefon="0171 7", strasse="Gasse 7")
    patients.run()
    number = the_patient(patients)["id"]
    with transaction(patients.engine) as connection:
        update_patients(connection, {number: {"strasse": None}}, "api:eva")
    send(JANUARY, "aaaaaaaa", strasse="Alte Gasse 1", ort="Aachen")
    patients.run()
    patient = the_patient(patients)
    assert (patient["strasse"], patient["ort"]) == (None, "Aachen")


@pytest.mark.parametrize(("first", "second", "expected"), [(JULY, JANUARY, "0171 1"), (JANUARY, JULY, "0171 2")])
def test_a_merge_lets_the_newer_registration_stand(patients, send, first, second, expected):
    send(first, "aaaaaaaa", telefon="0171 1")
    send(second, "bbbbbbbb", telefon="0171 2", nachname="Musterfrau", ort="Aachen")
    patients.run()
    with transaction(patients.engine) as connection:
        (review,) = connection.execute(sa.select(kernel.reviews.c.id)).scalars()
        resolve_review(connection, review, Resolution(ReviewChoice.MERGE, "api:eva"))
    patient = the_patient(patients)
    assert (patient["telefon"], patient["ort"]) == (expected, "Aachen")


def test_after_a_merge_the_newest_of_both_counts(patients, send):
    send(JANUARY, "aaaaaaaa", telefon="0171 1")
    send(JULY, "bbbbbbbb", telefon="0171 7", nachname="Musterfrau")
    patients.run()
    with transaction(patients.engine) as connection:
        (review,) = connection.execute(sa.select(kernel.reviews.c.id)).scalars()
        resolve_review(connection, review, Resolution(ReviewChoice.MERGE, "api:eva"))
    send("2025-03-05 10:00:00", "cccccccc", telefon="0171 3", nachname="Musterfrau")
    patients.run()
    assert the_patient(patients)["telefon"] == "0171 7"
