"""PgBouncer itself between us and PostgreSQL, with its defaults and in the modes that it has."""

from contextlib import closing, contextmanager

import pytest

from patient_service.models import kernel
from shared.core.errors import PoolerInTransactionMode
from shared.database.engine import create_engine
from shared.database.locks import LockName, hold
from shared.database.pooler import require_own_sessions
from tests.engines.pooler import PgBouncer

LOCK = LockName(kernel.schema, "mailer")


@pytest.fixture
def pooled(database_url, tmp_path):
    """Starts PgBouncer before the database with these changes of its defaults; gives an engine that goes through it."""

    @contextmanager
    def start(**changes):
        with closing(PgBouncer(database_url, tmp_path / "pgbouncer", **changes)) as pooler:
            engine = create_engine(pooler.url(database_url), application_name="tests")
            yield engine
            engine.dispose()

    return start


def test_with_its_defaults_locks_hold_and_times_are_utc(pooled):
    with pooled() as engine:
        require_own_sessions(engine)
        for _ in range(3):
            with hold(engine, LOCK) as locked:
                locked.require_same_session()
                with locked.transaction() as connection:
                    assert connection.exec_driver_sql("SHOW timezone").scalar_one() == "UTC"


@pytest.mark.parametrize("round_robin", [0, 1])
def test_transaction_mode_is_refused(pooled, round_robin):
    with pooled(pool_mode="transaction", server_round_robin=str(round_robin)) as engine:
        for _ in range(3):
            with pytest.raises(PoolerInTransactionMode), hold(engine, LOCK):
                pass


def test_transaction_mode_is_refused_where_it_has_one_session_only(pooled):
    with pooled(pool_mode="transaction", default_pool_size="1") as engine, pytest.raises(PoolerInTransactionMode):
        require_own_sessions(engine)


def test_statement_mode_is_refused(pooled):
    with pooled(pool_mode="statement") as engine, pytest.raises(PoolerInTransactionMode):
        require_own_sessions(engine)
