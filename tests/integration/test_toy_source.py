"""A third source, a chamber's CSV of therapists, that runs through the whole engine without a change in `shared`.

It is what CONTRIBUTING walks through: a handful of methods, and the engine does the rest, crash and retry included.
"""

import csv
import hashlib
import io
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.core.errors import DatabaseUnavailable, DiskUnavailable, Finding, NotYet, RejectedError, StorageUnavailable
from shared.history.actions import record_action
from shared.imports import mend
from shared.imports.engine import Importer
from shared.imports.monitor import ImportMonitor
from shared.imports.records import Outcome, write_outcomes
from shared.imports.retry import RetryRule
from shared.imports.source import Found, Group, Settlement, SourceGone
from shared.words.statuses import FileStatus, RecordOutcome
from tests import processes
from therapist_service.models import kernel

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GOOD = "vorname,nachname\nAnna,Storch\nMax,Falke\n"


@dataclass(frozen=True, slots=True)
class CsvFile:
    path: Path


@dataclass(frozen=True, slots=True)
class CsvSource:
    """Lists of therapists, `*.csv` in one folder. What is applied is told in `operator_actions`, a row a line.

    A name that is an exception's in `FAULTS` makes the step of that name fail, as the world would.
    """

    folder: Path

    kernel = kernel
    releases = True

    def prepare(self, connection):
        """Nothing."""

    def discover(self, report):
        paths = sorted(self.folder.iterdir())
        for _ in [path for path in paths if path.suffix != ".csv"]:
            report.ignore("other_ending")
        return [self._found(path) for path in paths if path.suffix == ".csv"]

    def reconcile(self, connection, found):
        return []

    def groups(self, due):
        return [Group([due])] if due else []

    def open(self, locked, claim):
        if not claim.item.path.exists():
            raise SourceGone
        rows = list(csv.DictReader(io.StringIO(claim.item.path.read_text(encoding="utf-8"))))
        for row in rows:
            _fail_where_asked("open", row)
            if not row["nachname"]:
                raise RejectedError("validation_failed", [Finding("/nachname", "missing")])
        return rows

    def apply(self, connection, opened):
        return [self._apply(connection, file, content) for file, content in opened]

    def _apply(self, connection, file, content):
        outcomes = []
        for index, row in enumerate(content):
            record_action(connection, kernel, "list", row["nachname"])
            _fail_where_asked("apply", row, connection)
            outcomes.append(Outcome(index, RecordOutcome.NEW))
        write_outcomes(connection, kernel, file.id, outcomes)
        return Settlement(FileStatus.SUCCESS, None, {RecordOutcome.NEW: len(content)})

    def size(self, content):
        return len(content)

    def owes_release(self, file):
        return file.status == FileStatus.SUCCESS and file.source_deleted_at is None

    def release(self, locked, claim):
        claim.item.path.unlink()
        return True

    def conclude(self, connection, group):
        return ()

    def finish(self, connection):
        """Nothing."""

    def _found(self, path):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Found(f"csv|{path.name}|{digest}", CsvFile(path), {"file_name": path.name})


class Odd(Exception):
    """A fault of the program."""


FAULTS = {
    "Odd": Odd,
    "Later": DiskUnavailable,
    "Outage": StorageUnavailable,
    "Writing": NotYet("still_being_written", 1.0),
}


def _fail_where_asked(step, row, connection=None):
    where, _, fault = (row.get("fault") or "").partition(":")
    if where == step and fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if where == step and fault.startswith("SQL"):
        connection.execute(sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{fault[3:]}'; END $$"))
    if where == step and fault in FAULTS:
        raise FAULTS[fault]


class Csv:
    """The import of the folder, with what it works on."""

    def __init__(self, engine, folder, retry_base_seconds=0.0):
        self.engine = engine
        self.folder = folder
        importer = Importer(CsvSource(folder), RetryRule(3, retry_base_seconds))
        self.monitor = ImportMonitor(engine, kernel, importer, 60.0)

    def write(self, name, text=GOOD):
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self):
        return self.monitor.run_once("test")

    def rows(self, statement):
        with self.engine.begin() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def files(self):
        return self.rows("SELECT status, error_code, attempts FROM therapist_service.import_tracking ORDER BY id")

    def attempts(self):
        return self.rows(
            "SELECT import_id, number, status, code FROM therapist_service.import_attempts ORDER BY import_id, number"
        )

    def listed(self):
        return [
            name for (name,) in self.rows("SELECT actor FROM therapist_service.operator_actions WHERE action = 'list'")
        ]

    def problems(self):
        return self.rows(
            "SELECT code, import_id, resolved_at IS NULL FROM therapist_service.alert_outbox WHERE kind = 'problem'"
        )


