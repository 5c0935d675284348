"""A database whose tables another program made is used by nothing of ours, and everybody says so."""

import json

import psycopg
import pytest

from patient_service.app import create_app as create_patient_app
from standins.platform_database import fill, make_tables
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow

TOKEN = "o-token-of-24-characters"
HEADER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def platform_url(postgres):
    """A database of the platform, with people in it."""
    url = postgres.create_database("platform")
    with psycopg.connect(url) as connection:
        make_tables(connection, "13 July")
        fill(connection, "13 July", patients=5, therapists=5)
    yield url
    postgres.drop_database("platform")


@pytest.fixture
def environment(platform_url, bucket, storage_server, tmp_path):
    (tmp_path / "scrapes").mkdir(exist_ok=True)
    return {
        "DATABASE_URL": platform_url,
        "API_TOKENS": f"olga:operate:{TOKEN}",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path / "scrapes"),
    }


def everything(url):
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            " ORDER BY 1, 2"
        ).fetchall()
        return {table: connection.execute(f"SELECT * FROM {'.'.join(table)} ORDER BY 1").fetchall() for table in tables}


@pytest.mark.parametrize(
    "command",
    [
        ("db", "upgrade"),
        ("db", "current"),
        ("db", "check"),
        ("imports", "run", "patient"),
        ("imports", "run", "therapist"),
        ("imports", "list"),
        ("imports", "retry", "--all-failed", "patient"),
        ("reviews", "list"),
        ("events", "status"),
        ("patients", "consent", "1"),
        ("patients", "erase", "1", "--yes"),
    ],
    ids=" ".join,
)
def test_every_command_refuses_it_and_names_the_next_one(curavani, environment, platform_url, command):
    before = everything(platform_url)
    ended = curavani(*command, **environment)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "database_foreign" in ended.stderr
    assert "curavani db adopt --plan" in ended.stderr
    assert everything(platform_url) == before


def test_the_doctor_prints_its_table_all_the_same(curavani, environment):
    ended = curavani("doctor", "--json", **environment)
    found = {line["part"]: line for line in json.loads(ended.stdout)}
    assert ended.returncode == 3
    assert found["database"]["state"] == "failing"
    assert "curavani db adopt --plan" in found["database"]["advice"]


@pytest.mark.parametrize("create_app", [create_patient_app, create_therapist_app])
def test_a_service_answers_with_503_and_leaves_the_tables_alone(create_app, environment, platform_url):
    before = everything(platform_url)
    app = create_app(environment, start_workers=False)
    people = "patients" if create_app is create_patient_app else "therapists"
    with app.test_client() as client:
        for path in ("/readyz", "/health"):
            answer = client.get(path)
            assert (answer.status_code, answer.json["code"]) == (503, "database_foreign")
        health = client.get("/health/import")
        assert (health.status_code, health.json["details"]["database"]["code"]) == (503, "database_foreign")
        for path in (f"/api/{people}", f"/api/{people}/1", "/api/imports", "/console/"):
            assert client.get(path, headers=HEADER).status_code == 503
        deleted = client.delete(f"/api/{people}/1", headers=HEADER)
        assert (deleted.status_code, "db adopt" in deleted.json["message"]) == (503, True)
        assert client.get("/livez").status_code == 200
        assert client.get("/metrics").status_code == 200
        with client.get("/console/static/console.css") as sheet:
            assert sheet.status_code == 200
    app.extensions["curavani"].close()
    assert everything(platform_url) == before


def test_tables_without_any_version_are_foreign_too(curavani, environment, platform_url):
    with psycopg.connect(platform_url) as connection:
        connection.execute("DROP TABLE alembic_version")
    assert "database_foreign" in curavani("db", "upgrade", **environment).stderr


def test_the_platforms_tables_beside_our_version_are_foreign(curavani, environment, platform_url):
    with psycopg.connect(platform_url) as connection:
        connection.execute("CREATE TABLE curavani_version AS SELECT '0005'::varchar(32) AS version_num")
    assert "database_foreign" in curavani("db", "upgrade", **environment).stderr


def test_a_word_that_no_release_of_ours_wrote_is_not_taken_for_a_newer_one(curavani, engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE curavani_version SET version_num = '001_initial_setup'")
    assert "database_foreign" in curavani("db", "upgrade").stderr


def test_another_programs_version_in_a_database_without_our_schemas_is_no_obstacle(curavani, postgres):
    url = postgres.create_database("of_others")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE alembic_version AS SELECT '007_add_email_attachments'::varchar AS version_num")
    assert curavani("db", "upgrade", DATABASE_URL=url).returncode == 0
    assert curavani("db", "check", DATABASE_URL=url).returncode == 0
    postgres.drop_database("of_others")


def test_our_version_is_carried_over_from_where_it_stood_once(curavani, engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version AS SELECT version_num FROM curavani_version")
        connection.exec_driver_sql("DROP TABLE curavani_version")
    assert curavani("db", "check").returncode == 0
    assert curavani("db", "upgrade").returncode == 0
    with engine.begin() as connection:
        stands = connection.exec_driver_sql("SELECT version_num FROM curavani_version").scalars().all()
        # The release before, which may still run, looks for it there.
        kept = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    assert stands == kept
    assert len(stands) == 1
