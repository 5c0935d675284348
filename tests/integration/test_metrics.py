"""`/metrics`: every metric of the catalogue and no other, from the database, without anybody's data."""

import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from patient_service.app import create_app as create_patient_app
from shared.metrics import catalogue
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow

TOKENS = "olga:operate:o-token-of-24-characters"


@pytest.fixture
def environment(database_url, tmp_path):
    return {
        "DATABASE_URL": database_url,
        "API_TOKENS": TOKENS,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path),
        "LOG_LEVEL": "ERROR",
    }


@pytest.fixture(params=[create_patient_app, create_therapist_app], ids=["patient", "therapist"])
def client(request, environment, bucket):
    app = request.param({**environment, "GCS_IMPORT_BUCKET": bucket}, start_workers=False)
    with app.test_client() as client:
        yield client
    app.extensions["curavani"].close()


@pytest.fixture
def patient_app(environment, bucket):
    app = create_patient_app({**environment, "GCS_IMPORT_BUCKET": bucket}, start_workers=False)
    yield app
    app.extensions["curavani"].close()


def scraped(client):
    """The families by name, and their values by name and labels (without `service`)."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    values = {}
    for family in families.values():
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "service"}
            values[sample.name, *sorted(labels.values())] = sample.value
    return families, values


def test_exactly_the_metrics_of_the_catalogue_are_served(client):
    client.get("/livez")
    families, _ = scraped(client)
    expected = {metric.name.removesuffix("_total"): metric for metric in catalogue.ALL}
    if client.application.extensions["curavani"].name == "patient-service":
        del expected[catalogue.LAST_NEW_SCRAPE.name]
    assert set(families) == set(expected)
    for name, family in families.items():
        assert (family.type, family.documentation) == (expected[name].kind, expected[name].help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(expected[name].all_labels)


def test_names_and_help_pass_the_linter_of_prometheus(client, promtool):
    text = client.get("/metrics").data
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_openmetrics_is_served_to_those_who_ask_for_it(client):
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_pass_shows_in_files_records_and_times(patients, patient_app, make_registration):
    patients.upload(make_registration())
    patients.upload(b"{", "broken.json")
    patients.run()
    _, values = scraped(patient_app.test_client())
    assert values["curavani_import_files", "success"] == 1
    assert values["curavani_import_files", "failed"] == 1
    assert values["curavani_import_records_total", "new"] == 1
    assert values["curavani_events_waiting",] == 1
    assert values["curavani_alerts_waiting",] == 1
    assert values["curavani_problems_open",] == 1
    assert values["curavani_import_last_success_timestamp_seconds",] > 0
    assert values["curavani_import_last_completion_timestamp_seconds",] > 0


def test_a_pass_that_fails_is_a_completion_and_no_success(patients, storage_server, patient_app):
    patients.run()
    storage_server.faults.add("list", 503, times=None)
    with pytest.raises(Exception, match="storage_unavailable"):
        patients.run()
    _, values = scraped(patient_app.test_client())
    completion = values["curavani_import_last_completion_timestamp_seconds",]
    assert completion > values["curavani_import_last_success_timestamp_seconds",] > 0


def test_an_object_that_cannot_be_deleted_is_pending(patients, storage_server, patient_app, make_registration):
    patients.upload(make_registration())
    storage_server.faults.add("delete", 403, times=None)
    patients.run()
    _, values = scraped(patient_app.test_client())
    assert values["curavani_import_deletes_pending",] == 1
    assert values["curavani_import_oldest_delete_pending_age_seconds",] > 0


def test_attempts_and_stages_are_counted_where_they_happen(patients, make_registration):
    patients.upload(make_registration())
    patients.upload(b"{", "broken.json")
    patients.run()
    counted = {
        (sample.name, *[value for name, value in sample.labels.items() if name != "service"]): sample.value
        for family in patients.parts.metrics.collect()
        for sample in family.samples
    }
    assert counted["curavani_import_attempts_total", "success"] == 1
    assert counted["curavani_import_attempts_total", "failed"] == 1
    for stage, number in {"list": 1, "download": 2, "copy": 2, "parse": 2, "transaction": 1, "delete": 1}.items():
        assert counted["curavani_import_stage_duration_seconds_count", stage] == number


def test_a_database_that_is_away_is_told_and_the_rest_is_left_out(environment, bucket):
    away = {**environment, "GCS_IMPORT_BUCKET": bucket, "DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}
    _, values = scraped(create_patient_app(away, start_workers=False).test_client())
    assert values["curavani_database_up",] == 0
    assert ("curavani_import_files", "failed") not in values
    assert values["curavani_import_attempts_total", "failed"] == 0


def test_requests_are_counted_by_route_and_never_by_path(patient_app):
    client = patient_app.test_client()
    for path in ("/api/patients/1", "/api/patients/2", "/Mustermann", "/wp-login.php"):
        client.get(path)
    client.open("/livez", method="MUSTERMANN")
    text = client.get("/metrics").text
    assert 'route="/api/patients/<int' in text
    assert "ustermann" not in text.lower()
    _, values = scraped(client)
    assert values["curavani_http_requests_total", "404", "GET", "unknown"] == 2


def test_no_value_of_a_registration_is_in_the_metrics(patients, patient_app, make_registration):
    patients.upload(make_registration(vorname="Kanarienvogel", email="kanarienvogel@example.com"), "Kanarienvogel.json")
    patients.upload(make_registration(token="0b1ab67c", anrede="Kanarienvogel"), "Kanarienvogel_2.json")
    patients.run()
    assert "kanarienvogel" not in patient_app.test_client().get("/metrics").text.lower()
