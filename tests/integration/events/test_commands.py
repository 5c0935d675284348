"""`curavani events`, as its own process."""

import json
import os
import sys

import pytest
from confluent_kafka import KafkaError

from tests import processes

pytestmark = pytest.mark.slow


@pytest.fixture
def events(database_url):
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
        "USER": "eva",
        "NO_COLOR": "1",
    }

    def run(*arguments, code=0, **changes):
        done = processes.run(
            [sys.executable, "-m", "curavani", "events", *arguments],
            env={**environment, **changes},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def patient(events):
    return json.loads(events("status", "--json").stdout)["patient"]


def test_a_parked_event_is_seen_and_decided_about(events, outbox, broker, relay, topic):
    broker.fail("produce", [KafkaError.MSG_SIZE_TOO_LARGE])
    outbox.write(1)
    relay.once()
    outbox.write(1, 1, first=1)

    shown = events("status")
    assert "P1" in shown.stdout
    assert "event_too_large" in shown.stdout
    assert "curavani events release" in shown.stderr
    state = patient(events)
    (parked,) = state["parked"]
    assert (state["waiting"], parked["id"], parked["waiting_behind"]) == (2, "P1", 2)
    assert state["oldest_seconds"] >= 0

    events("release", "P1")
    assert patient(events)["parked"] == []
    broker.fail("produce", [KafkaError.MSG_SIZE_TOO_LARGE])
    relay.once()
    events("drop", "P1", "--reason", "known to all")
    relay.once()
    assert topic.has(2)
    assert topic.numbers(1) == [1, 2]
    assert outbox.ask("SELECT action, actor FROM patient_service.operator_actions ORDER BY id") == [
        ("release_event", "api:eva"),
        ("drop_event", "api:eva"),
    ]


def test_sending_again(events, outbox, relay, topic):
    outbox.write(1, 2)
    relay.once()
    outbox.ask("UPDATE patient_service.event_outbox SET sent_at = '2026-03-01T08:00:00Z' WHERE key = '1' RETURNING id")
    assert json.loads(events("replay", "patient", "--since", "2026-03-01T08:00:01", "--json").stdout) == {"events": 1}
    assert "1 event(s)" in events("replay", "patient", "--entity", "1").stderr
    assert outbox.unsent().events.number == 2
    relay.once()
    assert topic.has(4)
    assert len(topic.events()) == 2


def test_what_to_do_about_brokers_is_said(events, outbox, broker, relay):
    broker.fail_topic("patient-events", KafkaError.UNKNOWN_TOPIC_OR_PART)
    outbox.write(1)
    relay.once()
    command = "kafka-topics.sh --bootstrap-server broker:9092 --create --topic patient-events"
    assert command in events("status").stderr
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in events("status", KAFKA_BOOTSTRAP_SERVERS="").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "patient"),
        ("replay", "nobody", "--entity", "1"),
        ("release", "P99"),
        ("release", "17"),
        ("drop", "P1"),
    ],
)
def test_wrong_use_ends_with_2(events, arguments):
    assert events(*arguments, code=2).stdout == ""
