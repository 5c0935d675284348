"""How many events a second the relay brings from the outbox to a broker: real PostgreSQL, real client, mock cluster.

The mock cluster runs in a process of its own, as a broker would, but on the same cores.
"""

import time
from typing import Any

from sqlalchemy.engine import Engine

from curavani.demo.mock_broker import MockBroker
from curavani.demo.postgres import EmbeddedPostgres
from curavani.schema import upgrade
from shared.database.engine import create_engine, transaction
from shared.database.locks import LockName, hold
from shared.events.outbox import Event, write_events
from shared.events.queue import waiting
from shared.events.relay import EventRelay
from shared.settings import KafkaSettings
from therapist_service.models import SCHEMA, kernel
from therapist_service.schemas import TherapistOut

EVENTS = 62_000
"""A first import of all of Germany."""


def run() -> list[tuple[str, float, str]]:
    """Rows of the table of figures: name, value, unit."""
    with EmbeddedPostgres(durable=True) as server, MockBroker() as broker:
        engine = create_engine(server.create_database("relay_benchmark"), application_name="benchmark")
        try:
            upgrade(engine)
            with transaction(engine) as connection:
                write_events(connection, kernel, [_created(number) for number in range(1, EVENTS + 1)])
            seconds = _relay_all(engine, KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        finally:
            engine.dispose()
    return [
        (f"relay: {EVENTS:,} events", seconds, "s"),
        ("relay: events per second", EVENTS / seconds, "1/s"),
    ]


def _relay_all(engine: Engine, settings: KafkaSettings) -> float:
    relay = EventRelay(kernel, "therapist-service", settings)
    with hold(engine, LockName(SCHEMA, "relay")) as locked:
        began = time.perf_counter()
        relay.turn(locked, lambda: False)
        seconds = time.perf_counter() - began
    relay.close()
    with transaction(engine) as connection:
        left = waiting(connection, kernel)
    if left.count or left.parked:
        raise RuntimeError(f"{left.count} events were not sent")
    return seconds


def _created(number: int) -> Event:
    """An event of the size that an imported therapist has: about 1.2 kB."""
    data: dict[str, Any] = dict.fromkeys(TherapistOut.model_fields, f"Wert {number}")
    data["telefonische_erreichbarkeit"] = {"montag": [{"start": "08:00", "end": "08:50"}]}
    data["psychotherapieverfahren"] = ["Verhaltenstherapie", "tiefenpsychologisch fundierte Psychotherapie"]
    return Event("therapist.created", number, {"therapist_id": number, "therapist_data": data})


if __name__ == "__main__":
    for name, value, unit in run():
        print(f"{name}: {value:,.1f} {unit}")
