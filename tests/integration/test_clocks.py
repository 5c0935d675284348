"""Two machines of which one has a clock that is wrong by hours: what it writes and decides is by the database's."""

import sys

import pytest
import sqlalchemy as sa

from shared.database.engine import transaction
from tests import processes

pytestmark = pytest.mark.slow

# The hours by which the process's clock is wrong come first.
SHIFTED = """
import sys, time
import time_machine
hours, *arguments = sys.argv[1:]
from curavani.__main__ import main
with time_machine.travel(time.time() + 3600 * float(hours), tick=True):
    sys.argv = ["curavani", *arguments]
    main()
"""
# What comes from the file, and not from anybody's clock.
GIVEN = ("given_at", "registration_timestamp", "moment")


@pytest.fixture
def moments(engine):
    """Every time of the schema that was written, as hours from now, by table and column."""

    def read():
        found = {}
        with transaction(engine) as connection:
            columns = connection.execute(
                sa.text(
                    "SELECT table_name, column_name FROM information_schema.columns"
                    " WHERE table_schema = 'patient_service' AND data_type = 'timestamp with time zone'"
                )
            ).all()
            for table, column in columns:
                statement = f"SELECT extract(epoch FROM {column} - now()) / 3600 FROM patient_service.{table}"
                hours = [float(it) for it in connection.execute(sa.text(statement)).scalars() if it is not None]
                if hours and column not in GIVEN:
                    found[table, column] = hours
        return found

    return read


@pytest.fixture
def waiting(storage_server, bucket, make_registration):
    """Three uploads: one is good, one is no JSON, and one is refused once, and waits for its second attempt."""
    storage_server.put(bucket, "Mustermann_Max_20250705_0b1ab67b.json", make_registration())
    storage_server.put(bucket, "Mustermann_Eva_20250705_0b1ab67c.json", b"{")
    later = make_registration("0b1ab67d", vorname="Ole", email="ole@example.com")
    storage_server.put(bucket, "Mustermann_Ole_20250705_0b1ab67d.json", later)
    storage_server.faults.add("download", 403, None, "Mustermann_Ole_20250705_0b1ab67d.json")


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("hours", [-7, 7])
def test_a_process_whose_clock_is_wrong_writes_and_decides_by_the_databases(hours, process_environment, moments):
    command = [sys.executable, "-c", SHIFTED, str(hours), "imports", "run", "patient"]
    environment = {**process_environment, "PATIENT_IMPORT_RETRY_BASE_SECONDS": "600"}
    done = processes.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    found = moments()
    # Neither due at once nor in seven hours.
    (waits,) = found.pop(("import_tracking", "next_attempt_at"))
    assert 0.1 < waits < 0.25
    (next_pass,) = found.pop(("import_passes", "next_pass_at"), [0.0])
    assert next_pass < 1
    assert {("import_tracking", "processed_at"), ("patienten", "created_at"), ("event_outbox", "created_at")} <= set(
        found
    )
    assert {name: ages for name, ages in found.items() if not all(-0.2 < age <= 0 for age in ages)} == {}
