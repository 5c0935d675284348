"""The mail that tells that the database itself is away: no row to read, real SMTP, one an hour for the whole host."""

import os
import signal
import sys
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest

from curavani import schema
from shared.core.clock import now
from shared.core.errors import DatabaseUnavailable
from shared.core.settings import MailSettings
from shared.database.engine import create_engine
from shared.mail.outage import EVERY, TOLERATED_OUTAGE, OutageMail
from standins.local import free_port, wait_until
from standins.mail_sink import MailSink
from standins.postgres import EmbeddedPostgres
from tests import processes

pytestmark = pytest.mark.slow

URL = "postgresql://someone:secret@db.example.com:5432/curavani"


class Clock:
    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return now() + self.ahead

    def forward(self, span):
        self.ahead += span


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sink():
    with MailSink() as started:
        yield started


@pytest.fixture
def process(sink, clock, tmp_path):
    """Makes what one process has of it; keywords differ from the usual."""

    def make(**changes):
        settings = MailSettings(host=sink.host, port=sink.port, use_tls=False)
        given = {
            "service_name": "patient",
            "settings": settings,
            "url": URL,
            "folder": tmp_path / "stamps",
            "clock": clock,
        }
        return OutageMail(**{**given, **changes})

    return make


def tell_for(clock, span, *processes):
    """All of them hear of the outage every 30 seconds."""
    for _ in range(int(span / timedelta(seconds=30)) + 1):
        for each in processes:
            each.tell(DatabaseUnavailable())
        clock.forward(timedelta(seconds=30))


def test_the_mail_says_in_german_what_is_the_matter_and_nothing_else(process, clock, sink):
    tell_for(clock, 2 * TOLERATED_OUTAGE, process(console_base_url="https://intern.example.com"))
    (message,) = sink.messages
    assert message["Subject"] == "[Curavani] Patienten-Import: Störung"
    assert message["To"] == "info@curavani.com"
    assert "Die Datenbank ist nicht erreichbar." in message.get_content()
    assert "https://intern.example.com/console" in message.get_content()
    assert "secret" not in message.as_string()
    assert "example.com:5432" not in message.as_string()


def test_a_restart_of_the_database_is_worth_no_mail(process, clock, sink):
    outage = process()
    outage.tell(DatabaseUnavailable())
    clock.forward(TOLERATED_OUTAGE / 2)
    outage.tell(DatabaseUnavailable())
    clock.forward(timedelta(hours=5))
    outage.tell(DatabaseUnavailable())
    assert sink.messages == []


def test_several_processes_of_a_host_send_one_mail_an_hour_between_them(process, clock, sink):
    processes = process(), process(service_name="therapist"), process()
    tell_for(clock, EVERY * 2.5, *processes)
    assert len(sink.messages) == 3


def test_another_database_is_another_outage(process, clock, sink):
    tell_for(clock, 2 * TOLERATED_OUTAGE, process(), process(url=URL.replace("5432", "5433")))
    assert len(sink.messages) == 2


def test_where_the_folder_cannot_be_had_the_process_counts_for_itself(process, clock, sink, tmp_path):
    (tmp_path / "file").write_text("in the way")
    tell_for(clock, EVERY * 0.9, process(folder=tmp_path / "file" / "stamps"))
    assert len(sink.messages) == 1


@pytest.mark.parametrize("code", [451, 550])
def test_a_mail_that_is_refused_is_tried_again(process, clock, sink, code):
    sink.refuse(code)
    tell_for(clock, timedelta(minutes=3), process())
    assert len(sink.messages) == 1


def test_without_a_mail_server_nothing_is_sent_and_none_is_counted_as_sent(sink, process, clock):
    tell_for(clock, 2 * TOLERATED_OUTAGE, process(settings=MailSettings()))
    assert not sink.messages
    tell_for(clock, 2 * TOLERATED_OUTAGE, process())
    assert len(sink.messages) == 1


@pytest.mark.parametrize(
    ("begin", "end", "workers"),
    # A frozen one is told by whoever connects anew. One process alone has to find out by the connections that it has.
    [(EmbeddedPostgres.stop, EmbeddedPostgres.start, "2"), (EmbeddedPostgres.freeze, EmbeddedPostgres.thaw, "1")],
    ids=["stopped", "frozen"],
)
def test_a_database_that_is_stopped_is_told_once_and_imports_go_on_when_it_is_back(
    sink, bucket, storage_server, tmp_path, make_registration, *, begin, end, workers
):
    with EmbeddedPostgres(durable=False) as server:
        url = server.create_database("curavani")
        engine = create_engine(url, application_name="tests")
        schema.upgrade(engine)
        engine.dispose()
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(tmp_path),
            "DATABASE_URL": url,
            "API_TOKENS": "t:operate:a-token-of-24-characters",
            "GCS_IMPORT_BUCKET": bucket,
            "STORAGE_EMULATOR_HOST": storage_server.host,
            "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
            "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS": "1",
            "SMTP_HOST": sink.host,
            "SMTP_PORT": str(sink.port),
            "SMTP_USE_TLS": "false",
        }
        command = [sys.executable, "-m", "gunicorn", "patient_service.app:create_app()", "--worker-class", "gthread"]
        command += ["--log-level", "warning", "--workers", workers, "--bind", f"127.0.0.1:{free_port()}"]
        service = processes.Popen(command, env=environment, start_new_session=True)
        try:
            assert wait_until(lambda: len(leading(url)) == 1, 60)
            begin(server)
            storage_server.put(bucket, "Mustermann_Max_20250705_0b1ab67b.json", make_registration())
            sink.wait_for(1, 120)
            end(server)
            assert wait_until(lambda: storage_server.names(bucket) == [], 120)
            assert len(sink.messages) == 1
            assert ask(url, "SELECT count(*) FROM patient_service.patienten") == [(1,)]
        finally:
            with suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGKILL)
            service.wait()


def ask(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def leading(url):
    return ask(
        url, "SELECT process FROM patient_service.worker_heartbeats WHERE worker = 'import' AND state = 'leading'"
    )
