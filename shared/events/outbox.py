"""Event rows, written in the transaction of the change they tell of: no change without its event, none invented."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.copy import copy_rows
from shared.database.statements import Statement
from shared.database.tables import KernelTables

_NOTIFY = Statement(sa.text("SELECT pg_notify(:channel, '')"))
_COLUMNS = ("event_type", "topic", "key", "payload")  # the database makes the event's id


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to one patient or therapist; events of one `entity_id` are delivered in order.

    Dates and times in `payload` are written in ISO form, as the API returns them.
    """

    event_type: str
    entity_id: int
    payload: Mapping[str, object]


def topic_of(kernel: KernelTables) -> str:
    """The topic of this service's events: `patient-events` or `therapist-events`."""
    return f"{kernel.service_name}-events"


def write_events(connection: Connection, kernel: KernelTables, events: Iterable[Event]) -> None:
    """Writes the events in order and wakes the relay once the transaction commits."""
    topic = topic_of(kernel)
    rows = ((event.event_type, topic, str(event.entity_id), event.payload) for event in events)
    if copy_rows(connection, kernel.event_outbox, _COLUMNS, rows):
        _NOTIFY(connection, channel=kernel.channel("events"))
