"""A patient whose processing is restricted, or who withdrew consent: kept, and nothing else."""

from datetime import date

import pytest

from patient_service.app import create_app
from patient_service.use_cases import note_contacts

pytestmark = pytest.mark.slow

TOKENS = "wilma:write:w-token-of-24-characters,rita:read:r-token-of-24-characters,olga:operate:o-token-of-24-characters"
READ, WRITE, OPERATE = ({"Authorization": f"Bearer {letter}-token-of-24-characters"} for letter in "rwo")
WHY = {"kind": "restricted", "reason": "Streit über die Adresse"}


@pytest.fixture
def client(process_environment, patients, make_registration):
    """The service with one patient."""
    patients.upload(make_registration())
    patients.run()
    app = create_app({**process_environment, "API_TOKENS": TOKENS, "LOG_LEVEL": "ERROR"}, start_workers=False)
    with app.test_client() as client:
        yield client
    app.extensions["curavani"].close()


def restrict(client, **changes):
    return client.post("/api/patients/1/restrictions", json={**WHY, **changes}, headers=WRITE)


def lift(client, **changes):
    return client.post("/api/patients/1/restrictions/lift", json={**WHY, **changes}, headers=WRITE)


@pytest.mark.parametrize("kind", ["restricted", "withdrawn"])
def test_nobody_changes_the_person_and_lists_leave_them_out(client, patients, kind):
    assert restrict(client, kind=kind).status_code == 201
    before, events = patients.patients(), patients.events()
    refused = client.put("/api/patients/1", json={"ort": "Köln"}, headers=WRITE)
    assert refused.status_code == 409
    assert client.patch("/api/patients/1/last-contact", headers=WRITE).status_code == 409
    with patients.engine.begin() as connection:
        assert note_contacts(connection, {1: date(2026, 1, 1)}, "test") == ({1}, set())
    assert client.get("/api/patients", headers=READ).json["total"] == 0
    assert client.get("/api/patients?search=Mustermann", headers=READ).json["data"] == []
    assert client.get("/api/patients/1", headers=READ).status_code == 200
    assert (patients.patients(), patients.events()) == (before, events)
    assert lift(client, kind=kind).status_code == 200
    assert client.put("/api/patients/1", json={"ort": "Köln"}, headers=WRITE).status_code == 200
    assert client.get("/api/patients", headers=READ).json["total"] == 1


def test_a_registration_of_theirs_waits_for_a_person_and_loses_nothing(client, patients, make_registration):
    restrict(client)
    later = make_registration("bbbbbbbb", ort="Köln").replace(b"2025-07-05 14:33", b"2025-07-06 14:33")
    patients.upload(later, "Mustermann_Max_20250706_bbbbbbbb.json")
    patients.run()
    (_, file) = patients.files()
    assert (file["status"], file["error_code"]) == ("failed", "patient_restricted")
    assert patients.patients()[0]["ort"] is None
    assert patients.in_bucket() == ["Mustermann_Max_20250706_bbbbbbbb.json"]
    lift(client)
    client.post("/api/imports/2/retry", headers=OPERATE)
    patients.run()
    assert patients.patients()[0]["ort"] == "Köln"


def test_nobody_is_merged_with_the_person(client, patients, make_registration):
    patients.upload(make_registration("cccccccc", vorname="Erika"), "Mustermann_Erika_20250706_cccccccc.json")
    patients.run()
    restrict(client)
    answer = client.post("/api/reviews/1/resolve", json={"choose": "merge"}, headers=OPERATE)
    assert answer.status_code == 409
    assert len(patients.patients()) == 2


def test_a_mark_is_set_and_taken_back_with_reasons_that_stay(client):
    restrict(client)
    lift(client, reason="geklärt")
    restrict(client, kind="withdrawn", reason="Brief")
    (first, second) = client.get("/api/patients/1/restrictions", headers=READ).json["data"]
    assert (first["reason"], first["set_by"], first["lifted_reason"], first["lifted_by"]) == (
        *("Streit über die Adresse", "api:wilma"),
        *("geklärt", "api:wilma"),
    )
    assert (second["kind"], second["lifted_at"]) == ("withdrawn", None)


@pytest.mark.parametrize(
    ("body", "status"), [({}, 400), ({"kind": "x", "reason": "y"}, 400), ({"kind": "restricted", "reason": " "}, 400)]
)
def test_a_mark_without_a_reason_is_none(client, body, status):
    assert client.post("/api/patients/1/restrictions", json=body, headers=WRITE).status_code == status
    assert client.get("/api/patients/1/restrictions", headers=READ).json["data"] == []


def test_twice_is_refused(client):
    assert lift(client).status_code == 409
    restrict(client)
    assert restrict(client).status_code == 409
    assert client.post("/api/patients/9/restrictions", json=WHY, headers=WRITE).status_code == 404
    assert client.post("/api/patients/1/restrictions", json=WHY, headers=READ).status_code == 403


def test_an_erasure_takes_the_marks_along(client, patients):
    restrict(client)
    assert client.delete("/api/patients/1", headers=OPERATE).status_code == 200
    assert patients.rows("SELECT 1 FROM patient_service.restrictions") == []


def test_the_command_line_sets_and_takes_back_a_mark(client, curavani):
    assert curavani("patients", "restrict", "1", "--kind", "withdrawn", "--reason", "Brief").returncode == 0
    assert client.put("/api/patients/1", json={"ort": "Köln"}, headers=WRITE).status_code == 409
    assert curavani("patients", "lift", "1", "--kind", "withdrawn", "--reason", "Irrtum").returncode == 0
    assert curavani("patients", "lift", "1", "--kind", "withdrawn", "--reason", "Irrtum").returncode == 2
    assert curavani("patients", "restrict", "1", "--kind", "else", "--reason", "x").returncode == 2
