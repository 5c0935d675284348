"""What is told of an import, as tables over snapshots made by hand: no database, no clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from curavani.doctor import import_diagnosis
from shared.mail.digest import gather
from shared.mail.digest_text import digest_text, state_of
from shared.mail.watch import SILENCE, sights_of_health
from shared.metrics import catalogue
from shared.state.health import Expectations, import_health
from shared.state.import_status import import_status
from shared.state.metrics import measured
from shared.state.progress import running_pass
from shared.state.snapshot import Backlog, Failure, FinishedPass, Heartbeat, RecentFile, Snapshot, Tally
from shared.words.codes import describe
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind, Work, WorkerState

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
EXPECTED = Expectations(enabled=True, interval_seconds=3600, expects_scrapes=True)


def ago(**span):
    return NOW - timedelta(**span)


def beat(state=WorkerState.LEADING, process="host:1", work=Work.IMPORT, **span):
    return Heartbeat(work, process, state, started_at=ago(days=30), beat_at=ago(**span))


def a_pass(error_code=None, **span):
    finished = ago(**span)
    return FinishedPass(finished - timedelta(seconds=30), finished, finished + timedelta(hours=1), error_code)


def a_file(number=1, status=FileStatus.SUCCESS, error_code=None, records=1, **span):
    return RecentFile(number, status, error_code, ago(**span), records)


OTHERS = [replace(beat(work=work, seconds=3), started_at=NOW) for work in (Work.RELAY, Work.MAILER)]


WELL = Snapshot(
    at=NOW,
    first_pass_at=ago(days=30),
    last_pass=a_pass(minutes=5),
    last_success_at=ago(minutes=5),
    new_scrape_at=ago(days=1),
    heartbeats=[beat(seconds=3), *OTHERS],
    lock_holders={Work.IMPORT: "host:1"},
)
EMPTY = Snapshot(at=NOW)


def changed(**fields):
    """What is well but for this; relay and mailer are, unless their heartbeats are given."""
    if "heartbeats" in fields:
        given = fields["heartbeats"]
        fields["heartbeats"] = [*given, *(it for it in OTHERS if it.work not in {one.work for one in given})]
    return replace(WELL, **fields)


def troubles(snapshot, expected=EXPECTED):
    """The checks that are not ok, by name, with their codes."""
    return {check.name: check.code for check in import_health(snapshot, expected) if not check.ok}


def check_of(name, snapshot, expected=EXPECTED):
    (found,) = [check for check in import_health(snapshot, expected) if check.name == name]
    return found


def test_an_import_that_leads_passes_and_gets_scrapes_is_well():
    assert troubles(WELL) == {}


@pytest.mark.parametrize(
    ("fields", "leads"),
    [
        ({"heartbeats": [beat(seconds=19)]}, True),
        ({"heartbeats": [beat(seconds=20)]}, False),
        ({"heartbeats": [beat(seconds=20)], "lock_holders": {Work.IMPORT: "host:1"}}, False),
        ({"heartbeats": [beat(seconds=20)], "lock_holders": {Work.IMPORT: "host:2"}}, True),
        ({"heartbeats": [beat(WorkerState.STANDBY)]}, False),
        ({"heartbeats": [beat(WorkerState.STANDBY)], "lock_holders": {Work.IMPORT: "host:1"}}, True),
        ({"heartbeats": [beat(WorkerState.STOPPED)]}, False),
        ({"heartbeats": [beat(work=Work.RELAY)], "lock_holders": {Work.RELAY: "host:1"}}, False),
        ({"heartbeats": [beat(seconds=20)], "lock_holders": {Work.IMPORT: ""}}, False),
        ({"heartbeats": [beat(seconds=20)], "lock_holders": {Work.IMPORT: "psql"}}, False),
        ({"heartbeats": [beat(hours=1), beat(process="host:2")]}, True),
        ({"lock_holders": {Work.IMPORT: "host:9"}}, True),
        ({}, False),
    ],
    ids=[
        "fresh", "stale", "stale holder", "stale beside a command", "standby", "standby as a command", "stopped",
        "other work", "nobody's name", "another's name", "taken over", "command alone", "nobody",
    ],
)  # fmt: skip
def test_who_leads_is_said_alike_by_health_status_and_overview(fields, leads):
    snapshot = changed(**{"heartbeats": [], "lock_holders": {}, "unfinished_since": ago(minutes=1), **fields})
    assert snapshot.is_led == leads
    assert check_of("leader", snapshot).code == (None if leads else "no_leader")
    assert import_status(snapshot, 3600, "patient")["running"] == leads
    assert (running_pass(snapshot) is not None) == leads


NUMBERS = changed(
    files={FileStatus.FAILED: 4},
    deletes=Backlog(3, ago(hours=1)),
    events=Backlog(5, ago(minutes=2)),
    parked=2,
    alerts=Backlog(6, ago(minutes=3)),
)


@pytest.mark.parametrize("enabled", [True, False])
def test_every_check_has_its_number_and_its_age(enabled):
    checks = import_health(NUMBERS, replace(EXPECTED, enabled=enabled))
    found = [(check.name, check.ok, check.code, check.number, check.seconds) for check in checks]
    counted = [
        ("failed_files", True, "files_failed", 4, None),
        ("deletes_pending", True, None, 3, None),
        ("events_waiting", True, None, 5, 120),
        ("events_parked", True, "events_parked", 2, None),
        ("alerts_waiting", True, None, 6, 180),
    ]
    others = [("relay_leader", True, None, None, None), ("mailer_leader", True, None, None, None)]
    looked = [("last_pass", True, None, None, 300), ("new_scrape", True, None, None, 86_400)]
    if enabled:
        assert found == [("leader", True, None, None, None), *others, *looked, *counted]
    else:
        assert found == [("import", True, "disabled", None, None), *others, *counted]


@pytest.mark.parametrize(
    ("work", "name", "code"),
    [
        (Work.RELAY, "relay_leader", "no_relay"),
        (Work.MAILER, "mailer_leader", "no_mailer"),
        (Work.CONTACTS, "contacts_leader", "no_contact_reader"),
    ],
)
def test_each_work_that_somebody_has_to_do_has_a_leader_or_is_told(work, name, code):
    expected = replace(EXPECTED, enabled=False, reads_contacts=True)
    led = changed(heartbeats=[beat(work=work)])
    assert check_of(name, led, expected).ok
    assert measured(led, expected)[catalogue.LED][work,] == 1
    silent = changed(heartbeats=[beat(work=work, hours=1)])
    assert check_of(name, silent, expected).code == code
    assert measured(silent, expected)[catalogue.LED][work,] == 0
    # A command holds the lock without a heartbeat.
    assert check_of(name, replace(silent, lock_holders={work: "host:9"}), expected).ok


def test_nobody_has_to_do_what_is_not_set_up():
    assert set(measured(WELL, replace(EXPECTED, enabled=False))[catalogue.LED]) == {(Work.RELAY,), (Work.MAILER,)}


def test_of_what_has_seen_nothing_every_number_and_every_age_is_nought():
    checks = import_health(EMPTY, EXPECTED)
    assert {check.number for check in checks if check.name.endswith(("_files", "_pending", "_waiting", "_parked"))} == {
        0
    }
    assert {check.seconds for check in checks if check.name.endswith(("_scrape", "_waiting"))} == {0}


def test_a_pass_that_did_not_get_through_has_its_age():
    assert check_of("last_pass", changed(last_pass=a_pass("disk_unavailable", minutes=7))).seconds == 420


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"last_pass": a_pass(minutes=120)}, None),
        ({"last_pass": a_pass(minutes=120, seconds=1)}, "no_pass"),
        ({"last_pass": a_pass("storage_unavailable", minutes=1)}, "storage_unavailable"),
        # A long pass: it is at work as long as it began, or settled a file, less than half an hour ago.
        ({"last_pass": a_pass(hours=5), "unfinished_since": ago(minutes=29)}, None),
        ({"last_pass": a_pass(hours=5), "unfinished_since": ago(minutes=30)}, "no_pass"),
        ({"last_pass": a_pass(hours=5), "unfinished_since": ago(hours=4), "recent": [a_file(minutes=29)]}, None),
        ({"last_pass": a_pass(hours=5), "unfinished_since": ago(hours=4), "recent": [a_file(minutes=30)]}, "no_pass"),
        ({"last_pass": a_pass(hours=5), "unfinished_since": ago(minutes=1), "heartbeats": []}, None),
        (
            {"last_pass": a_pass(hours=5), "unfinished_since": ago(minutes=1), "heartbeats": [], "lock_holders": {}},
            "no_pass",
        ),
    ],
)
def test_a_pass_ends_in_twice_the_interval_or_is_at_work(fields, code):
    assert check_of("last_pass", changed(**fields)).code == code
    assert check_of("last_pass", changed(**fields)).ok == (code is None)


@pytest.mark.parametrize(
    ("fields", "interval", "late"),
    [
        ({}, 1, False),
        ({"first_pass_at": ago(seconds=120)}, 1, False),
        ({"first_pass_at": ago(seconds=121)}, 1, True),
        ({"first_pass_at": ago(seconds=121)}, 3600, False),
        ({"first_pass_at": ago(seconds=7201)}, 3600, True),
        ({"heartbeats": [beat(seconds=1)]}, 3600, True),
    ],
)
def test_a_fresh_installation_has_a_while_for_its_first_pass(fields, interval, late):
    check = check_of("last_pass", replace(EMPTY, **fields), replace(EXPECTED, interval_seconds=interval))
    assert (check.ok, check.code) == (not late, "no_pass" if late else "no_pass_yet")


# What is just right still, and what is too old by a second.
LIMITS = {
    "no_scrape": (
        {"new_scrape_at": ago(days=10)},
        {"new_scrape_at": ago(days=10, seconds=1)},
    ),
    "delete_pending_long": (
        {"deletes": Backlog(3, ago(hours=24))},
        {"deletes": Backlog(3, ago(hours=24, seconds=1))},
    ),
    "events_waiting": (
        {"events": Backlog(3, ago(minutes=15))},
        {"events": Backlog(3, ago(minutes=15, seconds=1))},
    ),
    "alerts_waiting": (
        {"alerts": Backlog(3, ago(hours=1))},
        {"alerts": Backlog(3, ago(hours=1, seconds=1))},
    ),
}


@pytest.mark.parametrize("code", LIMITS)
def test_what_waits_too_long_is_trouble(code):
    still_well, too_old = LIMITS[code]
    assert troubles(changed(**still_well)) == {}
    assert list(troubles(changed(**too_old)).values()) == [code]


def test_where_nothing_is_sent_nothing_is_late():
    snapshot = changed(events=Backlog(3, ago(days=3)), alerts=Backlog(2, ago(days=3)))
    nothing_sent = replace(EXPECTED, sends_events=False, sends_mail=False)
    assert troubles(snapshot, nothing_sent) == {}
    assert check_of("events_waiting", snapshot, nothing_sent).as_json() == {
        "ok": True,
        "code": "not_configured",
        "number": 3,
        "seconds": 3 * 86400,
    }
    assert check_of("alerts_waiting", snapshot, nothing_sent).code == "not_configured"


def test_a_scrape_is_missed_only_where_one_is_expected_and_since_somebody_looks():
    assert "new_scrape" not in troubles(changed(new_scrape_at=None), replace(EXPECTED, expects_scrapes=False))
    assert troubles(changed(new_scrape_at=None)) == {"new_scrape": "no_scrape"}
    assert troubles(changed(new_scrape_at=None, first_pass_at=ago(days=9), heartbeats=[beat()])) == {
        "new_scrape": "no_scrape"
    }
    young = replace(beat(), started_at=ago(days=9))
    assert troubles(changed(new_scrape_at=None, first_pass_at=ago(days=9), heartbeats=[young])) == {}


def test_what_waits_for_a_person_is_counted_and_no_sickness():
    snapshot = changed(files={FileStatus.FAILED: 2}, parked=4, open_reviews={ReviewKind.CONFLICT: 9})
    assert troubles(snapshot) == {}
    assert (check_of("failed_files", snapshot).code, check_of("failed_files", snapshot).number) == ("files_failed", 2)
    assert (check_of("events_parked", snapshot).code, check_of("events_parked", snapshot).number) == (
        "events_parked",
        4,
    )


def test_of_an_import_that_is_switched_off_neither_leader_nor_pass_nor_scrape_is_asked():
    checks = import_health(EMPTY, replace(EXPECTED, enabled=False))
    assert [check.name for check in checks] == [
        *("import", "relay_leader", "mailer_leader"),
        *("failed_files", "deletes_pending", "events_waiting", "events_parked", "alerts_waiting"),
    ]
    assert checks[0].code == "disabled"


def test_what_a_later_transaction_wrote_is_no_negative_age():
    assert check_of("events_waiting", changed(events=Backlog(1, ago(seconds=-2)))).seconds == 0
    assert measured(changed(waiting_since=ago(seconds=-2)), EXPECTED)[catalogue.OLDEST_PENDING] == {(): 0}


SILENT = {
    "no_leader": {"heartbeats": [], "lock_holders": {}},
    "no_relay": {"heartbeats": [beat(), beat(work=Work.RELAY, hours=1)]},
    "no_mailer": {"heartbeats": [beat(), beat(work=Work.MAILER, hours=1)]},
    "no_contact_reader": {"heartbeats": [beat(), beat(work=Work.CONTACTS, hours=1)]},
    "no_pass": {"last_pass": a_pass(hours=3)},
    **{code: too_old for code, (_, too_old) in LIMITS.items()},
}


@pytest.mark.parametrize("code", sorted(SILENCE))
def test_silence_is_an_alert_under_the_name_of_its_check(code):
    expected = replace(EXPECTED, reads_contacts=code == "no_contact_reader")
    found = {sight.fingerprint: sight.code for sight in sights_of_health(changed(**SILENT[code]), expected)}
    (check,) = troubles(changed(**SILENT[code]), expected)
    assert {name: value for name, value in found.items() if value} == {f"watch:{check}": code}
    assert set(found) == {f"watch:{check.name}" for check in import_health(WELL, expected)}


def test_what_the_import_tells_itself_is_no_second_alert():
    failing = changed(last_pass=a_pass("storage_unavailable", minutes=1), files={FileStatus.FAILED: 2}, parked=1)
    assert not any(sight.code for sight in sights_of_health(failing, EXPECTED))


def test_brokers_that_are_away_are_told_once():
    waiting = changed(**SILENT["events_waiting"], is_broker_told=True)
    assert not any(sight.code for sight in sights_of_health(waiting, EXPECTED))


@pytest.mark.parametrize(
    ("snapshot", "state", "codes"),
    [
        (WELL, "ok", []),
        (EMPTY, "not running", []),
        (replace(WELL, heartbeats=[beat(WorkerState.STOPPED)], lock_holders={}), "not running", []),
        # Nobody started it: that no pass ended follows from that, that files failed does not.
        (replace(EMPTY, last_pass=a_pass(days=3)), "not running", []),
        (replace(EMPTY, files={FileStatus.FAILED: 1}), "attention", ["files_failed"]),
        (changed(heartbeats=[beat(minutes=5)]), "attention", ["no_leader"]),
        (changed(last_pass=None, first_pass_at=ago(minutes=1), heartbeats=[replace(beat(), started_at=NOW)]), "ok", []),
        (changed(parked=1, deletes=Backlog(1, ago(days=2))), "attention", ["delete_pending_long", "events_parked"]),
        (changed(unknown_copies=2), "attention", ["copy_unknown"]),
    ],
)
def test_the_doctor_says_what_health_says(snapshot, state, codes):
    found = import_diagnosis("patient", snapshot, Expectations(enabled=True, interval_seconds=3600))
    assert (found.part, found.state) == ("patient import", state)
    told = found.advice.split(" · ") if state == "attention" else []
    assert [line.partition(":")[0] for line in told] == codes
    assert (found.advice == "Start it with: curavani serve patient") == (state == "not running")


def test_the_doctor_has_nothing_to_say_about_what_is_not_set_up():
    bare = Expectations(enabled=False, interval_seconds=3600, sends_events=False, sends_mail=False)
    assert import_diagnosis("patient", WELL, bare).state == "ok"


def values(metric, snapshot, expected=EXPECTED):
    return measured(snapshot, expected)[metric]


def test_every_metric_of_the_database_has_a_value_from_the_first_moment_on():
    found = measured(EMPTY, EXPECTED)
    assert set(found) == set(catalogue.OF_THE_DATABASE)
    assert found[catalogue.DATABASE_UP] == {(): 1}
    assert found[catalogue.FILES] == {(status,): 0 for status in FileStatus}
    assert found[catalogue.RECORDS] == {(outcome,): 0 for outcome in RecordOutcome}
    assert found[catalogue.LOCK_HELD] == {(work,): 0 for work in Work}
    assert found[catalogue.LAST_COMPLETION] == found[catalogue.LAST_DURATION] == {(): 0}
    assert catalogue.LAST_NEW_SCRAPE not in measured(EMPTY, replace(EXPECTED, expects_scrapes=False))


def test_the_metrics_say_what_the_snapshot_says():
    snapshot = changed(
        files={FileStatus.SUCCESS: 5, FileStatus.FAILED: 2},
        records={RecordOutcome.NEW: 7},
        waiting_since=ago(seconds=90),
        deletes=Backlog(3, ago(seconds=60)),
        events=Backlog(4, ago(seconds=50)),
        parked=1,
        alerts=Backlog(6, ago(seconds=40)),
        problems=8,
        open_reviews={ReviewKind.CONFLICT: 9},
        heartbeats=[beat(), beat(WorkerState.STANDBY, "b"), beat(WorkerState.STANDBY, "c"), beat(process="d", hours=1)],
    )
    single = {
        catalogue.IMPORT_ENABLED: 1,
        catalogue.INTERVAL: 3600,
        catalogue.LAST_COMPLETION: ago(minutes=5).timestamp(),
        catalogue.LAST_SUCCESS: ago(minutes=5).timestamp(),
        catalogue.LAST_DURATION: 30,
        catalogue.LAST_NEW_SCRAPE: ago(days=1).timestamp(),
        catalogue.OLDEST_PENDING: 90,
        catalogue.DELETES_PENDING: 3,
        catalogue.OLDEST_DELETE: 60,
        catalogue.EVENTS_WAITING: 4,
        catalogue.EVENTS_AGE: 50,
        catalogue.EVENTS_PARKED: 1,
        catalogue.ALERTS_WAITING: 6,
        catalogue.ALERTS_AGE: 40,
        catalogue.PROBLEMS: 8,
    }
    found = measured(snapshot, EXPECTED)
    assert {metric: found[metric] for metric in single} == {metric: {(): value} for metric, value in single.items()}
    assert found[catalogue.FILES]["success",] == 5
    assert found[catalogue.RECORDS]["new",] == 7
    assert found[catalogue.REVIEWS] == {("possible_duplicate",): 0, ("conflict",): 9, ("held_deletions",): 0}
    assert found[catalogue.LOCK_HELD] == {(work,): int(work == "import") for work in Work}
    of_import = {state: found[catalogue.WORKERS]["import", state] for state in ("leading", "standby")}
    assert of_import == {"leading": 1, "standby": 2}
    assert found[catalogue.WORKERS]["contacts", "leading"] == 0


STATUS_KEYS = {
    *("running", "last_check", "next_check", "files_processed_today", "files_failed_today", "total_processed"),
    *("total_failed", "last_error", "last_error_time", "recent_imports"),
}


def test_the_status_has_the_keys_of_the_contract_and_no_other():
    assert set(import_status(EMPTY, 3600, "patient")) == STATUS_KEYS
    more = {"therapists_processed_today", "total_files_processed"}
    assert set(import_status(EMPTY, 3600, "therapist")) == STATUS_KEYS | more


def test_the_status_of_what_has_seen_nothing_counts_nothing():
    status = import_status(EMPTY, 3600, "therapist")
    counts = {name for name in status if name.startswith(("files_", "total_", "therapists_"))}
    assert {name: status[name] for name in counts} == dict.fromkeys(counts, 0)
    assert {name for name, value in status.items() if value is None} == {
        "last_check",
        "next_check",
        "last_error",
        "last_error_time",
    }


def test_the_status_says_what_the_last_failure_was_in_words():
    status = import_status(changed(last_failure=Failure("disk_unavailable", ago(hours=1))), 3600, "patient")
    assert status["last_error"] == f"disk_unavailable: {describe('disk_unavailable').english}"
    assert status["last_error_time"] == ago(hours=1).isoformat()


def test_the_status_counts_what_was_applied_whole_or_in_part():
    status = import_status(
        changed(
            files={FileStatus.SUCCESS: 5, FileStatus.PARTIAL: 2, FileStatus.FAILED: 3, FileStatus.SKIPPED: 9},
            today=Tally(files=6, applied=4, failed=1, records={RecordOutcome.NEW: 7, RecordOutcome.UPDATED: 2}),
            last_failure=Failure("invalid_json", ago(hours=1)),
            recent=[a_file(7, FileStatus.FAILED, "invalid_json", 0, minutes=1)],
        ),
        3600,
        "therapist",
    )
    assert (status["total_processed"], status["total_files_processed"], status["total_failed"]) == (7, 7, 3)
    assert (status["files_processed_today"], status["files_failed_today"]) == (4, 1)
    assert status["therapists_processed_today"] == 9
    assert status["last_error"].startswith("invalid_json: ")
    assert status["last_error_time"] == "2026-03-04T11:00:00+00:00"
    assert status["recent_imports"] == [
        {
            "id": 7,
            "status": "failed",
            "error_code": "invalid_json",
            "processed_at": "2026-03-04T11:59:00+00:00",
            "therapist_count": 0,
        }
    ]


@pytest.mark.parametrize(
    ("last_pass", "checked", "due"),
    [
        (None, None, None),
        (a_pass(minutes=5), "2026-03-04T11:55:00+00:00", "2026-03-04T12:55:00+00:00"),
        (replace(a_pass(minutes=5), next_pass_at=None), "2026-03-04T11:55:00+00:00", "2026-03-04T11:56:00+00:00"),
    ],
)
def test_the_next_check_is_the_planned_one_or_an_interval_later(last_pass, checked, due):
    status = import_status(changed(last_pass=last_pass), 60, "patient")
    assert (status["last_check"], status["next_check"]) == (checked, due)


HALF = Tally(files=2, applied=2, records={RecordOutcome.NEW: 300, RecordOutcome.HELD: 100})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"unfinished_since": ago(minutes=10), "due": 3}, (0, 3, None, 0)),
        ({"unfinished_since": ago(minutes=10), "in_pass": HALF, "due": 1}, (2, 3, timedelta(minutes=5), 40)),
        ({"unfinished_since": ago(minutes=10), "heartbeats": [], "lock_holders": {}}, None),
    ],
)
def test_the_pass_in_hand_says_how_far_it_is_how_fast_and_for_how_long_yet(fields, expected):
    found = running_pass(changed(**fields))
    assert (found and (found.done, found.due, found.left, found.records_per_minute)) == expected


DAY = Tally(files=3, applied=2, failed=1, records={RecordOutcome.NEW: 5, RecordOutcome.UPDATED: 0})


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "well"),
        ({"files": {FileStatus.SUCCESS: 9}}, "well"),
        ({"last_day": DAY}, "changed"),
        ({"last_day": DAY, "files": {FileStatus.FAILED: 1}}, "needs_you"),
        ({"open_reviews": {ReviewKind.CONFLICT: 1}}, "needs_you"),
        ({"parked": 1}, "needs_you"),
        ({"unknown_copies": 1}, "needs_you"),
        ({"last_pass": a_pass(hours=3)}, "needs_you"),
    ],
)
def test_the_digest_comes_down_to_one_of_three(fields, state):
    assert state_of(gather(changed(**fields), EXPECTED)) == state


def test_the_digest_tells_counts_and_codes():
    detail = gather(
        changed(
            last_day=DAY,
            files={FileStatus.FAILED: 4},
            open_reviews={ReviewKind.CONFLICT: 2, ReviewKind.POSSIBLE_DUPLICATE: 1},
            parked=1,
            unknown_copies=3,
            last_pass=a_pass(hours=3),
        ),
        EXPECTED,
    )
    assert detail == {
        "files": 2,
        "files_failed": 1,
        "records": {"new": 5},
        "failed": 4,
        "reviews": {"conflict": 2, "possible_duplicate": 1},
        "parked": 1,
        "unknown_copies": 3,
        "due": 0,
        "trouble": ["no_pass"],
    }
    text = digest_text(detail)
    for line in ("2 Dateien importiert", "1 Datei fehlgeschlagen", "Einträge: 5 neu", "4 fehlgeschlagene Dateien"):
        assert f"- {line}\n" in text
    assert "- 1 abgelehnte Meldung an andere Dienste" in text
    assert "- 3 Kopien ohne Eintrag" in text


def test_copies_that_no_file_knows_are_a_check_of_their_own_while_there_are_any():
    found = check_of("unknown_copies", changed(unknown_copies=2))
    assert (found.ok, found.code, found.number) == (True, "copy_unknown", 2)
