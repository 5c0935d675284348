"""The HTTP API of both services, by Flask's test client on real PostgreSQL."""

import pytest

from patient_service.app import create_app as create_patient_app
from therapist_service.app import create_app as create_therapist_app

TOKENS = (
    "lena:look:l-token-of-24-characters,eva:read:r-token-of-24-characters,"
    "otto:write:w-token-of-24-characters,olga:operate:o-token-of-24-characters"
)
PATIENT = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


LOOK, READ, WRITE, OPERATE = (bearer(f"{letter}-token-of-24-characters") for letter in "lrwo")


@pytest.fixture
def environment(database_url, tmp_path):
    return {
        "DATABASE_URL": database_url,
        "API_TOKENS": TOKENS,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path),
        "LOG_LEVEL": "ERROR",
    }


@pytest.fixture
def patients(environment, bucket):
    app = create_patient_app({**environment, "GCS_IMPORT_BUCKET": bucket}, start_workers=False)
    with app.test_client() as client:
        yield client
    app.extensions["curavani"].close()


@pytest.fixture(scope="module")
def nobody(postgres, tmp_path_factory):
    """The patient service without a patient, for all requests that change nothing."""
    environment = {
        "DATABASE_URL": postgres.create_database("nobody", template="template"),
        "API_TOKENS": TOKENS,
        "GCS_IMPORT_BUCKET": "never-asked",
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path_factory.mktemp("nobody")),
        "LOG_LEVEL": "ERROR",
    }
    app = create_patient_app(environment, start_workers=False)
    client = app.test_client()
    yield client
    totals = {of: client.get(f"/api/{of}", headers=READ).json["total"] for of in ("patients", "imports", "reviews")}
    app.extensions["curavani"].close()
    postgres.drop_database("nobody")
    assert totals == {"patients": 0, "imports": 0, "reviews": 0}


@pytest.fixture
def therapists(environment):
    app = create_therapist_app(environment, start_workers=False)
    with app.test_client() as client:
        yield client
    app.extensions["curavani"].close()


def test_a_patient_is_created_read_changed_and_deleted(patients):
    created = patients.post("/api/patients", json=PATIENT, headers=WRITE)
    assert created.status_code == 201
    number = created.json["id"]
    assert (created.json["status"], created.json["zeitliche_verfuegbarkeit"]) == ("offen", {})
    assert "name_key" not in created.json
    changed = patients.put(f"/api/patients/{number}", json={"ort": "Köln", "startdatum": "2020-01-01"}, headers=WRITE)
    assert (changed.json["ort"], changed.json["startdatum"]) == ("Köln", None)
    assert patients.get(f"/api/patients/{number}", headers=READ).json == changed.json
    deleted = patients.delete(f"/api/patients/{number}", headers=OPERATE)
    assert deleted.json["message"] == "Patient deleted successfully"
    assert deleted.json["certificate"]["patient_id"] == number
    gone = patients.get(f"/api/patients/{number}", headers=READ)
    assert (gone.status_code, gone.json) == (404, {"message": "Patient not found"})


def test_startdatum_is_set_once_both_conditions_are_met(patients):
    number = patients.post("/api/patients", json=PATIENT, headers=WRITE).json["id"]
    first = patients.put(f"/api/patients/{number}", json={"vertraege_unterschrieben": True}, headers=WRITE)
    assert first.json["startdatum"] is None
    both = patients.put(f"/api/patients/{number}", json={"psychotherapeutische_sprechstunde": True}, headers=WRITE)
    assert both.json["startdatum"] is not None
    after = patients.put(f"/api/patients/{number}", json={"vertraege_unterschrieben": False}, headers=WRITE)
    assert after.json["startdatum"] == both.json["startdatum"]


