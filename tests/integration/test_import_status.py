"""`import-status` after real passes: exactly the fields that others rely on, counted from the ledger."""

import pytest

from patient_service.app import create_app as create_patient_app
from therapist_service.app import create_app as create_therapist_app

READ = {"Authorization": "Bearer r-token-of-24-characters"}
FIELDS = {
    "running",
    "last_check",
    "next_check",
    "files_processed_today",
    "files_failed_today",
    "total_processed",
    "total_failed",
    "last_error",
    "last_error_time",
    "recent_imports",
}


@pytest.fixture
def status_of(process_environment):
    """What the service answers."""
    made = []

    def ask(create_app, path):
        app = create_app({**process_environment, "API_TOKENS": "r:read:r-token-of-24-characters"}, start_workers=False)
        made.append(app)
        return app.test_client().get(path, headers=READ).json

    yield ask
    for app in made:
        app.extensions["curavani"].close()


def test_the_therapist_import_counts_files_and_therapists(therapists, make_therapist, status_of):
    therapists.scrape([make_therapist(number) for number in range(3)])
    therapists.put(b"{", "52070.json")
    therapists.run()
    found = status_of(create_therapist_app, "/api/therapists/import-status")
    assert set(found) == FIELDS | {"therapists_processed_today", "total_files_processed"}
    assert (found["files_processed_today"], found["files_failed_today"]) == (1, 1)
    assert (found["total_processed"], found["total_failed"], found["total_files_processed"]) == (1, 1, 1)
    assert found["therapists_processed_today"] == 3
    assert found["last_error"].startswith("invalid_json: ")
    assert found["last_check"] < found["next_check"]
    assert sorted(entry["status"] for entry in found["recent_imports"]) == ["failed", "success"]


def test_yesterdays_files_are_not_todays(therapists, make_therapist, status_of):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    with therapists.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE therapist_service.import_tracking SET processed_at = processed_at - interval '25 hours'"
        )
    found = status_of(create_therapist_app, "/api/therapists/import-status")
    assert (found["files_processed_today"], found["therapists_processed_today"], found["total_processed"]) == (0, 0, 1)


def test_the_patient_import_names_no_file(patients, make_registration, status_of):
    patients.upload(make_registration())
    patients.upload(b"{", "Kanarienvogel.json")
    patients.run()
    found = status_of(create_patient_app, "/api/patients/import-status")
    assert set(found) == FIELDS
    assert (found["files_processed_today"], found["files_failed_today"]) == (1, 1)
    assert "Kanarienvogel" not in str(found)
    assert "Mustermann" not in str(found)