@pytest.fixture
def lists(engine, tmp_path):
    folder = tmp_path / "lists"
    folder.mkdir()
    return Csv(engine, folder)


def faulty(fault, last_name="Specht"):
    return f"vorname,nachname,fault\nEva,{last_name},{fault}\n"


def test_files_are_imported_once_and_leave_their_source(lists):
    lists.write("a.csv")
    lists.write("notes.txt", "")
    report = lists.run()
    assert (dict(report.counts), dict(report.ignored)) == ({"success": 1}, {"other_ending": 1})
    assert lists.listed() == ["Storch", "Falke"]
    assert [path.name for path in lists.folder.iterdir()] == ["notes.txt"]
    assert lists.run().counts == {}


@pytest.mark.parametrize("step", ["open", "apply"])
def test_a_file_at_fault_within_a_batch_fails_alone(lists, step):
    lists.write("a.csv")
    lists.write("b.csv", faulty(f"{step}:Odd"))
    lists.write("c.csv", "vorname,nachname\nJo,Elster\n")
    assert dict(lists.run().counts) == {"success": 2, "failed": 1}
    assert lists.listed() == ["Storch", "Falke", "Elster"]
    assert lists.files() == [("success", None, 1), ("failed", "internal_error", 1), ("success", None, 1)]
    assert lists.problems() == [("internal_error", 2, True)]


def test_a_rejected_file_keeps_its_findings_and_every_attempt(lists):
    lists.write("a.csv", "vorname,nachname\nAnna,\n")
    lists.run()
    with lists.engine.begin() as connection:
        mend.retry(connection, kernel, [1], "test")
    lists.run()
    assert lists.rows("SELECT pointer, code FROM therapist_service.import_findings") == [("/nachname", "missing")]
    assert lists.attempts() == [(1, 1, "failed", "validation_failed"), (1, 2, "failed", "validation_failed")]


def test_what_the_world_is_at_fault_for_is_tried_again_until_the_attempts_are_used_up(lists):
    lists.write("a.csv", faulty("apply:Later"))
    assert [dict(lists.run().counts) for _ in range(4)] == [{"retrying": 1}, {"retrying": 1}, {"failed": 1}, {}]
    assert lists.files() == [("failed", "disk_unavailable", 3)]
    assert [status for *_, status, _ in lists.attempts()] == ["retrying", "retrying", "failed"]


def test_a_file_that_is_not_ready_costs_nothing(lists):
    lists.write("a.csv", faulty("open:Writing"))
    report = lists.run()
    assert (dict(report.counts), dict(report.ignored)) == ({}, {"still_being_written": 1})
    assert report.look_again_seconds == 1.0
    assert lists.files() == [("pending", None, 0)]
    assert lists.attempts() == [(1, 1, "released", None)]


def test_an_outage_ends_the_pass_and_costs_no_file_an_attempt_until_the_third_time_in_a_row(lists):
    lists.write("a.csv", faulty("apply:Outage"))
    lists.write("b.csv")
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            lists.run()
        assert lists.files()[0] == ("pending", None, 0)
    assert dict(lists.run().counts) == {"retrying": 1, "success": 1}
    assert lists.files() == [("retrying", "interrupted", 1), ("success", None, 1)]
    assert [status for import_id, _, status, _ in lists.attempts() if import_id == 1] == ["interrupted"] * 3


def test_interruptions_count_in_a_row_only(lists):
    lists.write("a.csv", faulty("apply:Outage"))
    for _ in range(3):
        with suppress(StorageUnavailable):
            lists.run()
    assert lists.files() == [("retrying", "interrupted", 1)]
    with pytest.raises(StorageUnavailable):
        lists.run()
    assert lists.files() == [("retrying", "interrupted", 1)]


