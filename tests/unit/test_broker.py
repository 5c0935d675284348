"""What the Kafka client is told, and what of its words gets into the log."""

import io
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as Client

from shared.core.logs import configure_logging
from shared.core.settings import KafkaSettings, LogSettings
from shared.events.broker import client_configuration, last_words

ROOT = Path(__file__).parents[2]

SENDING = """
import json
from shared.events.broker import Parcel, Producer
from shared.events.envelope import Message
from shared.core.logs import configure_logging
from shared.core.settings import KafkaSettings, LogSettings
configure_logging(LogSettings(level="DEBUG"))
producer = Producer(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "patient-service", "patient-events")
receipt = producer.send([Parcel(1, Message(b"1", b"{}", []))], lambda: False)
print(json.dumps([receipt.problem, receipt.reason, producer.usable]))
"""


def test_the_client_gets_the_settings_and_nothing_for_those_that_are_not_given():
    plain = client_configuration(KafkaSettings(bootstrap_servers="a:9092,b:9092"), "patient-service")
    assert plain["bootstrap.servers"] == "a:9092,b:9092"
    assert (plain["enable.idempotence"], plain["acks"]) == (True, "all")
    assert not [name for name in plain if name.startswith(("sasl", "ssl"))]
    given = KafkaSettings(
        bootstrap_servers="a:9092",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="curavani",
        sasl_password="hunter2",
        ssl_ca_location=__file__,
    )
    secured = client_configuration(given, "patient-service").items()
    assert (
        secured
        >= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl.username": "curavani",
            "sasl.password": "hunter2",
            "ssl.ca.location": __file__,
        }.items()
    )


def test_a_client_that_complains_at_its_end_hides_nothing():
    stream = io.StringIO()
    configure_logging(LogSettings(), stream=stream, service="test")

    def complain(_):
        raise KafkaException(KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER))

    away = Client({"bootstrap.servers": "127.0.0.1:1", "error_cb": complain, "log_level": 0})

    def fail():
        try:
            raise ZeroDivisionError
        finally:
            with last_words():
                away.poll(10)

    with pytest.raises(ZeroDivisionError):
        fail()
    line = json.loads(stream.getvalue())
    assert (line["event"], line["reason"]) == ("client_closed_with_error", "OUT_OF_ORDER_SEQUENCE_NUMBER")


def test_every_client_is_ended_so():
    for path in (ROOT / "shared" / "events").glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for before, line in pairwise(lines):
            if line.strip() in ("client.close()", "self._client.close()"):
                assert before.strip() == "with last_words():", path


@pytest.mark.slow
def test_the_clients_own_lines_go_through_our_log_without_their_texts():
    # In a process of its own, because the log is a process's own.
    done = subprocess.run([sys.executable, "-c", SENDING], capture_output=True, text=True, timeout=120, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines.pop() == ["broker_unavailable", "_TRANSPORT", False]
    assert "kafka_client" in {line["event"] for line in lines}
    assert "127.0.0.1" not in done.stdout + done.stderr
    assert "rdkafka" not in done.stderr
