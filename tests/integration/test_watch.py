"""Silence and drift become alerts, and end with a word; the digest comes once a day."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from patient_service.models import kernel as patient_kernel
from shared.alerts.outbox import raise_problem
from shared.core.clock import now
from shared.core.settings import MailSettings
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.mail.digest import Digest, due_day
from shared.mail.mailer import Mailer
from shared.mail.watch import RAISED_AFTER, Watch
from shared.state.health import Expectations
from standins.mail_sink import MailSink
from therapist_service.imports.fill_rates import look_at_fill_rates
from therapist_service.models import kernel

pytestmark = pytest.mark.slow

EXPECTED = Expectations(enabled=True, interval_seconds=3600, expects_scrapes=True)
SCHEMA = "therapist_service"


class Clock:
    """The watch's own clock, which measures how long something lasts."""

    def __init__(self):
        self.time = now()

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def look(engine, clock):
    """Looks once, after the patience of a watch has gone by."""
    watch = Watch(kernel, EXPECTED, [look_at_fill_rates], clock=clock)

    def once():
        clock.time += RAISED_AFTER
        with transaction(engine) as connection:
            watch.look(connection)

    return once


@pytest.fixture
def execute(engine):
    def run(statement, **values):
        with transaction(engine) as connection:
            connection.execute(sa.text(f"SET search_path TO {SCHEMA}"))
            connection.execute(sa.text(statement), values)

    return run


@pytest.fixture
def open_problems(engine):
    def read():
        with transaction(engine) as connection:
            lasting = f"FROM {SCHEMA}.alert_outbox WHERE kind = 'problem' AND resolved_at IS NULL"
            rows = connection.execute(sa.text(f"SELECT fingerprint, code {lasting}"))
            return {row.fingerprint: row.code for row in rows}

    return read


@pytest.fixture
def leads(execute):
    """Somebody leads each work."""
    for worker in ("import", "relay", "mailer"):
        execute(f"INSERT INTO worker_heartbeats (worker, process, state) VALUES ('{worker}', 'host:1', 'leading')")


@pytest.fixture
def well(leads, execute):
    """A service that leads, has passed and got a scrape just now."""
    execute(
        "INSERT INTO import_passes (trigger, actor, started_at, finished_at) VALUES ('schedule', 'x', now(), now())"
    )
    execute(
        "INSERT INTO import_tracking (source_key, status, processed_at, file_name)"
        " VALUES ('a', 'success', now(), '52066.json')"
    )


# What goes wrong, what mends it, and what is told of it.
SILENCES = {
    "no_leader": (
        "UPDATE worker_heartbeats SET beat_at = now() - interval '1 hour' WHERE worker = 'import'",
        "UPDATE worker_heartbeats SET beat_at = now()",
    ),
    "no_relay": (
        "UPDATE worker_heartbeats SET beat_at = now() - interval '1 hour' WHERE worker = 'relay'",
        "UPDATE worker_heartbeats SET beat_at = now()",
    ),
    "no_pass": (
        "UPDATE import_passes SET finished_at = now() - interval '121 minutes'",
        "UPDATE import_passes SET finished_at = now()",
    ),
    "no_scrape": (
        "UPDATE import_tracking SET first_seen_at = now() - interval '241 hours'",
        "UPDATE import_tracking SET first_seen_at = now()",
    ),
    "events_waiting": (
        """INSERT INTO event_outbox (event_id, event_type, topic, key, payload, created_at)
        VALUES (gen_random_uuid(), 'x', 'x', '1', '{}', now() - interval '16 minutes')""",
        "UPDATE event_outbox SET sent_at = now()",
    ),
    "alerts_waiting": (
        """INSERT INTO alert_outbox (kind, code, fingerprint, created_at)
        VALUES ('resolved', 'invalid_json', 'x', now() - interval '61 minutes')""",
        "UPDATE alert_outbox SET sent_at = now()",
    ),
}


def test_nothing_is_told_of_a_service_that_is_well(well, look, open_problems):
    look()
    look()
    assert open_problems() == {}


@pytest.mark.parametrize("code", SILENCES)
def test_silence_is_told_and_its_end(well, look, execute, open_problems, code):
    breaks, mends = SILENCES[code]
    execute(breaks)
    look()
    assert open_problems() == {}, "what has just begun may be a start or a takeover"
    look()
    assert list(open_problems().values()) == [code]
    execute(mends)
    look()
    assert open_problems() == {}


