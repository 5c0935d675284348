"""The platform's other services and the staff's front end go on calling as they always have."""

from datetime import timedelta

import pytest

from patient_service.app import create_app
from shared.core.clock import today
from shared.core.errors import SettingsError
from shared.core.settings import ServingSettings, read_settings

pytestmark = pytest.mark.slow

TOKEN = {"Authorization": "Bearer o-token-of-twenty-four-letters"}
ORIGIN = "https://staff.example"


@pytest.fixture
def new_client(database_url, bucket, storage_server, tmp_path):
    """Makes clients of the patient service; keywords are settings of its environment."""
    apps = []

    def make(**changes):
        environment = {
            "DATABASE_URL": database_url,
            "API_TOKENS": "olga:operate:o-token-of-twenty-four-letters",
            "GCS_IMPORT_BUCKET": bucket,
            "STORAGE_EMULATOR_HOST": storage_server.host,
            "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
            **changes,
        }
        apps.append(create_app(environment, start_workers=False))
        return apps[-1].test_client()

    yield make
    for app in apps:
        app.extensions["curavani"].close()


PERSON = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Eva", "nachname": "Beispiel"}


@pytest.mark.parametrize(
    ("address", "header", "status"),
    [
        ("10.20.0.7", {}, 200),
        ("::ffff:10.20.0.7", {}, 200),
        ("fd00::5%eth0", {}, 200),
        ("10.21.0.7", {}, 401),
        ("fd01::5", {}, 401),
        ("10.20.0.7", {"Authorization": ""}, 401),
        ("10.20.0.7", {"Authorization": "Bearer wrong"}, 401),
        ("10.20.0.7", {"Authorization": "Basic eDp5"}, 401),
        ("10.21.0.7", TOKEN, 200),
    ],
)
def test_who_sends_no_header_is_let_in_from_the_named_networks_only(new_client, address, header, status):
    client = new_client(API_ANONYMOUS_ROLE="write", API_ANONYMOUS_NETWORKS="10.20.0.0/16, fd00::/64")
    asked = client.get("/api/patients", headers=header, environ_base={"REMOTE_ADDR": address})
    assert asked.status_code == status


def test_without_the_setting_nobody_is_let_in_without_a_token(new_client):
    assert new_client().get("/api/patients").status_code == 401


def test_anonymous_callers_have_their_role_and_their_name_and_never_the_console(new_client, engine):
    client = new_client(API_ANONYMOUS_ROLE="write", API_ANONYMOUS_NETWORKS="127.0.0.0/8")
    created = client.post("/api/patients", json=PERSON)
    assert client.put(f"/api/patients/{created.json['id']}", json={"ort": "Bonn"}).status_code == 200
    with engine.begin() as connection:
        who = connection.exec_driver_sql("SELECT changed_by FROM patient_service.field_changes").scalars().all()
    assert who == ["api:anonymous"]
    assert client.post("/api/imports/run").status_code == 403
    assert client.get("/console/patients").status_code == 302


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"API_ANONYMOUS_ROLE": "read"}, "API_ANONYMOUS_NETWORKS"),
        ({"API_ANONYMOUS_NETWORKS": "10.0.0.0/8"}, "API_ANONYMOUS_ROLE"),
        ({"API_ANONYMOUS_ROLE": "admin", "API_ANONYMOUS_NETWORKS": "10.0.0.0/8"}, "API_ANONYMOUS_ROLE"),
        ({"API_ANONYMOUS_ROLE": "read", "API_ANONYMOUS_NETWORKS": "10.0.0.1/8"}, "API_ANONYMOUS_NETWORKS"),
        ({"API_ANONYMOUS_ROLE": "read", "API_ANONYMOUS_NETWORKS": "10.0.0.0/8,,"}, "API_ANONYMOUS_NETWORKS"),
        ({"API_CORS_ORIGINS": "*"}, "API_CORS_ORIGINS"),
        ({"API_CORS_ORIGINS": "https://*.example"}, "API_CORS_ORIGINS"),
        ({"API_CORS_ORIGINS": "https://staff.example/page"}, "API_CORS_ORIGINS"),
        ({"API_CORS_ORIGINS": "front.example"}, "API_CORS_ORIGINS"),
        ({"API_CORS_ORIGINS": "https://a.example, null"}, "API_CORS_ORIGINS"),
        ({"API_CORS_ORIGINS": "https://a.example:port"}, "API_CORS_ORIGINS"),
    ],
)
def test_settings_that_let_in_the_wrong_ones_are_refused_without_a_value(settings, named):
    with pytest.raises(SettingsError) as refused:
        read_settings({"API_AUTH": "off", **settings}, ServingSettings)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [named]
    assert not any(value in str(refused.value) for value in settings.values() if "." in value)


def test_a_front_end_on_a_named_origin_may_read_answers_and_failures(new_client):
    client = new_client(API_CORS_ORIGINS="https://other.example:8443, HTTPS://Staff.example:443/")
    for headers, status in ((TOKEN, 200), ({}, 401)):
        answer = client.get("/api/patients", headers={**headers, "Origin": ORIGIN})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, ORIGIN)
        assert "Origin" in answer.headers["Vary"]
    asked = client.options("/api/patients/1", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"})
    assert asked.status_code == 200
    assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]


def test_any_other_origin_is_told_nothing(new_client):
    client = new_client(API_CORS_ORIGINS=ORIGIN)
    for origin in ("https://evil.example", "null", "http://staff.example", "https://staff.example.evil.example"):
        answer = client.get("/api/patients", headers={**TOKEN, "Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Origin" in answer.headers["Vary"]
    console = client.get("/console/sign-in", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in console.headers
    assert "Access-Control-Allow-Origin" not in new_client().get("/api/patients", headers={"Origin": ORIGIN}).headers


def last_contact(client, patient_id, **given):
    answer = client.patch(f"/api/patients/{patient_id}/last-contact", headers=TOKEN, **given)
    return answer.status_code, answer.json.get("letzter_kontakt", answer.json.get("message"))


def test_the_last_contact_moves_forward_and_never_back_and_is_told_where_it_moves(new_client, engine):
    client = new_client()
    patient = client.post("/api/patients", json=PERSON, headers=TOKEN).json["id"]
    assert last_contact(client, patient, json={"date": "2025-07-05"}) == (200, "2025-07-05")
    assert last_contact(client, patient, json={"date": "2025-07-05"}) == (200, "2025-07-05")
    assert last_contact(client, patient, json={"date": "2025-07-01"}) == (200, "2025-07-05")
    bad = (400, "Invalid date format for date. Use YYYY-MM-DD")
    assert last_contact(client, patient, json={"date": "05.07.2025"}) == bad
    assert last_contact(client, patient, json={"date": 0}) == bad
    # Where the people are; midnight may pass meanwhile.
    days = {today().isoformat(), (today() + timedelta(days=1)).isoformat()}
    for nothing in ({}, {"json": {}}, {"json": {"date": None}}):
        status, day = last_contact(client, patient, **nothing)
        assert (status, day in days) == (200, True)
    assert last_contact(client, 999)[0] == 404
    with engine.begin() as connection:
        told = connection.exec_driver_sql("SELECT event_type FROM patient_service.event_outbox ORDER BY id").scalars()
        assert list(told) == ["patient.created", "patient.updated", "patient.updated"]


def test_lists_have_up_to_a_thousand_rows(new_client):
    asked = new_client().get("/api/patients?limit=1000", headers=TOKEN)
    assert (asked.status_code, asked.json["limit"]) == (200, 1000)
