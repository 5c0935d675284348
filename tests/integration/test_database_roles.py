"""Least rights in the database: the services work as a role that can neither alter a table nor rewrite evidence."""

import os
from pathlib import Path

import psycopg
import pytest
import requests
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from curavani import schema
from shared.database.engine import create_engine
from standins.local import wait_until

pytestmark = pytest.mark.slow

ROLES = (Path(__file__).parents[2] / "deploy" / "postgres" / "roles.sql").read_text(encoding="utf-8")
PASSWORD = "a-password-of-the-tests"


def as_role(url, role):
    return make_url(url).set(username=role, password=PASSWORD).render_as_string(hide_password=False)


def set_up(url):
    """What the administrator does."""
    with psycopg.connect(url) as connection:
        # Roles are the server's, and tests run side by side.
        connection.execute("SELECT pg_advisory_xact_lock(4711)")
        connection.execute(ROLES)
        for role in ("curavani_owner", "curavani_service"):
            connection.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")


@pytest.fixture(params=["fresh", "in use"])
def database(request, postgres):
    """A database of the two roles; one that the administrator had migrated before, too."""
    name = f"roles_{os.getpid()}_{request.param.replace(' ', '_')}"
    url = postgres.create_database(name, template="template" if request.param == "in use" else None)
    set_up(url)
    owner = create_engine(as_role(url, "curavani_owner"), application_name="tests")
    assert schema.upgrade(owner).up_to_date
    owner.dispose()
    # A second time changes nothing.
    set_up(url)
    yield url
    postgres.drop_database(name)


@pytest.fixture
def database_url(database):
    """For the fixtures that build the imports: as the role of the services."""
    return as_role(database, "curavani_service")


def test_both_imports_run_on_rows_alone(patients, therapists, make_registration, make_therapist, curavani):
    patients.upload(make_registration())
    patients.run()
    therapists.scrape([make_therapist(1), make_therapist(2)])
    therapists.run()
    assert (len(patients.patients()), len(therapists.therapists())) == (1, 2)
    patients.run()
    assert curavani("imports", "run", "patient").returncode == 0
    assert curavani("patients", "erase", "1", "--yes").returncode == 0
    assert patients.patients() == []


def test_a_service_serves(run_service, curavani):
    service = run_service("patient")
    address = f"http://127.0.0.1:{service.port}"

    def is_ready():
        try:
            return requests.get(f"{address}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    assert wait_until(is_ready, 60)
    body = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"}
    headers = {"Authorization": "Bearer a-token-of-24-characters"}
    assert requests.post(f"{address}/api/patients", json=body, headers=headers, timeout=30).status_code == 201
    assert curavani("sessions", "list").returncode == 0


FORBIDDEN = [
    "ALTER TABLE patient_service.patienten ADD COLUMN x int",
    "DROP TABLE patient_service.access_log",
    "CREATE TABLE patient_service.mine (id int)",
    "CREATE TABLE public.mine (id int)",
    "CREATE SCHEMA mine",
    "TRUNCATE patient_service.patient_consents",
    "ALTER TABLE patient_service.access_log DISABLE TRIGGER ALL",
    "DROP TRIGGER accesses_are_evidence ON patient_service.access_log",
    "DROP FUNCTION patient_service.accesses_are_evidence() CASCADE",
    "UPDATE curavani_version SET version_num = '0001'",
    "SET session_replication_role = replica",
    "CREATE ROLE mine",
    "COPY patient_service.patienten TO '/tmp/patients'",
]


def test_the_services_role_can_alter_nothing(engine):
    for statement in FORBIDDEN:
        with pytest.raises(sa.exc.ProgrammingError, match=r"denied|must be owner"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
