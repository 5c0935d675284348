"""What the Kafka client is told, and what of its words gets into the log."""

import pytest

from shared.events.broker import BROKER_UNAVAILABLE, Parcel, Producer, client_configuration
from shared.events.envelope import Message
from shared.settings import KafkaSettings


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
def test_the_clients_own_lines_go_through_our_log_without_their_texts(capfd):
    producer = Producer(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "patient-service", "patient-events")
    receipt = producer.send([Parcel(1, Message(b"1", b"{}", []))], lambda: False)
    assert (receipt.problem, receipt.reason) == (BROKER_UNAVAILABLE, "_TRANSPORT")
    assert not producer.usable
    written = capfd.readouterr()
    assert "kafka_client" in written.out
    assert "127.0.0.1" not in written.out + written.err
    assert "rdkafka" not in written.err
