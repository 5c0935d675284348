"""A database that says nothing more is noticed, and one that is at work for long is left to it."""

from contextlib import closing

import psycopg
import pytest
import sqlalchemy as sa

from shared.database.driver import driver_of
from shared.database.engine import transaction
from shared.database.patience import PatientConnection
from standins.between import Between, Harm

pytestmark = pytest.mark.slow


class Connection(PatientConnection):
    """Looks sooner than anybody would want it to."""

    look_seconds = 0.2


@pytest.fixture
def between(database_url):
    url = sa.make_url(database_url)
    with Between(url.host, url.port) as started:
        yield started


@pytest.fixture
def connection(database_url, between):
    led = sa.make_url(database_url).set(port=between.port).render_as_string(hide_password=False)
    with closing(Connection.connect(led, autocommit=True, connect_timeout=2)) as opened:
        opened.server_process = opened.info.backend_pid
        yield opened


def test_a_statement_that_takes_long_is_waited_for(connection):
    assert connection.execute("SELECT 7 FROM pg_sleep(2)").fetchone() == (7,)


def test_a_server_that_lets_nobody_else_in_is_at_work_nevertheless(connection, database_url):
    server, _, name = database_url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as other:
        other.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        assert connection.execute("SELECT 7 FROM pg_sleep(2)").fetchone() == (7,)
        other.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


@pytest.mark.parametrize("harm", [Harm.HALF_THEN_SILENCE, Harm.SLOWLY, Harm.LOST])
def test_an_answer_that_does_not_come_ends_the_connection(connection, between, harm):
    between.harm = harm
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT repeat('x', 1000)")
    assert connection.closed


def test_a_large_amount_that_nobody_takes_ends_the_connection(connection, between):
    between.harm = Harm.HALF_THEN_SILENCE
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT %s", ["x" * 100_000_000])


def test_every_connection_of_an_engine_is_watched_and_knows_who_answers(engine):
    with transaction(engine) as connection:
        driver = driver_of(connection)
        assert isinstance(driver, PatientConnection)
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() == driver.server_process