@pytest.mark.parametrize(
    ("field", "value", "blank"),
    [
        ("telefon", "0171 3920042", None),
        ("geburtsdatum", "1990-02-03", None),
        ("erfahrung_mit_psychotherapie", True, None),
        ("offen_fuer_diga", True, False),
        ("zeitliche_verfuegbarkeit", {"montag": ["10:00"]}, {}),
        ("ausgeschlossene_therapeuten", [7], []),
        ("bevorzugtes_therapeutengeschlecht", "Weiblich", "Egal"),
        ("bevorzugtes_therapieverfahren", "Verhaltenstherapie", "egal"),
    ],
)
def test_null_blanks_an_optional_field(patients, field, value, blank):
    created = patients.post("/api/patients", json={**PATIENT, field: value}, headers=WRITE).json
    assert created[field] == value
    changed = patients.put(f"/api/patients/{created['id']}", json={field: None}, headers=WRITE)
    assert (changed.status_code, changed.json[field]) == (200, blank)


def test_null_is_no_status(patients):
    number = patients.post("/api/patients", json=PATIENT, headers=WRITE).json["id"]
    assert patients.put(f"/api/patients/{number}", json={"status": None}, headers=WRITE).status_code == 400


@pytest.mark.parametrize(
    ("fields", "message", "pointer"),
    [
        ({"anrede": "Dr."}, "Invalid anrede 'Dr.'. Valid values: Herr, Frau", "/anrede"),
        ({"geburtsdatum": "01.02.2000"}, "Invalid date format for geburtsdatum. Use YYYY-MM-DD", "/geburtsdatum"),
        ({"offen_fuer_diga": "false"}, "Field offen_fuer_diga must be true or false", "/offen_fuer_diga"),
        ({"vorname": ""}, "Missing required field: vorname", "/vorname"),
        ({"ort": "a\x00b"}, "Field ort contains a NUL character", "/ort"),
        ({"plz": "1" * 11}, "Field plz is longer than 10 characters", "/plz"),
        (
            {"bevorzugtes_therapieverfahren": "x"},
            (
                "Invalid therapy method 'x'. Valid values: egal, Verhaltenstherapie, "
                "tiefenpsychologisch_fundierte_Psychotherapie"
            ),
            "/bevorzugtes_therapieverfahren",
        ),
    ],
)
def test_bad_input_names_its_place(nobody, fields, message, pointer):
    answer = nobody.post("/api/patients", json={**PATIENT, **fields}, headers=WRITE)
    assert answer.status_code == 400
    assert answer.json["message"] == message
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_a_body_that_is_no_json_is_refused_in_the_same_form(nobody):
    broken = nobody.post("/api/patients", data="{", content_type="application/json", headers=WRITE)
    assert (broken.status_code, broken.json["errors"]) == (400, [{"pointer": "", "code": "invalid_json"}])
    assert broken.json["message"] == "The body must be one JSON object in UTF-8, without duplicate keys"
    other = nobody.post("/api/patients", data="x=1", headers=WRITE)
    assert other.status_code == 415
    assert list(other.json) == ["message"]


def test_roles(patients):
    assert patients.get("/api/patients").status_code == 401
    assert patients.get("/api/patients", headers=bearer("wrong")).status_code == 401
    assert patients.post("/api/patients", json=PATIENT, headers=READ).status_code == 403
    assert patients.post("/api/imports/run", headers=WRITE).status_code == 403
    assert patients.post("/api/imports/run", headers=OPERATE).status_code == 202


def test_lists_are_paged_clamped_filtered_and_searched(patients):
    for name in ("Müller", "Meier", "Şahin"):
        patients.post("/api/patients", json={**PATIENT, "nachname": name}, headers=WRITE)
    page = patients.get("/api/patients?page=0&limit=1001", headers=READ).json
    assert (page["page"], page["limit"], page["total"]) == (1, 1000, 3)
    assert page["data"][0]["nachname"] == "Şahin"
    for words in ("mueller", "MULLER", "müll eri"):
        assert patients.get("/api/patients", query_string={"search": words}, headers=READ).json["total"] == 1
    empty = patients.get("/api/patients?status=unknown&page=7&limit=5", headers=READ).json
    assert empty == {"data": [], "page": 1, "limit": 20, "total": 0}


