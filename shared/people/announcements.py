"""Announcing people: the database makes each event's payload from the row as it stands, so that none can differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.engine import Connection

from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.database.tables import KernelTables
from shared.events.outbox import Event, topic_of
from shared.fields.declaration import Field, Fields, Moment, Values
from shared.people.table import PersonTable

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event about somebody who is there; `details` stand in its payload beside who it is."""

    event_type: str
    person_id: int
    details: Values | None = None


def deleted(kernel: KernelTables, person_id: int) -> Event:
    """The event of somebody who is gone; nothing of their data is told any more."""
    return Event(f"{kernel.service_name}.deleted", person_id, {f"{kernel.service_name}_id": person_id})


class Announcer:
    """Writes events about a service's people."""

    def __init__(self, people: PersonTable[P]) -> None:
        self._channel = people.kernel.channel("events")
        self._statement = Statement(_statement(people))

    def __call__(self, connection: Connection, announcements: Sequence[Announcement]) -> None:
        """Writes the events in order, in one statement, and wakes the relay once the transaction commits."""
        if announcements:
            self._statement(
                connection,
                types=[announcement.event_type for announcement in announcements],
                ids=[announcement.person_id for announcement in announcements],
                details=[announcement.details and json_text(announcement.details) for announcement in announcements],
                channel=self._channel,
            )


def _statement(people: PersonTable[P]) -> str:
    # Fresh rows have no statistics yet: found by an array of ids, never only by a join.
    return f"""
    WITH announced AS (
      INSERT INTO {people.kernel.event_outbox.fullname} (event_type, topic, key, payload)
      SELECT given.event_type, '{topic_of(people.kernel)}', present.id,
        CASE WHEN given.details IS NULL THEN made.payload ELSE made.payload || given.details END
      FROM unnest(CAST(:types AS text[]), CAST(:ids AS integer[]), CAST(:details AS jsonb[]))
        WITH ORDINALITY AS given (event_type, id, details, position)
      JOIN {people.table.fullname} AS present ON present.id = given.id
      CROSS JOIN LATERAL (SELECT {_payload(people.kernel, people.fields)} AS payload) AS made
      WHERE present.id = ANY(CAST(:ids AS integer[]))
      ORDER BY given.position
    )
    SELECT pg_notify(:channel, '')
    """


def _payload(kernel: KernelTables, fields: Fields) -> str:
    """The payload, as the API shows a person."""
    data = ", ".join(_pairs(fields.announced))
    who = f"'{kernel.service_name}_id', present.id"
    return f"jsonb_build_object({who}, '{kernel.service_name}_data', jsonb_build_object({data}))"


def _pairs(fields: Sequence[Field]) -> Iterator[str]:
    for field in fields:
        value = f"present.{field.name}"
        if isinstance(field.kind, Moment):
            # Always with microseconds, which PostgreSQL would shorten.
            value = f"to_char({value}, 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.USTZH\\:TZM')"
        yield f"'{field.name}', {value}"
