"""Whatever the documents allow, and what they do not: no request makes a service fail, and each answer is described."""

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from patient_service.app import create_app as create_patient_app
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow
TOKEN = {"Authorization": "Bearer token"}
VARIABLE, BRACES = re.compile(r"<[^>]*?(\w+)>"), r"{\1}"


@pytest.fixture
def environment(database_url, bucket, storage_server, tmp_path):
    return {
        "DATABASE_URL": database_url,
        "API_TOKENS": "t:operate:token",
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


def call_with_anything(operation):
    """Calls the operation with what its description allows and what it does not, on rows that are there and others."""
    anything = st.one_of(*[operation.as_strategy(generation_mode=mode) for mode in GenerationMode])

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=anything, number=st.sampled_from([None, 1, 2, 3]))
    def call(case, number):
        if number is not None:
            case.path_parameters = dict.fromkeys(case.path_parameters, number)
        status = case.call(headers=TOKEN).status_code
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