@pytest.mark.parametrize("query", ["imports?status=bogus", "reviews?state=bogus", "reviews?kind=bogus"])
def test_a_filter_by_a_word_that_does_not_exist_gives_an_empty_first_page(nobody, query):
    empty = nobody.get(f"/api/{query}&page=4&limit=5", headers=READ).json
    assert empty == {"data": [], "page": 1, "limit": 20, "total": 0}


@pytest.mark.parametrize("query", ["imports?status=failed", "reviews?state=all", "reviews?kind=conflict"])
def test_a_filter_by_a_word_that_exists_keeps_the_page_that_was_asked_for(nobody, query):
    empty = nobody.get(f"/api/{query}&page=4&limit=5", headers=READ).json
    assert empty == {"data": [], "page": 4, "limit": 5, "total": 0}


def test_the_events_of_changes_tell_old_and_new_status(patients, engine):
    number = patients.post("/api/patients", json=PATIENT, headers=WRITE).json["id"]
    patients.put(f"/api/patients/{number}", json={"status": "auf_der_Suche"}, headers=WRITE)
    patients.put(f"/api/patients/{number}", json={"status": "auf_der_Suche"}, headers=WRITE)
    with engine.begin() as connection:
        rows = connection.exec_driver_sql(
            "SELECT event_type, payload FROM patient_service.event_outbox ORDER BY id"
        ).all()
    assert [row.event_type for row in rows] == ["patient.created", "patient.status_changed"]
    assert (rows[1].payload["old_status"], rows[1].payload["new_status"]) == ("offen", "auf_der_Suche")
    assert rows[1].payload["patient_data"]["id"] == number


def test_a_therapist_is_blocked_and_unblocked(therapists, engine):
    created = therapists.post("/api/therapists", json={**PATIENT, "titel": "Dr."}, headers=WRITE)
    assert created.status_code == 201
    one = f"/api/therapists/{created.json['id']}"
    therapists.put(one, json={"status": "gesperrt", "sperrgrund": "auf Wunsch"}, headers=WRITE)
    assert therapists.put(one, json={"status": "aktiv", "anrede": None}, headers=WRITE).json["anrede"] is None
    assert therapists.get("/api/therapists?potenziell_verfuegbar=false&plz_prefix=", headers=READ).json["total"] == 1
    assert therapist_events(engine) == [
        ("therapist.created", None),
        ("therapist.blocked", "auf Wunsch"),
        ("therapist.unblocked", None),
    ]
    assert therapists.delete(one, headers=OPERATE).json["message"] == "Therapist deleted successfully"
    # What earlier events told of the person is gone with them.
    assert therapist_events(engine) == [("therapist.deleted", None)]


def therapist_events(engine):
    statement = "SELECT event_type, payload->>'reason' FROM therapist_service.event_outbox ORDER BY id"
    with engine.begin() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def test_a_therapist_has_to_have_a_salutation_at_first(therapists):
    refused = therapists.post("/api/therapists", json={**PATIENT, "anrede": None}, headers=WRITE)
    assert refused.status_code == 400
    assert refused.json == {
        "message": "Missing required field: anrede",
        "errors": [{"pointer": "/anrede", "code": "missing"}],
    }


