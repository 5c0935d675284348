"""An erasure and an import of the same person in two real processes: one waits for the other, nobody comes back.

Each process is held in its transaction from outside, by a lock on a table that it writes last.
"""

import subprocess
import sys

import psycopg
import pytest

from standins.local import wait_until
from tests import processes

pytestmark = pytest.mark.slow

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = {database} AND locktype = %s"
OF_THIS = "(SELECT oid FROM pg_database WHERE datname = current_database())"
COMMANDS = {"import": ("imports", "run", "patient"), "erase": ("patients", "erase", "1", "--yes")}
WRITTEN_LAST = {"import": "patient_consents", "erase": "tombstones"}


@pytest.fixture
def start(process_environment):
    """Starts a command as a process of its own."""

    def started(command):
        line = [sys.executable, "-m", "curavani", *COMMANDS[command]]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return processes.Popen(line, env=process_environment, **quiet)

    return started


def connected(patients, **options):
    return psycopg.connect(patients.engine.url.set(drivername="postgresql").render_as_string(False), **options)


@pytest.mark.parametrize(
    ("commands", "answers"),
    [
        (("import", "erase"), {}),
        (("erase", "import"), {}),
        (("erase", "import"), {"anrede": "Herrn"}),
    ],
    ids=["the import is at work", "the erasure is at work", "the erasure is at work, and the file is broken"],
)
def test_who_comes_second_waits(patients, make_registration, start, commands, answers):
    patients.upload(make_registration())
    patients.run()
    patients.upload(make_registration("bbbbbbbb", telefon="0171 7", **answers), "b.json")

    with connected(patients) as blocker, connected(patients, autocommit=True) as watcher:

        def waits(kind):
            return watcher.execute(WAITING.format(database=OF_THIS), (kind,)).fetchone()[0] > 0

        blocker.execute(f"LOCK TABLE patient_service.{WRITTEN_LAST[commands[0]]} IN SHARE MODE")
        one = start(commands[0])
        assert wait_until(lambda: waits("relation"), 60)
        other = start(commands[1])
        assert wait_until(lambda: waits("advisory"), 60)
        blocker.rollback()
    assert one.wait(60) == 0
    other.wait(60)
    patients.run()
    assert patients.patients() == []
    assert patients.files()[-1]["error_code"] == "erased_registration"
    assert "0171 7" not in str(patients.rows("SELECT * FROM patient_service.event_outbox"))
    assert list(patients.copies.rglob("*.json")) == []
