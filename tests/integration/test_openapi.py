"""Whatever the documents allow, and what they do not: no request makes a service fail, and each answer is as described,
with nothing in it that is not."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.generation import GenerationMode

from patient_service.app import create_app as create_patient_app
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow

TOKEN, READER = (
    {"Authorization": "Bearer a-token-of-24-characters"},
    {"Authorization": "Bearer reader-token-24-characters"},
)
CALLERS = [
    TOKEN,
    READER,
    {"Authorization": "Bearer writer-token-24-characters"},
    {"Authorization": "Bearer looker-token-24-characters"},
]
VARIABLE, BRACES = re.compile(r"<[^>]*?(\w+)>"), r"{\1}"


@pytest.fixture
def environment(database_url, bucket, storage_server, tmp_path):
    return {
        "DATABASE_URL": database_url,
        "API_TOKENS": "t:operate:a-token-of-24-characters,r:read:reader-token-24-characters,"
        "w:write:writer-token-24-characters,l:look:looker-token-24-characters",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path),
        "LOG_LEVEL": "ERROR",
    }


@pytest.fixture
def patient_app(environment, patients, make_registration):
    """The patient service with two patients, a question about them, and a failed file."""
    patients.upload(make_registration(), "Mustermann_Max_20250705_0b1ab67b.json")
    patients.upload(make_registration("aaaaaaaa", vorname="Erika"), "Mustermann_Erika_20250706_aaaaaaaa.json")
    patients.upload(b"{", "broken.json")
    patients.run()
    app = create_patient_app(environment, start_workers=False)
    yield app
    app.extensions["curavani"].close()


@pytest.fixture
def therapist_app(environment, therapists, make_therapist):
    """The therapist service with therapists, held deletions, a possible duplicate, and a failed file."""
    same = {"last_name": "Zeevaert", "first_name": "Thomas"}
    everybody = [make_therapist(number) for number in range(3, 21)]
    therapists.scrape([make_therapist(1, basic_info=same), make_therapist(2, basic_info=same), *everybody])
    therapists.run()
    deleted = [{"id": f"praxis{number}", "status": "deleted"} for number in range(3, 11)]
    asked = make_therapist(50, basic_info=same, location={"street": "Anderswo"})
    therapists.scrape([*deleted, *everybody[8:], asked], day="2025-07-09")
    therapists.put(b"{", "20250709/52070.json")
    therapists.run()
    app = create_therapist_app(environment, start_workers=False)
    yield app
    app.extensions["curavani"].close()


@pytest.mark.parametrize("fixture", ["patient_app", "therapist_app"])
def test_no_request_makes_a_service_fail(request, fixture):
    app = request.getfixturevalue(fixture)
    document = schemathesis.openapi.from_wsgi("/openapi.json", app)
    called = {call_with_anything(found.ok()) for found in document.get_all_operations()}
    assert called == endpoints(app)


PERSON = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"}
OF_FILES = [
    ("GET", "/api/imports", None, 200),
    ("GET", "/api/imports/1", None, 200),
    ("GET", "/api/imports/3", None, 200),
    ("GET", "/api/imports/999", None, 404),
    ("POST", "/api/imports/run", None, 202),
    ("POST", "/api/imports/3/retry", None, 200),
    ("POST", "/api/imports/3/discard", {}, 400),
    ("POST", "/api/imports/3/discard", {"reason": "doppelt"}, 200),
    ("GET", "/api/imports/3", None, 200),
    ("POST", "/api/imports/3/retry", None, 409),
    ("GET", "/api/reviews", None, 200),
]
OF_PATIENTS = [
    ("GET", "/api/imports/1/document", None, 200),
    ("GET", "/api/imports/3/document", None, 200),
    ("POST", "/api/imports/3/correct", {"document": {}, "reason": "abgeschnitten"}, 400),
    ("POST", "/api/imports/1/correct", {"document": {}, "reason": "abgeschnitten"}, 409),
    *OF_FILES,
    ("GET", "/api/patients", None, 200),
    ("POST", "/api/patients", PERSON, 201),
    ("POST", "/api/patients", {"vorname": 1}, 400),
    ("GET", "/api/patients/1", None, 200),
    ("PUT", "/api/patients/1", {"ort": "Köln"}, 200),
    ("PATCH", "/api/patients/1/last-contact", {"date": "2025-07-01"}, 200),
    ("GET", "/api/patients/1/consents", None, 200),
    ("GET", "/api/patients/1/communication", None, 200),
    ("POST", "/api/patients/1/restrictions", {"kind": "restricted", "reason": "Streit"}, 201),
    ("PUT", "/api/patients/1", {"ort": "Bonn"}, 409),
    ("GET", "/api/patients/1/restrictions", None, 200),
    ("POST", "/api/patients/1/restrictions/lift", {"kind": "restricted", "reason": "geklärt"}, 200),
    ("GET", "/api/patients/1/export", None, 200),
    ("GET", "/api/patients/import-status", None, 200),
    ("POST", "/api/reviews/1/resolve", {"choose": "separate", "comment": "Zwillinge"}, 200),
    ("GET", "/api/reviews/1", None, 200),
    ("POST", "/api/reviews/1/undo", None, 200),
    ("DELETE", "/api/patients/1", None, 200),
    ("GET", "/api/reviews/1", None, 200),
]
OF_THERAPISTS = [
    *OF_FILES,
    ("GET", "/api/imports/2", None, 200),
    ("GET", "/api/therapists", None, 200),
    ("POST", "/api/therapists", PERSON, 201),
    ("GET", "/api/therapists/1", None, 200),
    ("PUT", "/api/therapists/1", {"ort": "Köln"}, 200),
    ("GET", "/api/therapists/1/communication", None, 200),
    ("GET", "/api/therapists/import-status", None, 200),
    ("POST", "/api/reviews/2/resolve", {"choose": "apply", "only": [3]}, 200),
    ("GET", "/api/reviews/2", None, 200),
    ("POST", "/api/reviews/2/undo", {"comment": "vertan"}, 200),
    ("DELETE", "/api/therapists/1", None, 200),
]


@pytest.mark.parametrize(
    ("fixture", "calls"), [("patient_app", OF_PATIENTS), ("therapist_app", OF_THERAPISTS)], ids=["patient", "therapist"]
)
def test_every_answer_is_as_the_document_says(request, fixture, calls):
    app = request.getfixturevalue(fixture)
    client = app.test_client()
    document = closed(client.get("/openapi.json").json)
    called = set()
    for method, path, body, status in calls:
        answer = client.open(path, method=method, json=body, headers=TOKEN)
        assert answer.status_code == status, (method, path)
        rule = re.sub(r"/\d+", "/{}", path)
        called.add(f"{method} {rule}")
        check(document, rule, method, answer)
        if method == "GET":
            check(document, rule, method, client.get(path, headers=READER))
    assert called == {re.sub(r"{\w+}", "{}", label) for label in endpoints(app)}


def closed(document):
    """The document, in which no object has more than is said of it."""
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return document


def check(document, rule, method, answer):
    """Holds an answer against its description."""
    paths = {re.sub(r"{\w+}", "{}", path): operations for path, operations in document["paths"].items()}
    described = paths[rule][method.lower()]["responses"][str(answer.status_code)]
    schema = document | described["content"]["application/json"]["schema"]
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(answer.json)


def call_with_anything(operation):
    """Calls the operation with what its description allows and what it does not, on rows that are there and others."""
    anything = st.one_of(*[operation.as_strategy(generation_mode=mode) for mode in GenerationMode])

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=anything, number=st.sampled_from([None, 1, 2, 3]), caller=st.sampled_from(CALLERS))
    def call(case, number, caller):
        if number is not None:
            case.path_parameters = dict.fromkeys(case.path_parameters, number)
        status = case.call(headers=caller).status_code
        assert status < 500
        assert str(status) in operation.definition.raw["responses"] or status in (405, 413)

    call()
    return operation.label


def endpoints(app):
    """Every route of the API, in the document's words."""
    return {
        f"{method} {VARIABLE.sub(BRACES, rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
