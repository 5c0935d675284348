"""Whatever the documents allow, and what they do not: no request makes a service fail."""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from patient_service.app import create_app as create_patient_app
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow
TOKEN = {"Authorization": "Bearer token"}


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


@pytest.mark.parametrize("create_app", [create_patient_app, create_therapist_app], ids=["patient", "therapist"])
def test_no_request_makes_a_service_fail(create_app, environment):
    app = create_app(environment, start_workers=False)
    document = schemathesis.openapi.from_wsgi("/openapi.json", app)
    called = Counter(fuzz(found.ok()) for found in document.get_all_operations())
    assert len(called) >= 13
    app.extensions["curavani"].close()


def fuzz(operation):
    """Calls the operation with what its description allows; returns its name."""

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def call(case):
        assert case.call(headers=TOKEN).status_code < 500

    call()
    return operation.label
