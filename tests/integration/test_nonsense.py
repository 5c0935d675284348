"""Servers that answer nonsense, half of an answer, none or a byte now and then: waited for, told, and nothing is lost.

What becomes of a database that does, `test_silent_database.py` shows.
"""

from datetime import timedelta

import pytest

from curavani.doctor import examine
from patient_service.imports.bucket import Patience
from patient_service.models import kernel
from shared.alerts.outbox import raise_problem
from shared.core.clock import now
from shared.core.errors import TransientError
from shared.core.settings import MailSettings
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.mail.mailer import Mailer
from standins.between import Between, Harm
from standins.local import wait_until
from standins.mail_sink import MailSink
from standins.mock_broker import MockBroker
from tests.integration.events.conftest import Outbox, Relay, Topic
from tests.integration.events.test_faults import working

pytestmark = [
    pytest.mark.slow,
    # Google's client does not let go of an answer that it could not use.
    pytest.mark.filterwarnings("ignore:unclosed <socket"),
    pytest.mark.usefixtures("dropped_connections"),
]

HARMS = [harm for harm in Harm if harm not in (Harm.NONE, Harm.LOST)]
SHORTER_THAN_DRIPPING = [harm for harm in HARMS if harm is not Harm.SLOWLY]


@pytest.fixture
def diagnosis(process_environment):
    """What the doctor says of a part: its state, and one line of advice."""

    def ask(part, **changes):
        (found,) = [found for found in examine({**process_environment, **changes}) if found.part == part]
        assert len(found.advice.splitlines()) <= 1
        assert "\\x" not in found.advice
        return found.state

    return ask


@pytest.fixture
def bucket_between(storage_server, bucket, monkeypatch):
    _, _, address = storage_server.host.partition("//")
    host, _, port = address.partition(":")
    with Between(host, int(port)) as between:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{between.port}")
        yield between


@pytest.mark.parametrize("harm", HARMS)
def test_a_bucket_is_waited_for_and_no_file_is_lost(bucket_between, new_patients, make_registration, diagnosis, harm):
    patients = new_patients(patience=Patience(connect=5.0, answer=1.0, retry=0.5))
    patients.upload(make_registration())
    bucket_between.harm = harm
    if harm in SHORTER_THAN_DRIPPING:
        with pytest.raises(TransientError, match="storage_unavailable"):
            patients.run()
    assert diagnosis("bucket") == "failing"
    assert not patients.files()
    bucket_between.harm = Harm.NONE
    assert diagnosis("bucket") == "ok"
    patients.run()
    assert [file["status"] for file in patients.files()] == ["success"]
    assert len(patients.patients()) == 1
    assert not patients.in_bucket()


class Clock:
    """The mailer's clock, set on so that nobody waits for its next try."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return now() + self.ahead


@pytest.mark.parametrize("harm", HARMS)
def test_a_mail_server_is_waited_for_and_no_mail_is_lost(engine, diagnosis, harm):
    clock = Clock()
    with MailSink() as sink, Between(sink.host, sink.port) as between:
        mailer = Mailer(kernel, MailSettings(host="127.0.0.1", port=between.port, use_tls=False), None, clock)
        settings = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(between.port), "SMTP_USE_TLS": "false"}

        def once():
            with hold(engine, LockName(kernel.schema, "mailer")) as locked:
                return mailer.run_once(locked)

        with transaction(engine) as connection:
            raise_problem(connection, kernel, code="no_pass", fingerprint="import")
        between.harm = harm
        if harm in SHORTER_THAN_DRIPPING:
            assert not once()
        assert diagnosis("mail", **settings) == "failing"
        between.harm = Harm.NONE
        assert diagnosis("mail", **settings) == "ok"
        clock.ahead = timedelta(hours=1)
        assert once()
        assert len(sink.messages) == 1


@pytest.fixture
def outbox(engine):
    return Outbox(engine)


@pytest.mark.parametrize("harm", HARMS)
def test_brokers_are_waited_for_and_no_event_is_lost(engine, outbox, diagnosis, harm):
    with MockBroker() as broker:
        port = int(broker.bootstrap_servers.rpartition(":")[2])
        # As Kafka's protocol has it, in four bytes.
        with Between("127.0.0.1", port, names=lambda port: port.to_bytes(4, "big")) as between:
            servers = f"127.0.0.1:{between.port}"
            relay, topic = Relay(engine, servers, kernel), Topic(broker.bootstrap_servers, "patient-events")
            with working(relay):
                outbox.write(1, 2, 3)
                assert topic.has(3)
                between.harm = harm
                outbox.write(1, 2, 3, first=3)
                assert diagnosis("kafka", KAFKA_BOOTSTRAP_SERVERS=servers) == "failing"
                between.harm = Harm.NONE
                assert diagnosis("kafka", KAFKA_BOOTSTRAP_SERVERS=servers) == "ok"
                assert topic.until(lambda: len(topic.events()) == 6, 120)
                assert wait_until(lambda: outbox.unsent().events.number == 0, 120)
            assert [topic.numbers(key) for key in (1, 2, 3)] == [[0, 3], [1, 4], [2, 5]]
            assert outbox.unsent().parked == 0
            relay.close()
            topic.close()
