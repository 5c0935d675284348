"""Alert mails over real SMTP: bundled, retried, reminded, resolved, without anybody's data."""

from datetime import timedelta

import pytest

from patient_service.models import kernel
from shared.alerts.outbox import raise_problem, resolve_problem
from shared.core.clock import now
from shared.core.settings import MailSettings
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.mail.mailer import Mailer
from standins.mail_sink import MailSink

pytestmark = pytest.mark.slow


class Clock:
    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return now() + self.ahead


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sink():
    with MailSink() as started:
        yield started


@pytest.fixture
def mail(engine, sink, clock):
    settings = MailSettings(host=sink.host, port=sink.port, use_tls=False)
    mailer = Mailer(kernel, settings, "https://intern.example.com", clock)

    def once():
        with hold(engine, LockName(kernel.schema, "mailer")) as locked:
            return mailer.run_once(locked)

    return once


def subjects(sink):
    return [message["Subject"].removeprefix("[Curavani] Patienten-Import: ") for message in sink.messages]


def problem(engine, number, code="invalid_json"):
    with transaction(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO patient_service.import_tracking (source_key, file_name)"
            f" VALUES ('{number}', 'Muster_Max.json') ON CONFLICT DO NOTHING"
        )
        raise_problem(connection, kernel, code=code, fingerprint=f"file:{number}", import_id=number)


def resolve(engine, number):
    with transaction(engine) as connection:
        resolve_problem(connection, kernel, f"file:{number}")


def test_one_mail_tells_of_all_new_problems(engine, sink, mail):
    problem(engine, 1)
    problem(engine, 2, "token_mismatch")
    assert mail()
    mail()
    (message,) = sink.messages
    assert message["Subject"] == "[Curavani] Patienten-Import: 2 Dateien fehlgeschlagen"
    assert message["To"] == "info@curavani.com"
    text = message.get_content()
    assert "Datei P1: invalid_json" in text
    assert "https://intern.example.com/console/imports/2" in text
    assert "Muster" not in text


def test_a_mail_that_is_refused_is_sent_later(engine, sink, mail, clock):
    sink.refuse(451)
    problem(engine, 1)
    assert not mail()
    clock.ahead = timedelta(minutes=5)
    assert mail()
    assert len(sink.messages) == 1


def test_a_mail_server_that_is_away_loses_nothing(engine, sink, mail, clock):
    sink.stop()
    problem(engine, 1)
    assert not mail()
    sink.start()
    clock.ahead = timedelta(minutes=5)
    assert mail()
    assert len(sink.messages) == 1


def test_a_lasting_problem_is_recalled_once_a_day_and_its_end_is_told(engine, sink, mail, clock):
    problem(engine, 1)
    mail()
    clock.ahead = timedelta(hours=25)
    mail()
    mail()
    resolve(engine, 1)
    mail()
    assert subjects(sink) == ["1 Datei fehlgeschlagen", "Erinnerung: 1 Datei fehlgeschlagen", "Problem behoben"]


def leave_a_reminder_waiting(sink, mail, clock):
    clock.ahead = timedelta(hours=25)
    sink.stop()
    assert not mail()
    sink.start()
    clock.ahead = timedelta(hours=27)


def test_nobody_is_reminded_of_what_ended_while_the_mail_server_was_away(engine, sink, mail, clock):
    problem(engine, 1)
    problem(engine, 2)
    mail()
    leave_a_reminder_waiting(sink, mail, clock)
    resolve(engine, 1)
    mail()
    reminded = sink.messages[1].get_content()
    assert "Datei P1: invalid_json (behoben)" in reminded
    assert "Datei P1: invalid_json (weiterhin offen)" not in reminded
    assert "Datei P2: invalid_json (weiterhin offen)" in reminded


def test_a_problem_that_has_become_another_is_told_as_that_one_only(engine, sink, mail, clock):
    problem(engine, 1)
    mail()
    leave_a_reminder_waiting(sink, mail, clock)
    problem(engine, 1, "token_mismatch")
    mail()
    assert subjects(sink) == ["1 Datei fehlgeschlagen"] * 2
    assert "invalid_json" not in sink.messages[1].get_content()


def test_what_is_over_before_it_was_told_is_not_told(engine, sink, mail):
    problem(engine, 1)
    resolve(engine, 1)
    mail()
    assert sink.messages == []


def test_mails_go_out_with_tls_and_login(engine, monkeypatch):
    with MailSink("localhost", tls=True, login=("user", "word")) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", str(sink.certificate))
        settings = MailSettings(host="localhost", port=sink.port, username="user", password="word")
        problem(engine, 1)
        with hold(engine, LockName(kernel.schema, "mailer")) as locked:
            assert Mailer(kernel, settings).run_once(locked)
        assert len(sink.messages) == 1


@pytest.mark.parametrize("goodbye", ["250 OK", "421 Busy", "500 What?"])
def test_a_server_that_says_goodbye_badly_gets_no_mail_twice(engine, mail, sink, goodbye):
    sink.goodbye = goodbye
    problem(engine, 1)
    assert mail()
    assert mail()
    assert len(sink.messages) == 1
