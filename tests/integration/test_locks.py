"""The connection that holds a lock: once it is gone, nothing is done through it any more."""

import psycopg
import pytest
import sqlalchemy as sa

from patient_service.models import kernel
from shared.core.errors import DatabaseUnavailable, LockHeld, LockLost
from shared.database.locks import LockName, hold

LOCK = LockName(kernel.schema, "import")


def query(locked):
    with locked.transaction() as connection:
        return connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()


def single_statement(locked):
    with locked.single_statements() as connection:
        connection.execute(sa.text("SELECT 1"))


def wait(locked):
    locked.wait(0.01)


def listen(locked):
    locked.listen("anything")


@pytest.fixture
def cut_off(engine, database_url):
    """A holder of the lock whose session was ended, and who has noticed."""
    with hold(engine, LOCK) as locked:
        session = query(locked)
        with psycopg.connect(database_url, autocommit=True) as killer:
            killer.execute("SELECT pg_terminate_backend(%s, 10000)", [session])
        with pytest.raises(DatabaseUnavailable):
            query(locked)
        yield locked


@pytest.mark.parametrize("act", [query, single_statement, wait, listen])
def test_a_holder_that_lost_its_connection_does_not_go_on_with_another_one(cut_off, act):
    for _ in range(2):
        with pytest.raises(LockLost):
            act(cut_off)


@pytest.mark.parametrize("act", [query, single_statement, wait, listen])
def test_a_lock_that_was_given_back_serves_no_transaction(engine, act):
    with hold(engine, LOCK) as locked:
        act(locked)
    with pytest.raises(LockLost):
        act(locked)


def test_the_lock_of_a_lost_connection_is_free_for_others(cut_off, engine):
    with hold(engine, LOCK) as locked, pytest.raises(LockHeld), hold(engine, LOCK):
        pytest.fail("held twice")
    with pytest.raises(LockLost):
        query(locked)
