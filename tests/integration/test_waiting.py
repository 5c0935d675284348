"""`imports run` beside a running service, and what a person sees of a slow pass."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading

import pytest

from standins.local import wait_until
from tests import processes

pytestmark = pytest.mark.slow

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NAMES = [f"A_B_20250705_{number:08x}.json" for number in range(3)]


@pytest.fixture
def service(run_service, patients):
    """The patient service, its first pass over. It looks by itself once an hour."""
    started = run_service("patient", PATIENT_IMPORT_CHECK_INTERVAL_SECONDS="3600")
    assert wait_until(lambda: passes(patients) == [("schedule", True)], 120)
    return started


def passes(patients):
    rows = patients.rows("SELECT trigger, finished_at FROM patient_service.import_passes ORDER BY id")
    return [(row["trigger"], row["finished_at"] is not None) for row in rows]


@pytest.fixture
def three_files(patients, make_registration):
    for number, name in enumerate(NAMES):
        patients.upload(make_registration(f"{number:08x}", email=f"m{number}@example.com"), name)


class Terminal:
    """A command on a terminal, and what the person has seen so far."""

    def __init__(self, environment, *arguments):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        command = [sys.executable, "-m", "curavani", *arguments]
        self.process = processes.Popen(
            command, env={**environment, "TERM": "xterm"}, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._raw = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        try:
            while found := os.read(self._master, 65536):
                self._raw += found
        except OSError:  # the other side of the terminal is closed
            pass

    @property
    def seen(self):
        return _ESCAPES.sub("", self._raw.decode(errors="replace"))

    def end(self):
        code = self.process.wait(timeout=120)
        self._reader.join(timeout=60)
        os.close(self._master)
        return code


def shows_files_rate_and_time_left(seen):
    return re.search(r"patient import .*1/3 \S+ records/(s|min) .* left \d+:\d\d", seen)


def test_a_slow_pass_shows_files_rate_and_time_left(process_environment, patients, three_files):
    met = patients.storage.faults.taken
    patients.storage.faults.add("download", "hold", times=None, name=NAMES[1])
    terminal = Terminal(process_environment, "imports", "run", "patient")
    assert wait_until(lambda: patients.storage.faults.taken > met, 120)
    assert wait_until(lambda: shows_files_rate_and_time_left(terminal.seen), 60), terminal.seen
    patients.storage.faults.clear()
    # The client may have given that download up; then it is tried again later.
    assert terminal.end() in (0, 1)


def test_wait_asks_a_running_service_for_a_pass_and_reports_that_one(curavani, service, patients, three_files):
    patients.upload(b"{", "broken.json")
    refused = curavani("imports", "run", "patient")
    assert (refused.returncode, len(passes(patients))) == (3, 1)
    ran = curavani("imports", "run", "patient", "--wait", "--json")
    assert "asked it for a pass" in ran.stderr
    report = json.loads(ran.stdout)
    assert report["files"] == {"success": 3, "failed": 1}
    assert (ran.returncode, report["trouble"]) == (1, True)
    assert passes(patients) == [("schedule", True)] * 2
    again = curavani("imports", "run", "patient", "--wait", "--json")
    assert (again.returncode, json.loads(again.stdout)["left_alone"]) == (0, {"waits_for_a_person": 1})


def test_a_pass_at_work_already_is_not_reported_as_the_one_asked_for(
    process_environment, curavani, service, patients, three_files
):
    met = patients.storage.faults.taken
    patients.storage.faults.add("download", "hold", times=None, name=NAMES[1])
    with patients.engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_notify('curavani_patient_service_import', '')")
    assert wait_until(lambda: patients.storage.faults.taken > met, 60)
    patients.upload(b"{", "late.json")
    terminal = Terminal(process_environment, "imports", "run", "patient", "--wait")
    assert wait_until(lambda: shows_files_rate_and_time_left(terminal.seen), 60), terminal.seen
    patients.storage.faults.clear()
    assert terminal.end() == 1
    assert re.search(r"failed\s+1\b", terminal.seen)
    assert passes(patients) == [("schedule", True)] * 3


def test_the_command_imports_itself_where_the_service_dies_meanwhile(
    process_environment, service, patients, three_files
):
    met = patients.storage.faults.taken
    patients.storage.faults.add("download", "hold", times=None, name=NAMES[1])
    waiting = processes.Popen(
        [sys.executable, "-m", "curavani", "imports", "run", "patient", "--wait", "--json"],
        env=process_environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert wait_until(lambda: patients.storage.faults.taken > met, 120)
    os.killpg(service.process.pid, signal.SIGKILL)
    patients.storage.faults.clear()
    report = json.loads(waiting.communicate(timeout=120)[0])
    assert waiting.returncode == 0
    assert report["files"]["success"] >= 2
    assert [trigger for trigger, _ in passes(patients)] == ["schedule", "schedule", "command"]
    assert len(patients.patients()) == 3


def test_ctrl_c_while_waiting_leaves_the_service_to_its_pass(process_environment, service, patients, three_files):
    met = patients.storage.faults.taken
    patients.storage.faults.add("download", "hold", times=None, name=NAMES[1])
    waiting = processes.Popen(
        [sys.executable, "-m", "curavani", "imports", "run", "patient", "--wait"],
        env=process_environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_until(lambda: patients.storage.faults.taken > met, 120)
    waiting.send_signal(signal.SIGINT)
    assert "The service goes on with its pass" in waiting.communicate(timeout=60)[1]
    assert waiting.returncode == 130
    patients.storage.faults.clear()
    assert wait_until(lambda: passes(patients) == [("schedule", True)] * 2, 120)