OUTAGES = ["08006", "53300", "53100", "57P01", "25006"]
OF_THE_FILE = ["54000", "57014", "22001", "XX000"]


@pytest.mark.parametrize("state", OUTAGES)
def test_what_postgres_lacks_as_a_whole_is_an_outage(lists, state):
    lists.write("a.csv", faulty(f"apply:SQL{state}"))
    with pytest.raises(DatabaseUnavailable):
        lists.run()
    assert lists.files() == [("pending", None, 0)]


@pytest.mark.parametrize("state", OF_THE_FILE)
def test_any_other_error_of_the_database_is_the_files_own(lists, state):
    lists.write("a.csv", faulty(f"apply:SQL{state}"))
    lists.write("b.csv")
    assert dict(lists.run().counts) == {"failed": 1, "success": 1}
    assert lists.files() == [("failed", "internal_error", 1), ("success", None, 1)]


def test_a_right_that_is_missing_for_one_file_lets_the_others_go_on(lists):
    lists.write("a.csv", faulty("apply:SQL42501"))
    lists.write("b.csv")
    assert dict(lists.run().counts) == {"retrying": 1, "success": 1}
    assert lists.files() == [("retrying", "database_forbidden", 1), ("success", None, 1)]


def test_a_transaction_undone_for_another_ones_sake_is_tried_again_in_the_pass(lists):
    with lists.engine.begin() as connection:
        connection.execute(
            sa.text("""
            CREATE SEQUENCE tries;
            CREATE FUNCTION give_way() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF nextval('tries') < 3 THEN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END IF;
              RETURN NEW;
            END $$;
            CREATE TRIGGER give_way BEFORE INSERT ON therapist_service.operator_actions
              FOR EACH STATEMENT EXECUTE FUNCTION give_way()
            """)
        )
    lists.write("a.csv")
    assert dict(lists.run().counts) == {"success": 1}
    assert lists.listed() == ["Storch", "Falke"]
    assert lists.files() == [("success", None, 1)]


KILLED = """
import sys
from pathlib import Path
from shared.database.engine import create_engine
sys.path.insert(0, sys.argv[1])
from test_toy_source import Csv
Csv(create_engine(sys.argv[2], application_name="killed"), Path(sys.argv[3]), 3600.0).run()
"""


@pytest.mark.parametrize("step", ["open", "apply"])
def test_a_file_that_kills_the_process_pays_for_the_third_time_and_the_next_has_its_turn(lists, database_url, step):
    lists.write("a.csv", faulty(f"{step}:kill"))
    lists.write("b.csv")
    arguments = [str(Path(__file__).parent), database_url, str(lists.folder)]
    for _ in range(3):
        done = processes.run([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL
    assert lists.files()[0][0] == "pending"
    processes.run([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, check=True, timeout=120)
    assert [status for import_id, _, status, _ in lists.attempts() if import_id == 1] == ["interrupted"] * 3
    assert lists.listed() == ["Storch", "Falke"]
    assert lists.files() == [("retrying", "interrupted", 1), ("success", None, 1)]


def test_a_pass_that_was_cut_off_is_closed_as_such_and_told_until_one_gets_through(lists):
    lists.write("a.csv")
    with lists.engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO therapist_service.import_passes (trigger, actor) VALUES ('schedule', 'service')")
        )
    lists.run()
    passes = lists.rows("SELECT error_code, finished_at IS NOT NULL FROM therapist_service.import_passes ORDER BY id")
    assert passes == [("interrupted", True), (None, True)]
    assert lists.problems() == [("interrupted", None, False)]


def test_a_file_discarded_before_its_attempt_is_not_imported(lists):
    class Waiting(CsvSource):
        def groups(self, due):
            with lists.engine.begin() as connection:
                mend.discard(connection, kernel, due[0].file.id, "test", "not wanted")
            return [Group([due])]

    lists.write("a.csv")
    report = ImportMonitor(lists.engine, kernel, Importer(Waiting(lists.folder)), 60.0).run_once("test")
    assert dict(report.counts) == {"discarded": 1}
    assert (lists.listed(), lists.attempts()) == ([], [])
