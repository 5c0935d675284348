"""What server and role set for sessions does not hold for ours; a database that cannot be used says why."""

import psycopg
import pytest
import sqlalchemy as sa

from shared.core.errors import DatabaseForbidden, DatabaseFull, DatabaseReadOnly, DatabaseUnavailable, RightMissing
from shared.database.engine import create_engine, transaction
from shared.database.revision import require_revision

LIMITS = ("statement_timeout", "lock_timeout", "idle_session_timeout", "transaction_timeout")


@pytest.fixture
def set_by_the_server(engine):
    """Sets parameters for every later session of this database."""

    def set_(**values):
        with engine.connect() as connection:
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            for parameter, value in values.items():
                connection.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET {parameter} = '{value}'")
            connection.commit()

    return set_


@pytest.fixture
def later(database_url):
    engine = create_engine(database_url, application_name="tests")
    yield engine
    engine.dispose()


def test_limits_of_the_server_do_not_hold_for_our_sessions(set_by_the_server, later):
    set_by_the_server(**dict.fromkeys(LIMITS, "500ms"), timezone="Asia/Tokyo")
    with transaction(later) as connection:
        found = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in (*LIMITS, "timezone")}
        connection.exec_driver_sql("SELECT pg_sleep(0.7)")
    assert found == {**dict.fromkeys(LIMITS, "0"), "timezone": "UTC"}


def test_no_startup_parameter_is_sent_that_a_pooler_refuses(later):
    assert "options" not in later.dialect.create_connect_args(later.url)[1]
    with later.connect() as connection:
        assert "options" not in connection.connection.driver_connection.info.get_parameters()


def test_a_read_only_database_is_told_as_that(set_by_the_server, later, curavani):
    set_by_the_server(default_transaction_read_only="on")
    with pytest.raises(DatabaseReadOnly), transaction(later) as connection:
        require_revision(connection)
    ran = curavani("imports", "run", "patient")
    assert ran.returncode == 3
    assert "database_read_only" in ran.stderr


def test_a_refused_login_is_told_as_that(database_url, curavani):
    wrong = sa.make_url(database_url).set(password="wrong").render_as_string(hide_password=False)
    engine = create_engine(wrong, application_name="tests")
    with pytest.raises(DatabaseForbidden), transaction(engine):
        pass
    engine.dispose()
    ran = curavani("imports", "list", DATABASE_URL=wrong)
    assert ran.returncode == 3
    assert "database_forbidden" in ran.stderr


def test_an_unknown_role_is_a_refused_login(database_url):
    wrong = sa.make_url(database_url).set(username="nobody_here")
    engine = create_engine(wrong.render_as_string(hide_password=False), application_name="tests")
    with pytest.raises(DatabaseForbidden), transaction(engine):
        pass
    engine.dispose()


@pytest.mark.parametrize(
    ("state", "failure"),
    [
        ("42501", RightMissing),
        ("28P01", DatabaseForbidden),
        ("53100", DatabaseFull),
        ("53300", DatabaseUnavailable),
    ],
)
def test_an_error_is_told_by_its_state(later, state, failure):
    with pytest.raises(failure) as told, transaction(later) as connection:
        connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")
    assert type(told.value) is failure


def test_another_error_is_the_statements_own(later):
    with pytest.raises(sa.exc.DBAPIError) as told, transaction(later) as connection:
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '54000'; END $$")
    assert isinstance(told.value.orig, psycopg.errors.ProgramLimitExceeded)
