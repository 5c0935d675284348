"""The command line before a person: a terminal of some width, colours, progress, Ctrl-C, completion, help."""

import fcntl
import json
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios

import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner

from curavani.__main__ import app
from curavani.pages.commands import all_commands
from standins.local import wait_until
from tests import processes

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COMMANDS = dict(all_commands(typer.main.get_command(app), "curavani"))


@pytest.fixture
def environment(database_url, bucket, storage_server, tmp_path):
    (tmp_path / "scrapes").mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "DATABASE_URL": database_url,
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path / "scrapes"),
        "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
    }


@pytest.fixture
def on_terminal(environment):
    """Runs a command on a terminal so many columns wide; returns exit code and what the person saw."""

    def run(columns, *arguments, **changes):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = processes.Popen(
            [sys.executable, "-m", "curavani", *arguments],
            env={**environment, **changes},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        seen = b"".join(iter(lambda: _read(master), b"")).decode()
        os.close(master)
        return process.wait(timeout=60), seen

    return run


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side of the terminal is closed
        return b""


@pytest.fixture
def piped(environment):
    def run(*arguments, **changes):
        return processes.run(
            [sys.executable, "-m", "curavani", *arguments],
            env={**environment, **changes},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def a_failed_file(patients):
    patients.upload(b"{", f"[red]Müller[/]_\x1b]0;owned\x07_{'x' * 120}_20250705_0b1ab67b.json")
    patients.run()


@pytest.mark.parametrize("columns", [80, 120])
def test_a_table_fits_the_terminal_and_shows_names_as_they_are(on_terminal, a_failed_file, columns):
    code, seen = on_terminal(columns, "imports", "list")
    assert code == 0
    lines = _ESCAPES.sub("", seen).splitlines()
    assert all(cell_len(line) <= columns for line in lines)
    assert "\x1b]0;" not in seen
    name = "".join(line[line.rindex("  ") + 2 :] if "  " in line else line for line in map(str.rstrip, lines))
    assert r"[red]Müller[/]_\x1b]0;owned\x07_" in name.replace(" ", "")


def test_colours_show_on_a_terminal_only_and_not_with_no_color(on_terminal, piped, a_failed_file):
    red = "\x1b[31m"
    assert red in on_terminal(100, "imports", "list")[1]
    assert red not in on_terminal(100, "imports", "list", NO_COLOR="1")[1]
    assert "\x1b" not in piped("imports", "list").stdout


def test_a_row_is_one_line_where_nobody_watches(piped, a_failed_file):
    (names, row) = piped("imports", "list").stdout.splitlines()
    number, status, code, *_, name = row.split("\t")
    assert (number, status, code) == ("P1", "failed", "invalid_json")
    assert name.endswith("0b1ab67b.json")
    assert names.startswith("id\tstatus\tcode\t")


def test_files_are_listed_by_words_in_their_names_and_by_when_they_came(
    therapists, environment, patients, make_therapist
):
    for name in ("Müller_Jörg_20250705_0b1ab67b.json", "MUELLER_Anna_20250705_0b1ab67c.json", "Meier_20%_x.json"):
        patients.upload(b"{", name)
    patients.run()
    with patients.engine.begin() as connection:
        at = "'2025-12-31 23:00Z'"
        connection.exec_driver_sql(f"UPDATE patient_service.import_tracking SET first_seen_at = {at} WHERE id = 3")
    therapists.scrape([make_therapist(1)])
    therapists.run()

    def listed(*options):
        ran = CliRunner().invoke(app, ["imports", "list", "--json", *options], env=environment)
        assert ran.exit_code == 0, ran.stderr
        return [file["id"] for file in json.loads(ran.stdout)]

    assert (listed()[0], listed()[-1]) == ("T1", "P3")
    assert set(listed("--search", "müller")) == set(listed("--search", "mueller")) == {"P1", "P2"}
    assert listed("--search", "JÖRG 0b1ab67b") == ["P1"]
    assert listed("--search", "20%_") == ["P3"]
    assert listed("--search", "52066") == ["T1"]
    assert "P3" not in listed("--since", "2026-01-01")
    assert set(listed("--since", "2025-12-31")) == {"T1", "P1", "P2", "P3"}
    assert len(listed("--limit", "2")) == 2


def test_a_run_shows_its_progress_on_a_terminal_only(on_terminal, piped, patients, make_registration):
    patients.upload(make_registration())
    code, seen = on_terminal(100, "imports", "run", "patient")
    assert code == 0
    assert "1/1" in seen
    assert "records/" in seen
    quiet = piped("imports", "run", "patient", "--json")
    assert "records/" not in quiet.stderr
    assert json.loads(quiet.stdout) == {"service": "patient", "files": {}, "left_alone": {}, "trouble": False}


@pytest.mark.slow
def test_ctrl_c_finishes_the_file_in_hand_and_the_next_run_the_rest(environment, patients, make_registration):
    names = [f"A_B_20250705_{number:08x}.json" for number in range(5)]
    for number, name in enumerate(names):
        patients.upload(make_registration(f"{number:08x}", email=f"m{number}@example.com"), name)
    met = patients.storage.faults.taken
    patients.storage.faults.add("download", "hold", name=names[2])
    process = processes.Popen(
        [sys.executable, "-m", "curavani", "imports", "run", "patient"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_until(lambda: patients.storage.faults.taken == met + 1, 60)
    process.send_signal(signal.SIGINT)
    patients.storage.faults.clear()
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping after the file in hand" in stderr
    assert "Traceback" not in stderr
    assert "success" in stdout
    imported = [file for file in patients.files() if file["status"] == "success"]
    assert [file["file_name"] for file in imported] == names[:3]
    assert all(file["source_deleted_at"] for file in imported)
    assert sorted(patients.in_bucket()) == names[3:]
    patients.run()
    assert len(patients.patients()) == len(names)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("curavani imp", {"imports"}),
        ("curavani imports run ", {"patient", "therapist"}),
        ("curavani imports list --status f", {"failed"}),
        ("curavani reviews re", {"resolve"}),
    ],
)
def test_the_shell_completes_commands_and_choices(environment, words, offered):
    asked = {"_CURAVANI_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    completed = CliRunner().invoke(app, env=environment | asked, prog_name="curavani")
    assert set(completed.stdout.split()) == offered


@pytest.mark.parametrize(("path", "command"), COMMANDS.items())
def test_each_command_has_examples_that_it_understands(path, command):
    lines = [line.strip() for line in (command.epilog or "").split("\n")[2:]]
    assert lines
    for line in lines:
        words = shlex.split(line.split(">")[0])
        assert line.startswith(path)
        command.make_context(path, words[path.count(" ") + 1 :])


def test_all_that_is_wrong_with_the_settings_is_named_at_once(piped):
    ran = piped("imports", "run", "therapist", DATABASE_URL="mysql://u:secret@x/y", LOG_LEVEL="LOUD", SMTP_PORT="0")
    assert ran.returncode == 2
    assert all(name in ran.stderr for name in ("DATABASE_URL", "LOG_LEVEL", "SMTP_PORT", "docs/settings.md"))
    assert not re.search("secret|LOUD", ran.stderr)


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("imports", "show", "P99"), "curavani imports list"),
        (("imports", "retry", "P99"), "curavani imports list"),
        (("imports", "discard", "T99", "--reason", "x"), "curavani imports list"),
        (("imports", "discard", "T99", "--reason", " "), "Say why"),
        (("imports", "retry"), "--all-failed"),
        (("imports", "retry", "--all-failed", "patient", "--code", "nonsense"), "docs/codes.md"),
        (("imports", "list", "--search", "a " * 21), "at most 20 words"),
        (("imports", "list", "--since", "2026"), "no date like 2026-03-01"),
        (("imports", "lst"), "Did you mean 'list'"),
        (("reviews", "show", "PE99"), "curavani reviews list"),
        (("reviews", "resolve", "T99", "--choose", "staff"), "curavani reviews list"),
        (("plan", "notes.txt"), "52066.json"),
        (("check", "/no/such/file.json"), "Check path"),
        (("patients", "consent", "0"), "greater than or equal to 1"),
        (("events", "replay", "patient"), "--since"),
    ],
)
def test_an_error_says_what_to_do_next(environment, arguments, advice):
    ran = CliRunner().invoke(app, arguments, env=environment)
    assert ran.exit_code == 2
    assert advice in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("Error: ")
    assert ran.stdout == ""


