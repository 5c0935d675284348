"""A pooler that shares sessions between transactions is refused by whoever would rely on a lock; one that does not is
as good as none.
"""

import pytest
import sqlalchemy as sa

from curavani.doctor import examine
from patient_service.app import create_app
from patient_service.models import kernel
from shared.core.errors import PoolerInTransactionMode
from shared.database.engine import create_engine, transaction
from shared.database.locks import LockName, hold, holder
from shared.database.pooler import require_own_sessions
from shared.workers.heartbeats import Heartbeats
from shared.workers.leader import Job, Leader
from standins.pooler import StandinPooler

pytestmark = pytest.mark.slow

LOCK = LockName(kernel.schema, "mailer")


@pytest.fixture
def pooler(database_url):
    started = StandinPooler(database_url, "session")
    yield started
    started.close()


@pytest.fixture
def pooled_url(pooler, database_url):
    url = sa.make_url(database_url).set(port=pooler.port)
    return url.render_as_string(hide_password=False)


@pytest.fixture
def pooled(pooled_url):
    engine = create_engine(pooled_url, application_name="tests")
    yield engine
    engine.dispose()


@pytest.fixture
def in_transaction_mode(pooler):
    pooler.mode = "transaction"


def test_sessions_that_are_ours_alone_hold_locks_and_times_of_utc(pooled):
    require_own_sessions(pooled)
    with hold(pooled, LOCK) as locked:
        locked.require_same_session()
        with locked.transaction() as connection:
            assert connection.exec_driver_sql("SHOW timezone").scalar_one() == "UTC"


@pytest.mark.usefixtures("in_transaction_mode")
def test_a_lock_that_would_not_stay_is_not_taken(pooled, engine):
    with pytest.raises(PoolerInTransactionMode), hold(pooled, LOCK):
        pass
    with transaction(engine) as connection:
        assert holder(connection, LOCK) is None


def test_a_session_that_is_changed_between_transactions_is_noticed_where_others_took_the_first(pooled, pooler):
    pooler.mode = "transaction"
    with pooled.connect() as busy, pooled.connect() as other:
        # Whoever has a transaction in hand keeps a session from the two that are compared.
        with busy.begin(), other.begin():
            busy.exec_driver_sql("SELECT 1")
            other.exec_driver_sql("SELECT 1")
        with pytest.raises(PoolerInTransactionMode):
            require_own_sessions(pooled)


def test_a_leader_stops_where_its_lock_stays_behind(pooled, pooler):
    told, codes = [], []

    class Looks:
        def is_set(self):
            return bool(codes)

        def wait(self, _seconds):
            return True

    def turn(locked, _stopping):
        told.append("turn")
        with hold(pooled, LockName(kernel.schema, "relay")):
            # From now on the next transaction is given the other session.
            pooler.mode = "transaction"
        return 0.0

    job = Job("mailer", kernel.channel("alerts"), turn, away=lambda error: codes.append(error.code))
    Leader(pooled, kernel, job, Heartbeats(pooled, kernel)).run(Looks())
    assert codes == ["pooler_in_transaction_mode"]


@pytest.mark.usefixtures("in_transaction_mode")
def test_readiness_health_metrics_console_and_api_say_so(pooled_url, process_environment, pooled):
    brokers = {"KAFKA_BOOTSTRAP_SERVERS": "no-such-host.invalid:9092"}
    app = create_app({**process_environment, **brokers, "DATABASE_URL": pooled_url}, start_workers=False)
    client = app.test_client()
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["code"]) == (503, "pooler_in_transaction_mode")
    health = client.get("/health/import")
    assert (health.status_code, health.json["details"]["database"]["code"]) == (503, "pooler_in_transaction_mode")
    assert health.json["details"]["broker"] == {"ok": False, "code": "broker_address_unknown", "reason": "_RESOLVE"}
    metrics = client.get("/metrics").text
    assert 'curavani_database_up{service="patient-service"} 0.0' in metrics
    assert 'curavani_database_trouble{code="pooler_in_transaction_mode",service="patient-service"} 1.0' in metrics
    broker = 'code="broker_address_unknown",dependency="broker",service="patient-service"'
    assert f"curavani_dependency_trouble{{{broker}}} 1.0" in metrics
    console = client.get("/console/")
    assert console.status_code == 503
    assert "Pooler" in console.text
    answer = client.get("/api/patients", headers={"Authorization": "Bearer a-token-of-24-characters"})
    assert answer.status_code == 503
    assert "session mode" in answer.json["message"]
    app.extensions["curavani"].close()


@pytest.mark.usefixtures("in_transaction_mode")
def test_doctor_and_commands_refuse_it(pooled_url, process_environment, curavani):
    found = {entry.part: entry for entry in examine({**process_environment, "DATABASE_URL": pooled_url})}
    assert (found["database"].state, "session mode" in found["database"].advice) == ("failing", True)
    ran = curavani("imports", "list", DATABASE_URL=pooled_url)
    assert ran.returncode == 3
    assert "pooler_in_transaction_mode" in ran.stderr