@pytest.mark.parametrize(
    ("body", "message", "pointer"),
    [
        ({}, "Missing required field: reason", "/reason"),
        ({"reason": " "}, "Missing required field: reason", "/reason"),
        ({"reason": 1}, "Field reason must be a text", "/reason"),
        ({"reason": "r" * 1001}, "Field reason is longer than 1000 characters", "/reason"),
        ({"reason": "r\x00"}, "Field reason contains a NUL character", "/reason"),
        ({"reason": "r", "delete_source": "yes"}, "Field delete_source must be true or false", "/delete_source"),
    ],
)
def test_a_discard_says_why(nobody, body, message, pointer):
    refused = nobody.post("/api/imports/1/discard", json=body, headers=OPERATE)
    assert (refused.status_code, refused.json["message"]) == (400, message)
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("body", "message", "pointer"),
    [
        ({}, "Missing required field: choose", "/choose"),
        ({"choose": ""}, "Missing required field: choose", "/choose"),
        ({"choose": "merge", "comment": ["x"]}, "Field comment must be a text", "/comment"),
        ({"choose": "merge", "into": True}, "Field into must be a number", "/into"),
        ({"choose": "merge", "into": 0}, "Field into must be a number", "/into"),
        ({"choose": "apply", "only": [1, "2"]}, "Field only must be a list of numbers", "/only"),
        ({"choose": "apply", "only": 3}, "Field only must be a list of numbers", "/only"),
    ],
)
def test_a_decision_is_complete(nobody, body, message, pointer):
    refused = nobody.post("/api/reviews/1/resolve", json=body, headers=OPERATE)
    assert (refused.status_code, refused.json["message"]) == (400, message)
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/openapi.json", "/docs"])
def test_open_pages_need_no_token(patients, therapists, path):
    assert patients.get(path).status_code == 200
    assert therapists.get(path).status_code == 200


def test_health_names_the_service(patients, therapists):
    assert patients.get("/health").json == {"status": "healthy", "service": "patient-service"}
    assert therapists.get("/health").json == {"status": "healthy", "service": "therapist-service"}


def test_the_documents_are_openapi_31_without_outside_assets(patients, therapists):
    for client in (patients, therapists):
        document = client.get("/openapi.json").json
        assert document["openapi"].startswith("3.1")
        page = client.get("/docs").text
        assert "http://" not in page
        assert "https://" not in page
        with client.get("/docs/assets/js/swagger-ui-bundle.js") as script:
            assert script.status_code == 200


def test_import_status_comes_from_the_database(patients, therapists):
    status = patients.get("/api/patients/import-status", headers=READ).json
    assert status["running"] is False
    assert status["recent_imports"] == []
    assert {"therapists_processed_today", "total_files_processed"} <= set(
        therapists.get("/api/therapists/import-status", headers=READ).json
    )


def test_communication_is_empty_where_no_service_is_configured(patients):
    number = patients.post("/api/patients", json=PATIENT, headers=WRITE).json["id"]
    answer = patients.get(f"/api/patients/{number}/communication", headers=READ).json
    assert (answer["patient_name"], answer["total_emails"], answer["communications"]) == ("Erika Müller", 0, [])


def test_an_unknown_path_is_not_found(nobody):
    answer = nobody.get("/nothing")
    assert (answer.status_code, answer.json) == (404, {"message": "Not found"})


@pytest.mark.parametrize("number", ["2147483648", "99999999999", "9" * 5000], ids=len)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "patients/{}"),
        ("put", "patients/{}"),
        ("delete", "patients/{}"),
        ("get", "patients/{}/consents"),
        ("get", "imports/{}"),
        ("post", "imports/{}/retry"),
        ("post", "imports/{}/discard"),
        ("post", "reviews/{}/resolve"),
    ],
)
def test_a_number_that_no_row_can_have_is_not_found_by_any_method(nobody, method, path, number):
    body = {"reason": "r", "choose": "merge"} if method == "post" else {} if method == "put" else None
    answer = nobody.open(f"/api/{path.format(number)}", method=method, json=body, headers=OPERATE)
    assert answer.status_code == 404


def test_a_number_that_no_row_can_have_is_told_in_the_words_of_the_entry_and_to_callers_only(therapists):
    one = "/api/therapists/2147483648"
    assert therapists.put(one, json={}, headers=WRITE).json == {"message": "Therapist not found"}
    assert therapists.delete(one).status_code == 401
