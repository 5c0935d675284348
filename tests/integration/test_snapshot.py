"""The snapshot reads what is there: each figure from the rows that it is about, and from no other."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from patient_service.models import kernel as patient_kernel
from shared.database.engine import transaction
from shared.database.locks import LockName, hold, identity
from shared.state.reading import read_snapshot
from shared.state.snapshot import Backlog, FinishedPass, Snapshot
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind, Work, WorkerState
from therapist_service.models import kernel

SCHEMA = "therapist_service"


@pytest.fixture
def snapshot_after(engine):
    """The snapshot after these statements, in one transaction with them, so that `now()` is the same moment."""

    def read(*statements, of=kernel):
        with transaction(engine) as connection:
            connection.execute(sa.text(f"SET LOCAL search_path TO {of.schema}"))
            for statement in statements:
                connection.execute(sa.text(statement))
            return read_snapshot(connection, of)

    return read


def file(key, status, **columns):
    """A file; the words of `columns` are SQL."""
    names = ", ".join(["source_key", "status", *columns])
    values = ", ".join([f"'{key}'", f"'{status}'", *map(str, columns.values())])
    return f"INSERT INTO import_tracking ({names}) VALUES ({values})"


def test_a_database_without_rows_gives_a_snapshot_of_nothing(snapshot_after):
    found = snapshot_after()
    nothing = dict.fromkeys(RecordOutcome, 0)
    assert found.records == found.today.records == found.last_day.records == nothing
    assert (found.files, found.today.files, found.last_day.files) == ({}, 0, 0)
    for name in ("first_pass_at", "last_pass", "last_success_at", "unfinished_since", "waiting_since", "last_failure"):
        assert getattr(found, name) is None, name
    for name in ("deletes", "events", "alerts", "parked", "problems", "is_broker_told", "due", "lock_holders"):
        assert getattr(found, name) == getattr(Snapshot(at=found.at), name), name


def test_files_are_counted_by_status_and_records_by_outcome(snapshot_after):
    found = snapshot_after(
        file("a", "success", therapist_count=3, new_count=2, updated_count=1),
        file("b", "partial", therapist_count=36 - 3, unchanged_count=3, deleted_count=4, reactivated_count=5,
             skipped_count=6, held_count=7, failed_count=8),
        file("c", "failed"),
        file("d", "failed"),
    )  # fmt: skip
    assert found.files == {FileStatus.SUCCESS: 1, FileStatus.PARTIAL: 1, FileStatus.FAILED: 2}
    assert found.records == dict(zip(RecordOutcome, (2, 1, 3, 4, 5, 6, 7, 8), strict=True))


def test_today_begins_at_midnight_in_germany_and_a_day_has_24_hours(snapshot_after):
    midnight = "date_trunc('day', now(), 'Europe/Berlin')"
    a_second = "interval '1 second'"
    found = snapshot_after(
        file("a", "success", processed_at=midnight, therapist_count=3, new_count=3),
        file("b", "failed", processed_at=midnight),
        file("c", "skipped", processed_at=midnight, therapist_count=1, skipped_count=1),
        file("d", "failed", processed_at=f"{midnight} - {a_second}"),
        file("e", "failed", processed_at=f"now() - interval '24 hours' - {a_second}"),
        file("f", "partial", processed_at="now() - interval '24 hours'", therapist_count=2, updated_count=2),
    )
    # The day's end may be the same moment as its beginning, shortly after midnight.
    of_day = [entry for entry in found.recent if entry.processed_at >= found.at - timedelta(days=1)]
    assert (found.today.files, found.today.applied, found.today.failed) == (3, 1, 1)
    assert found.today.records[RecordOutcome.NEW] == sum(found.today.records.values()) == 3
    assert found.last_day.files == len(of_day) == 5
    assert (found.last_day.applied, found.last_day.failed) == (2, 2)
    assert found.last_day.records[RecordOutcome.UPDATED] == 2
    assert found.last_day.records[RecordOutcome.SKIPPED] == 0


def test_what_waits_for_an_attempt_is_due_at_its_time(snapshot_after):
    found = snapshot_after(
        file("a", "pending"),
        file("b", "retrying", next_attempt_at="now()", first_seen_at="now() - interval '2 hours'"),
        file("c", "retrying", next_attempt_at="now() + interval '1 second'"),
        file("d", "failed", first_seen_at="now() - interval '9 hours'"),
    )
    assert (found.due, found.age(found.waiting_since)) == (2, 7200)


def test_what_was_applied_last_is_the_new_scrape(snapshot_after):
    found = snapshot_after(
        file("a", "success", first_seen_at="now() - interval '3 hours'"),
        file("b", "partial", first_seen_at="now() - interval '2 hours'"),
        file("c", "skipped", first_seen_at="now() - interval '1 hour'"),
        file("d", "failed"),
    )
    assert found.age(found.new_scrape_at) == 7200


def test_an_object_is_to_be_deleted_once_its_file_is_done_with(snapshot_after):
    lies = {"bucket": "'b'", "processed_at": "now() - interval '1 hour'"}
    older = {**lies, "processed_at": "now() - interval '9 hours'"}
    found = snapshot_after(
        file("a", "success", **lies),
        file("b", "skipped", **{**lies, "processed_at": "now() - interval '2 hours'"}),
        file("c", "discarded", **lies, delete_source="true"),
        file("d", "discarded", **older),
        file("e", "failed", **older),
        file("f", "success", **older, source_deleted_at="now()"),
        file("g", "success", processed_at="now() - interval '9 hours'"),
        of=patient_kernel,
    )
    assert (found.deletes.number, found.age(found.deletes.oldest)) == (3, 7200)


def test_a_source_that_keeps_its_files_has_none_to_be_deleted(snapshot_after):
    assert snapshot_after(file("a", "success", processed_at="now() - interval '9 hours'")).deletes == Backlog()


def test_a_pass_that_was_cut_off_says_nothing_of_how_the_import_is(snapshot_after):
    row = "INSERT INTO import_passes (trigger, actor, finished_at, error_code)"
    found = snapshot_after(
        f"{row} VALUES ('schedule', 'x', now() - interval '1 hour', NULL)",
        f"{row} VALUES ('schedule', 'x', now(), 'interrupted')",
    )
    assert (found.last_pass.error_code, found.age(found.last_pass.finished_at)) == (None, 3600)


def test_parked_events_are_counted_apart(snapshot_after):
    event = "INSERT INTO event_outbox (event_type, topic, key, payload, created_at, sent_at, parked_code)"
    found = snapshot_after(
        f"{event} VALUES ('x', 'x', '1', '{{}}', now() - interval '1 hour', NULL, NULL)",
        f"{event} VALUES ('x', 'x', '1', '{{}}', now(), NULL, NULL)",
        f"{event} VALUES ('x', 'x', '2', '{{}}', now() - interval '9 hours', NULL, 'event_too_large')",
        f"{event} VALUES ('x', 'x', '3', '{{}}', now() - interval '9 hours', now(), NULL)",
    )
    assert (found.events.number, found.age(found.events.oldest), found.parked) == (2, 3600, 1)


def test_an_alert_waits_unless_it_was_over_before_or_tells_of_the_waiting(snapshot_after):
    alert = "INSERT INTO alert_outbox (kind, code, fingerprint, created_at, sent_at, resolved_at)"
    found = snapshot_after(
        f"{alert} VALUES ('problem', 'x', 'a', now() - interval '1 hour', NULL, NULL)",
        f"{alert} VALUES ('resolved', 'x', 'b', now(), NULL, NULL)",
        f"{alert} VALUES ('problem', 'x', 'b', now() - interval '9 hours', NULL, now())",
        f"{alert} VALUES ('problem', 'x', 'c', now() - interval '9 hours', now(), NULL)",
        f"{alert} VALUES ('problem', 'x', 'watch:alerts_waiting', now() - interval '9 hours', NULL, NULL)",
    )
    assert (found.alerts.number, found.age(found.alerts.oldest)) == (2, 3600)
    assert (found.problems, found.is_broker_told) == (3, False)


@pytest.mark.parametrize(("resolved", "told"), [("NULL", True), ("now()", False)])
def test_brokers_are_told_to_be_away_as_long_as_that_problem_lasts(snapshot_after, resolved, told):
    alert = "INSERT INTO alert_outbox (kind, code, fingerprint, resolved_at)"
    found = snapshot_after(f"{alert} VALUES ('problem', 'broker_unavailable', 'broker', {resolved})")
    assert found.is_broker_told == told


def test_open_questions_are_counted_by_kind(snapshot_after):
    found = snapshot_after(
        "INSERT INTO reviews (kind) VALUES ('conflict'), ('conflict'), ('held_deletions')",
        "INSERT INTO reviews (kind, state, decided_at) VALUES ('possible_duplicate', 'resolved', now())",
    )
    assert found.open_reviews == {ReviewKind.CONFLICT: 2, ReviewKind.HELD_DELETIONS: 1}


def test_the_passes_that_matter_are_the_newest_the_last_that_ended_and_the_last_that_got_through(snapshot_after):
    row = "INSERT INTO import_passes (trigger, actor, started_at, finished_at, next_pass_at, error_code, counts)"
    found = snapshot_after(
        f"{row} VALUES ('schedule', 'x', now() - interval '9 hours', now() - interval '8 hours', NULL, NULL, '{{}}')",
        f"""{row} VALUES ('schedule', 'x', now() - interval '5 hours', now() - interval '4 hours', now(),
        'storage_unavailable', '{{"failed": 2}}')""",
        f"{row} VALUES ('command', 'x', now() - interval '1 hour', NULL, NULL, NULL, '{{}}')",
        file("a", "success", processed_at="now() - interval '1 hour'"),
        file("b", "failed", processed_at="now()"),
        file("c", "success", processed_at="now() - interval '61 minutes'"),
    )
    hour = timedelta(hours=1)
    assert found.last_pass == FinishedPass(
        found.at - 5 * hour, found.at - 4 * hour, found.at, "storage_unavailable", {"failed": 2}
    )
    assert (found.first_pass_at, found.last_success_at) == (found.at - 9 * hour, found.at - 8 * hour)
    assert (found.unfinished_since, found.in_pass.files) == (found.at - hour, 2)


def test_a_pass_that_ended_is_not_unfinished_whatever_was_before(snapshot_after):
    row = "INSERT INTO import_passes (trigger, actor, finished_at)"
    found = snapshot_after(f"{row} VALUES ('schedule', 'x', NULL)", f"{row} VALUES ('schedule', 'x', now())")
    assert (found.unfinished_since, found.in_pass.files) == (None, 0)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([], "storage_unavailable"),
        ([("failed", "invalid_json", 1)], "invalid_json"),
        ([("retrying", "disk_unavailable", 1), ("failed", "invalid_json", 3)], "disk_unavailable"),
        ([("failed", "invalid_json", 3)], "storage_unavailable"),
        ([("skipped", "superseded", 1)], "storage_unavailable"),
    ],
)
def test_the_last_failure_is_that_of_a_file_or_of_a_pass(snapshot_after, files, code):
    found = snapshot_after(
        """INSERT INTO import_passes (trigger, actor, finished_at, error_code)
        VALUES ('schedule', 'x', now() - interval '2 hours', 'storage_unavailable')""",
        *[
            file(word, status, error_code=f"'{word}'", processed_at=f"now() - interval '{hours} hours'")
            for status, word, hours in files
        ],
    )
    assert found.last_failure.code == code


def test_the_files_dealt_with_last_come_first_and_without_those_that_wait(snapshot_after):
    found = snapshot_after(
        *[file(f"n{hours}", "success", processed_at=f"now() - interval '{hours} hours'") for hours in range(1, 13)],
        file("failed", "failed", error_code="'invalid_json'", processed_at="now()", therapist_count=1, failed_count=1),
        file("waits", "pending"),
    )
    latest, *others = found.recent
    assert (latest.status, latest.error_code, latest.processed_at) == (FileStatus.FAILED, "invalid_json", found.at)
    assert latest.records == 1
    assert [found.age(entry.processed_at) / 3600 for entry in others] == list(range(1, 10))


def test_heartbeats_and_holders_of_locks_are_read_by_their_work(snapshot_after, engine):
    with hold(engine, LockName(SCHEMA, "import")), hold(engine, LockName("patient_service", "relay")):
        found = snapshot_after(
            """INSERT INTO worker_heartbeats (worker, process, state, started_at, beat_at)
            VALUES ('import', 'host:1', 'standby', now() - interval '2 hours', now() - interval '1 minute')"""
        )
    assert found.lock_holders == {Work.IMPORT: identity()}
    (beat,) = found.heartbeats
    assert (beat.work, beat.process, beat.state) == (Work.IMPORT, "host:1", WorkerState.STANDBY)
    assert (found.age(beat.started_at), found.age(beat.beat_at)) == (7200, 60)
