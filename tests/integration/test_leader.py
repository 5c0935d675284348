"""Who leads, and when a standby ends the session of a holder that has fallen silent."""

import threading
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from patient_service.models import kernel
from shared.database.engine import transaction
from shared.database.locks import LockName, end_holder, hold, holder, identity
from shared.database.revision import NEEDED_REVISION
from shared.workers.heartbeats import Heartbeats, is_silent
from shared.workers.leader import Job, Leader
from standins.local import wait_until

pytestmark = pytest.mark.slow

LOCK = LockName(kernel.schema, "import")
OTHER = "elsewhere:7"


@pytest.fixture
def held_elsewhere(database_url):
    """The lock in the hands of another process, whose connection is well."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [str(LOCK)])
        connection.execute("SELECT set_config('application_name', %s, false)", [OTHER])
        yield connection


@pytest.fixture
def beat(engine):
    """The other process's last heartbeat, so long ago."""

    def write(age):
        with transaction(engine) as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO patient_service.worker_heartbeats (worker, process, state, beat_at)"
                    " VALUES ('import', :process, 'leading', now() - CAST(:age AS interval))"
                ),
                {"process": OTHER, "age": age},
            )

    return write


@contextmanager
def standing_by(engine):
    """A leader of this process; tells whether it leads."""
    leads, stopping = threading.Event(), threading.Event()

    def turn(_locked, _stopping):
        leads.set()
        return 60.0

    leader = Leader(engine, kernel, Job("import", kernel.channel("import"), turn), Heartbeats(engine, kernel))
    thread = threading.Thread(target=leader.run, args=(stopping,))
    thread.start()
    try:
        yield leads
    finally:
        stopping.set()
        thread.join()


class Looks(threading.Event):
    """Stops a worker after so many looks, and lets it not wait between them."""

    def __init__(self, number):
        super().__init__()
        self.left = number

    def wait(self, timeout=None):
        self.left -= 1
        if self.left <= 0:
            self.set()
        return self.is_set()


def set_revision(engine, revision):
    with transaction(engine) as connection:
        connection.execute(sa.text("UPDATE curavani_version SET version_num = :it"), {"it": revision})


def idle(_locked, _stopping):
    return 0.0


@pytest.fixture
def worker(engine):
    return Leader(engine, kernel, Job("import", kernel.channel("import"), idle), Heartbeats(engine, kernel))


def what_is_logged(run):
    with capture_logs() as lines:
        run()
    return [(line["event"], line.get("code")) for line in lines]


def test_a_worker_says_once_that_its_schema_is_too_old_and_once_that_it_is_not(engine, worker):
    old = ("worker_interrupted", "database_not_migrated")
    set_revision(engine, "0000")
    assert what_is_logged(lambda: worker.run(Looks(3))) == [old]
    set_revision(engine, NEEDED_REVISION)
    with hold(engine, LOCK):
        assert what_is_logged(lambda: worker.run(Looks(3))) == [("worker_stands_by", None)]
        set_revision(engine, "0000")
        assert what_is_logged(lambda: worker.run(Looks(3))) == [old]
    assert what_is_logged(lambda: worker.run(Looks(3))) == []


def test_heartbeats_say_once_that_they_cannot_be_written_and_again_when_it_is_new(engine):
    beats = Heartbeats(engine, kernel)
    beats.set("import", "standby")
    rename = "ALTER TABLE patient_service.{} RENAME TO {}"

    def beat_thrice():
        for _ in range(3):
            beats.beat()

    for _ in range(2):
        with transaction(engine) as connection:
            connection.exec_driver_sql(rename.format("worker_heartbeats", "elsewhere"))
        assert what_is_logged(beat_thrice) == [("heartbeat_failed", "database_not_migrated")]
        with transaction(engine) as connection:
            connection.exec_driver_sql(rename.format("elsewhere", "worker_heartbeats"))
        assert what_is_logged(beat_thrice) == []


def test_a_holder_that_has_fallen_silent_is_replaced(engine, held_elsewhere, beat):
    beat("21 seconds")
    with standing_by(engine) as leads:
        assert leads.wait(30)
        with transaction(engine) as connection:
            assert holder(connection, LOCK) == identity()
    with pytest.raises(psycopg.OperationalError):
        held_elsewhere.execute("SELECT 1")


@pytest.mark.parametrize(("age", "silent"), [("21 seconds", True), ("10 seconds", False), (None, False)])
def test_only_a_process_that_gave_signs_of_life_can_fall_silent(engine, beat, age, silent):
    # A pass from the command line gives none, however long it takes.
    if age is not None:
        beat(age)
    with transaction(engine) as connection:
        assert is_silent(connection, kernel, "import", OTHER) is silent


def test_only_the_session_of_the_process_that_is_meant_is_ended(engine, held_elsewhere):
    with transaction(engine) as connection:
        assert not end_holder(connection, LOCK, "another:8")
        assert holder(connection, LOCK) == OTHER
        assert end_holder(connection, LOCK, OTHER)

    def is_free():
        with transaction(engine) as connection:
            return holder(connection, LOCK) is None

    assert wait_until(is_free, 30)
    with hold(engine, LOCK), transaction(engine) as connection:
        assert not end_holder(connection, LOCK, OTHER)
