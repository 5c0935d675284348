"""The command line, as its own process: data, talk and exit codes."""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.slow


def test_a_broken_registration_is_imported_shown_and_discarded(curavani, storage_server, bucket, make_registration):
    storage_server.put(bucket, "Mustermann_Max_20250705_0b1ab67b.json", make_registration())
    storage_server.put(bucket, "broken.json", b"{")
    ran = curavani("imports", "run", "patient")
    assert ran.returncode == 1
    assert "Mustermann" not in ran.stdout + ran.stderr
    assert curavani("imports", "run", "patient").returncode == 0
    (failed,) = json.loads(curavani("imports", "list", "patient", "--status", "failed", "--json").stdout)
    assert failed["error_code"] == "invalid_json"
    shown = curavani("imports", "show", failed["id"])
    assert "retry or discard it" in shown.stdout
    assert curavani("imports", "retry", failed["id"]).returncode == 0
    assert curavani("imports", "run", "patient").returncode == 1
    assert curavani("imports", "discard", failed["id"], "--reason", "broken", "--delete-source").returncode == 0
    assert curavani("imports", "run", "patient").returncode == 0
    assert storage_server.names(bucket) == []
    for again in ("retry", failed["id"]), ("discard", failed["id"], "--reason", "broken"):
        refused = curavani("imports", *again)
        assert (refused.returncode, f"File {failed['id']} is discarded" in refused.stderr) == (2, True)
    consent = json.loads(curavani("patients", "consent", "1", "--json").stdout)
    assert consent[0]["registration_token"] == "0b1ab67b"
    certificate = json.loads(curavani("patients", "erase", "1", "--yes").stdout)
    assert certificate["patient_id"] == 1


def test_a_plan_tells_what_would_change_and_changes_nothing(curavani, tmp_path, make_therapist):
    file = tmp_path / "52066.json"
    file.write_text(json.dumps({"metadata": {}, "therapists": [make_therapist(1)]}))
    planned = json.loads(curavani("plan", str(file), "--json").stdout)
    assert planned["counts"] == {"new": 1}
    assert json.loads(curavani("imports", "list", "--json").stdout) == []
    (tmp_path / "scrapes" / "52066.json").write_bytes(file.read_bytes())
    assert curavani("imports", "run", "therapist").returncode == 0
    assert [file["id"] for file in json.loads(curavani("imports", "list", "--json").stdout)] == ["T1"]


def test_check_needs_no_database_and_names_the_place(curavani, tmp_path, make_registration):
    good, bad = tmp_path / "A_B_20250705_0b1ab67b.json", tmp_path / "C_D_20250705_0b1ab67b.json"
    good.write_bytes(make_registration())
    bad.write_bytes(make_registration(anrede="Dr."))
    assert curavani("check", str(good), DATABASE_URL="").returncode == 0
    checked = curavani("check", str(bad), "--json", DATABASE_URL="")
    assert checked.returncode == 1
    assert json.loads(checked.stdout)[0]["findings"][0]["pointer"] == "/patient_data/anrede"


@pytest.mark.parametrize(
    ("arguments", "changes", "code"),
    [
        (("imports", "run", "patient"), {"DATABASE_URL": ""}, 2),
        (("imports", "run", "nobody"), {}, 2),
        (("imports", "show", "X1"), {}, 2),
        (("imports", "show", "P99"), {}, 2),
        (("imports", "run", "patient"), {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, 3),
        (("imports", "run", "patient"), {"GCS_IMPORT_BUCKET": "no-such-bucket"}, 3),
        (("imports", "run", "therapist"), {"THERAPIST_IMPORT_FOLDER_PATH": "/no/such/folder"}, 3),
        (("serve", "patient"), {"API_TOKENS": ""}, 2),
        (("db", "check"), {}, 0),
    ],
)
def test_exit_codes_without_a_traceback_or_a_secret(curavani, arguments, changes, code):
    ran = curavani(*arguments, **changes)
    assert ran.returncode == code
    assert "Traceback" not in ran.stderr
    assert "secret" not in ran.stdout + ran.stderr


@pytest.fixture
def temporary_files():
    """A folder that PostgreSQL may enter, too, which does not run as root; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


def test_a_demo_that_is_ended_early_leaves_nothing_behind(process_environment, temporary_files):
    demo = subprocess.Popen(
        [sys.executable, "-m", "curavani", "demo", "--once", "--therapists", "1"],
        env={**process_environment, "TMPDIR": str(temporary_files)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stderr is not None
    with demo.stderr:
        said = [next(line for line in demo.stderr if "lie in the bucket" in line)]
        left = list(temporary_files.iterdir())
        demo.terminate()
        said += demo.stderr
        code = demo.wait(60)
    assert code == 128 + signal.SIGTERM, said
    assert left
    assert list(temporary_files.iterdir()) == []


def test_doctor_tells_what_to_do(curavani):
    found = {entry["part"]: entry["state"] for entry in json.loads(curavani("doctor", "--json").stdout)}
    assert found == {
        "database": "ok",
        "connections": "ok",
        "bucket": "ok",
        "local copies": "ok",
        "therapist folder": "ok",
        "digest key": "not configured",
        "kafka": "not configured",
        "communication events": "not configured",
        "mail": "not configured",
        "access": "ok",
        "patient import": "not running",
        "therapist import": "not running",
    }


def test_a_fault_of_the_program_tells_its_place_but_not_what_the_database_said(
    curavani, engine, storage_server, bucket
):
    storage_server.put(bucket, "broken.json", b"{")
    curavani("imports", "run", "patient")
    with engine.begin() as connection:
        connection.execute(sa.text(_QUOTES_THE_ROW))
        connection.execute(
            sa.text(
                "CREATE TRIGGER refuses BEFORE INSERT ON patient_service.operator_actions"
                " FOR EACH ROW EXECUTE FUNCTION patient_service.quotes_the_row()"
            )
        )
    ended = curavani("imports", "discard", "P1", "--reason", "canary zqxk")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "internal_error" in ended.stderr
    assert "command_crashed" in ended.stderr
    assert "mend.py" in ended.stderr
    assert "zqxk" not in ended.stderr
    assert "Traceback" not in ended.stderr


_QUOTES_THE_ROW = """
CREATE FUNCTION patient_service.quotes_the_row() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused: %', NEW.reason; END $$
"""
