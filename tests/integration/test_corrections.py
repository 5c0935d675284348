"""Failed registrations put right by a person, over HTTP and on the command line."""

import json

import pytest

from patient_service.app import create_app

pytestmark = pytest.mark.slow

NAME = "Mustermann_Max_20250705_0b1ab67b.json"
TOKENS = ",".join(
    f"{name}:{role}:{role[0]}-token-of-24-characters"
    for name, role in (("eva", "read"), ("otto", "write"), ("olga", "operate"))
)


@pytest.fixture
def api(patients, database_url):
    """The API on the same database, bucket and copies."""
    environment = {
        "DATABASE_URL": database_url,
        "API_TOKENS": TOKENS,
        "GCS_IMPORT_BUCKET": patients.bucket,
        "PATIENT_IMPORT_LOCAL_PATH": str(patients.copies),
        "LOG_LEVEL": "ERROR",
    }
    app = create_app(environment, start_workers=False)

    def call(method, path, body=None, token="w-token"):
        with app.test_client() as client:
            headers = {"Authorization": f"Bearer {token}-of-24-characters"}
            answer = client.open(path, method=method, json=body, headers=headers)
        return answer.status_code, answer.json

    yield call
    app.extensions["curavani"].close()


@pytest.fixture
def failed(patients, make_registration):
    """Imports a registration that fails; the file's number and what it says."""

    def fail(data=None, name=NAME, **answers):
        data = data or make_registration(**answers)
        patients.upload(data, name)
        patients.run()
        file = patients.files()[-1]
        assert file["status"] == "failed"
        return file["id"]

    return fail


def document(make_registration, **answers):
    return json.loads(make_registration(**answers))


def test_a_corrected_registration_is_imported_under_its_number(patients, api, failed, make_registration):
    number = failed(anrede="Herrn", ort="Aachen", geburtsdatum="31.02.1990")
    right = document(make_registration, anrede="Herr", ort="Aachen", geburtsdatum="1990-02-03")
    status, entry = api("POST", f"/api/imports/{number}/correct", {"document": right, "reason": "am Telefon geklärt"})
    assert (status, entry["id"], entry["status"], entry["attempts"], entry["new_count"]) == (
        200,
        number,
        "success",
        2,
        1,
    )
    assert [(outcome["outcome"], outcome["rule"]) for outcome in entry["outcomes"]] == [("new", "corrected")]
    assert [attempt["status"] for attempt in entry["attempts_made"]] == ["failed", "success"]
    (patient,) = patients.patients()
    assert (patient["anrede"], str(patient["geburtsdatum"]), patient["ort"]) == ("Herr", "1990-02-03", "Aachen")
    assert patients.events() == ["patient.created"]
    kept = patients.rows("SELECT * FROM patient_service.import_corrections ORDER BY pointer")
    assert [(row["import_id"], row["pointer"], row["old_value"], row["new_value"]) for row in kept] == [
        (number, "/patient_data/anrede", "Herrn", "Herr"),
        (number, "/patient_data/geburtsdatum", "31.02.1990", "1990-02-03"),
    ]
    assert {(row["reason"], row["corrected_by"]) for row in kept} == {("am Telefon geklärt", "api:otto")}
    actions = patients.rows("SELECT action, actor FROM patient_service.operator_actions")
    assert actions == [{"action": "correct", "actor": "api:otto"}]


def test_evidence_and_copy_stay_as_they_came_and_the_source_goes_with_the_next_pass(
    patients, api, failed, make_registration
):
    data = make_registration(anrede="Herrn")
    number = failed(data)
    right = document(make_registration, anrede="Herr")
    api("POST", f"/api/imports/{number}/correct", {"document": right, "reason": "Tippfehler"})
    (file,) = patients.files()
    assert (patients.copies / file["local_path"]).read_bytes() == data
    (consent,) = patients.rows("SELECT * FROM patient_service.patient_consents")
    assert (consent["document"], consent["file_hash"]) == (right["consent_metadata"], file["file_hash"])
    assert patients.in_bucket() == [NAME]
    patients.run()
    assert patients.in_bucket() == []
    assert patients.rows("SELECT id FROM patient_service.alert_outbox WHERE resolved_at IS NULL") == []


