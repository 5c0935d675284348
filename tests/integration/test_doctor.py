"""The doctor is needed most where much is broken: each part has its line, whatever the others do."""

import psycopg
import pytest
import sqlalchemy as sa

from curavani.doctor import examine
from patient_service.bootstrap import copies_dependency
from shared.core.dependencies import ask
from shared.core.settings import PatientImportSettings
from shared.database.engine import create_engine, transaction
from shared.database.room import read_room


def parts(environment):
    return {found.part: found for found in examine(environment)}


@pytest.fixture
def reader(database_url):
    """A user who may log in and read the versions only."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reader' CONNECTION LIMIT 5")
        connection.execute("GRANT USAGE ON SCHEMA patient_service, therapist_service TO reader")
        connection.execute("GRANT SELECT ON curavani_version TO reader")
    url = sa.make_url(database_url).set(username="reader", password="reader")
    yield url.render_as_string(hide_password=False)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP OWNED BY reader")
        connection.execute("DROP ROLE reader")


def test_a_user_without_rights_fails_in_each_part_that_needs_them_and_in_no_other(process_environment, reader):
    found = parts({**process_environment, "DATABASE_URL": reader})
    assert found["database"].state == "ok"
    for part in ("connections", "moving in", "patient import", "therapist import"):
        assert found[part].state == "failing"
        assert "lacks a right" in found[part].advice
    assert [found[part].state for part in ("bucket", "local copies", "therapist folder")] == ["ok"] * 3


def test_a_database_that_is_away_accuses_nobody_else(process_environment):
    found = parts({**process_environment, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"})
    assert found["database"].state == "failing"
    assert found["database"].advice.startswith("PostgreSQL does not answer at the address")
    assert found["local copies"].state == "ok"
    assert "patient import" not in found


def test_health_does_not_accuse_the_copies_of_a_database_that_is_away(tmp_path):
    engine = create_engine("postgresql://nobody@127.0.0.1:1/nothing", application_name="tests")
    assert ask(copies_dependency(PatientImportSettings(local_path=tmp_path), engine)).ok


def test_the_parts_come_in_the_order_in_which_they_depend_on_each_other_one_line_each(curavani):
    ran = curavani("doctor")
    told = [line.partition("\t")[0] for line in ran.stdout.splitlines()]
    assert [part for part in told if part not in ("part", "memory")] == [
        *("database", "connections", "patient import", "therapist import", "bucket", "local copies"),
        *("therapist folder", "kafka", "communication events", "mail", "access", "digest key"),
    ]
    assert "x0a" not in ran.stdout


def test_the_room_is_what_the_server_the_database_and_the_user_leave(engine, database_url, reader):
    with transaction(engine) as connection:
        room = read_room(connection)
        limits = {
            name: int(connection.exec_driver_sql(f"SHOW {name}").scalar_one())
            for name in ("max_connections", "superuser_reserved_connections", "reserved_connections")
        }
    assert room.limit == limits["max_connections"] - sum(limits.values()) + limits["max_connections"]
    with psycopg.connect(database_url), transaction(engine) as connection:
        assert read_room(connection).others == room.others + 1