@pytest.mark.parametrize("typed", ["", "2\n", "x\n"])
def test_nothing_is_erased_unless_the_number_is_typed_again(environment, patients, make_registration, typed):
    patients.upload(make_registration())
    patients.run()
    ran = CliRunner().invoke(app, ["patients", "erase", "1"], env=environment, input=typed)
    assert ran.exit_code == 2
    assert "nothing was erased" in ran.stderr
    assert len(patients.patients()) == 1


def test_a_second_importer_is_named_and_waited_for_only_if_asked(piped, environment):
    held = processes.Popen(
        [sys.executable, "-c", _HOLDER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout.readline() == "held\n"
    ran = piped("imports", "run", "patient")
    assert ran.returncode == 3
    assert f":{held.pid}" in ran.stderr
    waiting = processes.Popen(
        [sys.executable, "-m", "curavani", "imports", "run", "patient", "--wait"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert f":{held.pid}" in waiting.stderr.readline()
    held.communicate("\n", timeout=60)
    assert waiting.communicate(timeout=60) is not None
    assert waiting.returncode == 0


_HOLDER = """
import os, sys
from shared.database.engine import create_engine
from shared.database.locks import LockName, hold
engine = create_engine(os.environ["DATABASE_URL"], application_name="holder")
with hold(engine, LockName("patient_service", "import")):
    print("held", flush=True)
    sys.stdin.readline()
engine.dispose()
"""
