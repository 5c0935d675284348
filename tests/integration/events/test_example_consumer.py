"""The consumer in the documentation, run as it stands there."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from patient_service.models import kernel
from patient_service.schemas import PatientOut
from shared.events.control import replay
from shared.events.outbox import Event, write_events
from shared.people.announcements import deleted
from standins.local import wait_until

pytestmark = pytest.mark.slow

README = Path(__file__).parents[3] / "docs" / "events" / "README.md"


@pytest.fixture
def consume(broker, tmp_path):
    """Starts the documented consumer as a process."""
    (program,) = [block.split("```")[0] for block in README.read_text(encoding="utf-8").split("```python\n")[1:]]
    started = []

    def start():
        environment = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "DATABASE": str(tmp_path / "consumer.db")}
        started.append(subprocess.Popen([sys.executable, "-W", "error", "-c", program], env=os.environ | environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def known(tmp_path):
    """What the consumer made of the events: the names by id, and how many events it remembers."""

    def look():
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(tmp_path / "consumer.db")) as database:
            names = database.execute("SELECT id, json_extract(data, '$.nachname') FROM patients").fetchall()
            return dict(names), database.execute("SELECT count(*) FROM seen").fetchone()[0]
        return {}, 0

    return look


def told(kind, number, name, **details):
    patient = dict.fromkeys(PatientOut.model_fields) | {"id": number, "nachname": name}
    return Event(f"patient.{kind}", number, {"patient_id": number, "patient_data": patient, **details})


def test_it_keeps_up_remembers_and_survives_being_killed(outbox, relay, consume, known):
    outbox.do(write_events, [told("created", 1, "Ada"), told("created", 2, "Eva")])
    relay.once()
    process = consume()
    assert wait_until(lambda: known() == ({1: "Ada", 2: "Eva"}, 2), 60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    married = told("status_changed", 1, "Ada M.", old_status="offen", new_status="in_Therapie")
    outbox.do(write_events, [married, deleted(kernel, 2)])
    relay.once()
    # Everything again, in front of one more event: what was seen changes nothing.
    outbox.do(replay, "api:eva", since=None, entity_id=None)
    outbox.do(write_events, [told("updated", 1, "Ada N.")])
    relay.once()
    consume()
    assert wait_until(lambda: known() == ({1: "Ada N."}, 5), 60)