def test_registrations_that_stay_in_the_bucket_are_told_and_their_end(engine, clock):
    watch = Watch(patient_kernel, Expectations(enabled=False, interval_seconds=1), clock=clock)
    told = []
    for statement in (
        """INSERT INTO patient_service.import_tracking (source_key, status, bucket, processed_at)
        VALUES ('a', 'success', 'b', now() - interval '25 hours')""",
        "SELECT 1",
        "UPDATE patient_service.import_tracking SET source_deleted_at = now()",
    ):
        clock.time += RAISED_AFTER
        with transaction(engine) as connection:
            connection.execute(sa.text(statement))
            watch.look(connection)
            lasting = (
                "FROM patient_service.alert_outbox WHERE kind = 'problem' AND resolved_at IS NULL"
                " AND fingerprint NOT LIKE 'watch:%leader'"
            )
            told.append(list(connection.execute(sa.text(f"SELECT code {lasting}")).scalars()))
    assert told == [[], ["delete_pending_long"], []]


def test_a_pass_that_hangs_is_silence(well, look, execute, open_problems):
    execute("UPDATE import_passes SET finished_at = now() - interval '5 hours'")
    execute("UPDATE import_tracking SET processed_at = now() - interval '4 hours'")
    execute(
        "INSERT INTO import_passes (trigger, actor, started_at) VALUES ('schedule', 'x', now() - interval '4 hours')"
    )
    look()
    look()
    assert list(open_problems().values()) == ["no_pass"]
    execute("UPDATE import_tracking SET processed_at = now()")
    look()
    assert open_problems() == {}, "a long pass that settles files is at work"


def test_a_switched_off_import_is_not_missed(leads, engine, clock, execute, open_problems):
    execute("DELETE FROM worker_heartbeats WHERE worker = 'import'")
    watch = Watch(kernel, Expectations(enabled=False, interval_seconds=1), clock=clock)
    for _ in range(3):
        clock.time += RAISED_AFTER
        with transaction(engine) as connection:
            watch.look(connection)
    assert open_problems() == {}


def test_brokers_that_are_away_are_told_once(well, look, execute, engine, open_problems):
    with transaction(engine) as connection:
        raise_problem(connection, kernel, code="broker_unavailable", fingerprint="broker")
    execute(SILENCES["events_waiting"][0])
    look()
    look()
    assert list(open_problems().values()) == ["broker_unavailable"]


def test_a_pass_from_the_command_line_leads(well, engine, look, execute, open_problems):
    execute("UPDATE worker_heartbeats SET state = 'standby' WHERE worker = 'import'")
    with hold(engine, LockName(SCHEMA, "import")):
        look()
        look()
    assert open_problems() == {}


def without_email(make_therapist, share):
    """A hundred and fifty practices, so many percent of them with an e-mail."""
    return [
        make_therapist(number, **({} if number % 100 < share else {"contact": {"email": ""}}), status="modified")
        for number in range(150)
    ]


def test_a_field_that_the_source_stops_filling_is_told_and_its_return(leads, therapists, make_therapist, look, engine):
    with MailSink() as sink:
        mailer = Mailer(kernel, MailSettings(host=sink.host, port=sink.port, use_tls=False))
        for day, share in (("2025-07-02", 80), ("2025-07-09", 40), ("2025-07-16", 78)):
            records = without_email(make_therapist, share)
            therapists.scrape(records[:80], day, "52066")
            therapists.scrape(records[80:], day, "52070")
            therapists.run()
            look()
            look()
            with hold(engine, LockName(SCHEMA, "mailer")) as locked:
                mailer.run_once(locked)
    dropped, resolved = sink.messages
    assert dropped["Subject"] == "[Curavani] Therapeuten-Import: Störung"
    assert "fill_rate_dropped" in dropped.get_content()
    assert "Feld E-Mail: 53 % statt sonst 87 % gefüllt." in dropped.get_content()
    assert resolved["Subject"] == "[Curavani] Therapeuten-Import: Problem behoben"


def test_only_the_same_postal_codes_are_compared(therapists, make_therapist, look, open_problems):
    therapists.scrape(without_email(make_therapist, 90), "2025-07-02", "52066")
    therapists.scrape(without_email(make_therapist, 10), "2025-07-02", "10115")
    therapists.scrape(without_email(make_therapist, 10), "2025-07-09", "10115")
    therapists.run()
    look()
    look()
    assert open_problems().get("fill_rate:email") is None