def test_what_is_still_wrong_is_told_as_of_a_file_and_changes_nothing(patients, api, failed, make_registration):
    number = failed(anrede="Herrn", email="keine")
    wrong = document(make_registration, anrede="Herr", email="keine")
    status, answer = api("POST", f"/api/imports/{number}/correct", {"document": wrong, "reason": "x"})
    assert status == 400
    assert answer["errors"] == [{"pointer": "/patient_data/email", "code": "invalid_email"}]
    (file,) = patients.files()
    assert (file["status"], file["attempts"], patients.patients()) == ("failed", 1, [])
    assert patients.rows("SELECT * FROM patient_service.import_corrections") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("consent_metadata", {"timestamp_utc": "2025-07-05T14:33:56Z"}),
        ("consent_metadata", None),
        ("registration_token", "ffffffff"),
        ("registration_timestamp", "2024-01-01 00:00:00"),
    ],
)
def test_the_evidence_cannot_be_corrected(api, failed, make_registration, name, value):
    number = failed(anrede="Herrn")
    touched = document(make_registration, anrede="Herr") | {name: value}
    if value is None:
        del touched[name]
    status, answer = api("POST", f"/api/imports/{number}/correct", {"document": touched, "reason": "x"})
    assert (status, answer["errors"]) == (400, [{"pointer": f"/{name}", "code": "evidence_changed"}])


def test_of_an_unreadable_file_the_whole_document_is_the_correction(patients, api, failed, make_registration):
    number = failed(make_registration()[:-1])
    status, shown = api("GET", f"/api/imports/{number}/document", token="r-token")
    assert (status, shown["error"]["code"], shown["error"]["line"]) == (200, "invalid_json", 1)
    assert shown["text"].startswith("{")
    right = document(make_registration)
    status, _ = api("POST", f"/api/imports/{number}/correct", {"document": right, "reason": "abgeschnitten"})
    assert status == 200
    (kept,) = patients.rows("SELECT pointer, old_value, new_value FROM patient_service.import_corrections")
    assert (kept["pointer"], kept["old_value"], json.loads(kept["new_value"])) == ("", None, right)


def test_the_document_is_answered_as_it_came(patients, api, failed, make_registration):
    number = failed(anrede="Herrn", bemerkung={"a": [1, None]})
    status, shown = api("GET", f"/api/imports/{number}/document", token="r-token")
    assert (status, shown) == (200, document(make_registration, anrede="Herrn", bemerkung={"a": [1, None]}))


def test_half_a_character_is_answered_as_it_came(api, failed, make_registration):
    number = failed(make_registration(ort="@").replace(b'"@"', b'"K\\ud83d"'))
    status, shown = api("GET", f"/api/imports/{number}/document", token="r-token")
    assert (status, shown["patient_data"]["ort"]) == (200, "K\ud83d")


def test_what_is_not_to_be_corrected_is_refused_with_its_code(patients, api, failed, make_registration):
    mixed_up = failed(name="Mustermann_Max_20250705_ffffffff.json")
    right = {"document": document(make_registration), "reason": "x"}
    status, answer = api("POST", f"/api/imports/{mixed_up}/correct", right)
    assert (status, answer["code"]) == (409, "not_correctable")
    assert "token_mismatch" in answer["message"]
    patients.upload(make_registration())
    patients.run()
    imported = patients.files()[-1]["id"]
    assert api("POST", f"/api/imports/{imported}/correct", right)[0] == 409
    assert api("POST", "/api/imports/999/correct", right)[0] == 404
    assert api("POST", f"/api/imports/{mixed_up}/correct", right, token="r-token")[0] == 403


def test_a_file_that_is_being_tried_again_is_not_corrected(patients, api, failed, make_registration):
    number = failed(anrede="Herrn")
    assert api("POST", f"/api/imports/{number}/retry", token="o-token")[0] == 200
    right = {"document": document(make_registration), "reason": "x"}
    assert api("POST", f"/api/imports/{number}/correct", right)[0] == 409
    patients.run()
    assert api("POST", f"/api/imports/{number}/correct", right)[0] == 200
    assert api("POST", f"/api/imports/{number}/correct", right)[0] == 409


