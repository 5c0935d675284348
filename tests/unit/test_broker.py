"""What the Kafka client is told, and what of its words gets into the log."""

import json
import subprocess
import sys

import pytest

from shared.core.settings import KafkaSettings
from shared.events.broker import client_configuration

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


@pytest.mark.slow
def test_the_clients_own_lines_go_through_our_log_without_their_texts():
    # In a process of its own, because the log is a process's own.
    done = subprocess.run([sys.executable, "-c", SENDING], capture_output=True, text=True, timeout=120, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines.pop() == ["broker_unavailable", "_TRANSPORT", False]
    assert "kafka_client" in {line["event"] for line in lines}
    assert "127.0.0.1" not in done.stdout + done.stderr
    assert "rdkafka" not in done.stderr