def test_a_scrape_that_is_not_applied_says_nothing_about_fields(therapists, make_therapist, engine):
    therapists.scrape(without_email(make_therapist, 80), "2025-07-09")
    therapists.run()
    therapists.scrape(without_email(make_therapist, 10), "2025-07-02")
    therapists.run()
    days = therapists.rows("SELECT scrape_day FROM therapist_service.scrape_fill")
    assert [str(row["scrape_day"]) for row in days] == ["2025-07-09"]


@pytest.mark.parametrize(
    ("at", "moment", "due"),
    [
        ("off", "2026-01-15T12:00+00:00", None),
        ("07:30", "2026-01-15T06:29+00:00", None),  # 07:29 in Germany
        ("07:30", "2026-01-15T06:30+00:00", "2026-01-15"),
        ("07:30", "2026-07-15T05:30+00:00", "2026-07-15"),  # summer time
        ("07:30", "2026-01-15T22:59+00:00", "2026-01-15"),  # missed in the morning
        ("07:30", "2026-01-15T23:30+00:00", None),  # half past midnight of the next day
        ("02:30", "2026-03-29T01:00+00:00", "2026-03-29"),  # that time of day does not exist on this day
    ],
)
def test_the_digest_is_due_by_the_clock_in_germany(at, moment, due):
    day = due_day(MailSettings(daily_digest=at).digest_at, datetime.fromisoformat(moment))
    assert (str(day) if day else None) == due


@pytest.fixture
def digest(engine, clock):
    """Writes and mails what is due; returns the mails so far."""
    clock.time = datetime.now(UTC).replace(hour=12)
    with MailSink() as sink:
        settings = MailSettings(host=sink.host, port=sink.port, use_tls=False, daily_digest="07:30")
        writer = Digest(kernel, EXPECTED, settings.digest_at, clock)
        mailer = Mailer(kernel, settings, "https://intern.example.com")

        def once():
            with hold(engine, LockName(SCHEMA, "mailer")) as locked:
                with locked.transaction() as connection:
                    writer.look(connection)
                mailer.run_once(locked)
            return [(message["Subject"], message.get_content()) for message in sink.messages]

        yield once


def test_the_digest_comes_once_a_day(well, digest, clock):
    digest()
    assert len(digest()) == 1
    clock.time += timedelta(days=1)
    assert len(digest()) == 2


def test_the_digest_says_that_all_is_well(well, digest, execute):
    execute("UPDATE import_tracking SET processed_at = now() - interval '3 days'")
    ((subject, text),) = digest()
    assert subject == "[Curavani] Therapeuten-Import: Tagesbericht, alles in Ordnung"
    assert "- nichts Neues" in text
    assert "Übersicht: https://intern.example.com/console" in text


def test_the_digest_says_what_changed(well, digest, execute):
    execute("UPDATE import_tracking SET therapist_count = 7, new_count = 5, updated_count = 2")
    ((subject, text),) = digest()
    assert subject.endswith("alles in Ordnung, es gab Neues")
    assert "- 1 Datei importiert" in text
    assert "- Einträge: 5 neu, 2 geändert" in text


def test_the_digest_says_what_there_is_to_do_without_a_name(well, digest, execute):
    execute("INSERT INTO import_tracking (source_key, status, file_name) VALUES ('b', 'failed', 'Mustermann.json')")
    execute("INSERT INTO reviews (kind) VALUES ('conflict'), ('conflict'), ('possible_duplicate')")
    execute("UPDATE import_passes SET finished_at = now() - interval '3 hours'")
    ((subject, text),) = digest()
    assert subject.endswith("es gibt etwas zu tun")
    for line in (
        "1 fehlgeschlagene Datei",
        "2 Widersprüche zwischen unseren Einträgen und",
        "1 mögliche Dublette",
        "no_pass: Der Import",
    ):
        assert f"- {line}" in text
    assert "Mustermann" not in text


def test_a_digest_that_could_not_be_sent_gives_way_to_the_next(well, engine, clock):
    clock.time = datetime.now(UTC).replace(hour=12)
    writer = Digest(kernel, EXPECTED, MailSettings(daily_digest="07:30").digest_at, clock)
    for _ in range(3):
        with transaction(engine) as connection:
            writer.look(connection)
            waiting = sa.text(f"SELECT count(*) FROM {SCHEMA}.alert_outbox WHERE kind = 'digest'")
            assert connection.execute(waiting).scalar() == 1
        clock.time += timedelta(days=1)