def test_without_its_copy_a_file_is_neither_shown_nor_corrected(patients, api, failed, make_registration):
    number = failed(anrede="Herrn")
    (patients.copies / patients.files()[0]["local_path"]).unlink()
    assert api("GET", f"/api/imports/{number}/document")[0] == 410
    right = {"document": document(make_registration), "reason": "x"}
    status, answer = api("POST", f"/api/imports/{number}/correct", right)
    assert (status, answer["code"]) == (410, "copy_gone")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"document": {}}, {"pointer": "/reason", "code": "missing"}),
        ({"document": {}, "reason": " "}, {"pointer": "/reason", "code": "missing"}),
        ({"document": [], "reason": "x"}, {"pointer": "/document", "code": "invalid_type"}),
        ({"reason": "x"}, {"pointer": "/document", "code": "missing"}),
    ],
)
def test_a_correction_needs_document_and_reason(api, failed, body, error):
    number = failed(anrede="Herrn")
    status, answer = api("POST", f"/api/imports/{number}/correct", body)
    assert (status, answer["errors"]) == (400, [error])


def test_an_erasure_takes_the_corrections_too(patients, api, failed, make_registration):
    number = failed(anrede="Needle")
    right = {"document": document(make_registration), "reason": "x"}
    assert api("POST", f"/api/imports/{number}/correct", right)[0] == 200
    patients.parts.erasure.erase(patients.patients()[0]["id"], "test")
    assert patients.rows("SELECT * FROM patient_service.import_corrections") == []


def test_a_file_is_printed_and_corrected_on_the_command_line(patients, failed, make_registration, curavani, tmp_path):
    data = make_registration(anrede="Herrn", ort="Köln")
    number = failed(data)
    settings = {"GCS_IMPORT_BUCKET": patients.bucket, "PATIENT_IMPORT_LOCAL_PATH": str(patients.copies)}
    shown = curavani("imports", "document", f"P{number}", **settings)
    assert (shown.returncode, shown.stdout) == (0, data.decode())
    wrong, right = tmp_path / "wrong.json", tmp_path / "right.json"
    wrong.write_bytes(make_registration(anrede="Frauen"))
    right.write_bytes(make_registration(anrede="Herr", ort="Köln"))
    refused = curavani("imports", "correct", f"P{number}", str(wrong), "--reason", "x", **settings)
    assert refused.returncode == 1
    assert "/patient_data/anrede" in refused.stdout
    for arguments in (
        (f"P{number}", str(right)),
        ("T1", str(right), "--reason", "x"),
        ("P999", str(right), "--reason", "x"),
    ):
        assert curavani("imports", "correct", *arguments, **settings).returncode == 2
    done = curavani(
        "imports", "correct", f"P{number}", str(right), "--reason", "Anrede", **settings, SUDO_USER="", USER="eva"
    )
    assert (done.returncode, patients.patients()[0]["ort"]) == (0, "Köln")
    (kept,) = patients.rows("SELECT pointer, corrected_by FROM patient_service.import_corrections")
    assert kept == {"pointer": "/patient_data/anrede", "corrected_by": "cli:eva"}


def test_a_wrapped_registration_is_corrected_by_what_is_in_the_wrapper(patients, api, failed, make_registration):
    wrapped = {
        "signature": "00",
        "timestamp": 1,
        "data": {"type": "x", "data": document(make_registration, anrede="Herrn")},
    }
    number = failed(json.dumps(wrapped).encode())
    right = document(make_registration, anrede="Herr")
    assert api("POST", f"/api/imports/{number}/correct", {"document": right, "reason": "x"})[0] == 200
    (kept,) = patients.rows("SELECT pointer, old_value FROM patient_service.import_corrections")
    assert kept == {"pointer": "/data/data/patient_data/anrede", "old_value": "Herrn"}
