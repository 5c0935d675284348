"""Both services' OpenAPI documents: valid, and with a sentence wherever a reader wants one."""

import pytest
from openapi_spec_validator import validate

from patient_service.api import ROUTES as PATIENTS
from patient_service.api import erasing_routes
from shared.http.imports_api import ROUTES as IMPORTS
from shared.http.openapi import openapi_document
from shared.http.reviews_api import ROUTES as REVIEWS
from shared.http.reviews_api import deciding_routes
from therapist_service.api import ROUTES as THERAPISTS

COMMON = [IMPORTS, REVIEWS, deciding_routes(None, None)]
GROUPS = {"patient": [PATIENTS, erasing_routes(None), *COMMON], "therapist": [THERAPISTS, *COMMON]}


@pytest.fixture(params=GROUPS)
def document(request):
    endpoints = [endpoint for group in GROUPS[request.param] for endpoint in group.all]
    return openapi_document("Title", "Description.", endpoints)


def operations(document):
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_a_document_is_valid(document):
    validate(document)


def test_every_operation_has_a_sentence(document):
    assert operations(document)
    for operation in operations(document):
        assert operation["summary"].endswith("."), operation["operationId"]
        assert operation["description"].startswith(operation["summary"])


def test_every_parameter_has_a_sentence(document):
    parameters = [parameter for operation in operations(document) for parameter in operation["parameters"]]
    assert {parameter["in"] for parameter in parameters} == {"path", "query"}
    for parameter in parameters:
        assert parameter["description"].endswith("."), parameter["name"]


def test_every_model_has_a_sentence(document):
    for name, schema in document["components"]["schemas"].items():
        assert "enum" in schema or schema["description"].endswith("."), name


def test_a_body_that_may_be_left_out_is_not_required(document):
    undo = document["paths"]["/api/reviews/{review_id}/undo"]["post"]
    resolve = document["paths"]["/api/reviews/{review_id}/resolve"]["post"]
    assert (undo["requestBody"]["required"], resolve["requestBody"]["required"]) == (False, True)


def test_every_operation_says_which_role_it_takes(document):
    for operation in operations(document):
        assert operation["description"].endswith(" and above.")


def test_what_names_a_person_or_quotes_a_value_is_for_readers(document):
    schemas = document["components"]["schemas"]
    marked = {
        (name, field)
        for name, schema in schemas.items()
        for field, described in schema.get("properties", {}).items()
        if described.get("x-role") == "read"
    }
    of_files = {(model, field) for model in ("ImportEntry", "ImportOut") for field in ("file_name", "discard_reason")}
    inside = {("FindingOut", "pointer"), ("ActionOut", "reason"), ("ReviewOut", "detail"), ("ReviewOut", "comment")}
    assert marked == of_files | inside
