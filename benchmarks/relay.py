"""How fast the relay brings events from the outbox to a broker, and how fast a bare producer sends the same messages.

Real PostgreSQL, the real client, and the mock cluster in a process of its own, as a broker would be, but on the same
cores. The bare producer has the relay's own configuration; it neither reads nor marks anything, and keeps no order.
"""

import time
from statistics import median

from confluent_kafka import Producer
from sqlalchemy.engine import Engine

from curavani.schema import upgrade
from shared.core.clock import now
from shared.core.settings import KafkaSettings
from shared.database.engine import create_engine, transaction
from shared.database.json_text import json_text
from shared.database.locks import LockName, hold
from shared.events.broker import client_configuration
from shared.events.envelope import Message, message
from shared.events.outbox import Event, topic_of, write_events
from shared.events.relay import EventRelay
from shared.state.reading import read_snapshot
from standins.mock_broker import MockBroker
from standins.postgres import EmbeddedPostgres
from therapist_service.models import SCHEMA, kernel
from therapist_service.schemas import TherapistOut

EVENTS = 62_000
"""A first import of all of Germany."""
ROUNDS = 3
NAME = "therapist-service"


def run() -> list[tuple[str, float, str]]:
    """Rows of the table of figures: name, value, unit. Medians of rounds, taken in turn, each on an empty cluster."""
    bare, relayed = [], []
    with EmbeddedPostgres(durable=True) as server:
        for number in range(ROUNDS):
            bare.append(_bare())
            relayed.append(_relayed(server.create_database(f"relay_benchmark_{number}")))
    return [
        (f"bare producer: {EVENTS:,} events", median(bare), "s"),
        ("bare producer: events per second", EVENTS / median(bare), "1/s"),
        (f"relay: {EVENTS:,} events", median(relayed), "s"),
        ("relay: events per second", EVENTS / median(relayed), "1/s"),
        ("relay: times a bare producer", median(relayed) / median(bare), "x"),
    ]


def _bare() -> float:
    messages = [_message(number) for number in range(1, EVENTS + 1)]
    with MockBroker() as broker:
        settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        producer = Producer(client_configuration(settings, NAME))
        topic = topic_of(kernel)
        producer.list_topics(topic, timeout=10)
        began = time.perf_counter()
        for key, value, headers in messages:
            producer.produce(topic, value=value, key=key, headers=headers)
        left = producer.flush(60)
        seconds = time.perf_counter() - began
    if left:
        raise RuntimeError(f"{left} events were not sent")
    return seconds


def _relayed(url: str) -> float:
    engine = create_engine(url, application_name="benchmark")
    try:
        upgrade(engine)
        with transaction(engine) as connection:
            write_events(connection, kernel, [_created(number) for number in range(1, EVENTS + 1)])
        with MockBroker() as broker:
            return _relay_all(engine, KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
    finally:
        engine.dispose()


def _relay_all(engine: Engine, settings: KafkaSettings) -> float:
    relay = EventRelay(kernel, NAME, settings)
    with hold(engine, LockName(SCHEMA, "relay")) as locked:
        began = time.perf_counter()
        relay.turn(locked, lambda: False)
        seconds = time.perf_counter() - began
    relay.close()
    with transaction(engine) as connection:
        left = read_snapshot(connection, kernel)
    if left.events.number or left.parked:
        raise RuntimeError(f"{left.events.number} events were not sent")
    return seconds


def _created(number: int) -> Event:
    """An event of the size that an imported therapist has: about 1.2 kB."""
    data: dict[str, object] = dict.fromkeys(TherapistOut.model_fields, f"Wert {number}")
    data["telefonische_erreichbarkeit"] = {"montag": [{"start": "08:00", "end": "08:50"}]}
    data["psychotherapieverfahren"] = ["Verhaltenstherapie", "tiefenpsychologisch fundierte Psychotherapie"]
    return Event("therapist.created", number, {"therapist_id": number, "therapist_data": data})


def _message(number: int) -> Message:
    event = _created(number)
    return message(
        event_id=f"00000000-0000-4000-8000-{number:012}",
        event_type=event.event_type,
        key=str(number),
        created_at=now(),
        producer=NAME,
        payload_json=json_text(event.payload),
    )
