"""What the therapist service announces: the event of each change, and the form of its payload.

Blocking and unblocking are announced as such and not as an update, so each change has exactly one event.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from shared.database.statements import Statement
from shared.events.catalogue import EventType
from shared.events.outbox import Event, topic_of
from shared.words.vocabulary import Therapeutstatus
from therapist_service.models import kernel, therapeuten
from therapist_service.schemas import TherapistOut

Row = Mapping[Any, Any]


class TherapistEvent(BaseModel):
    """A therapist after the change."""

    therapist_id: int = Field(description="The therapist; the key of the message, as a number.")
    therapist_data: TherapistOut = Field(description="The therapist as the API returns it, right after the change.")


class TherapistBlockedEvent(TherapistEvent):
    """A therapist who is `gesperrt` from now on; other fields may have changed with it."""

    reason: str | None = Field(description="`sperrgrund`, as far as one was given.")


class TherapistDeletedEvent(BaseModel):
    """A therapist who is gone."""

    therapist_id: int = Field(description="The therapist; the key of the message, as a number.")


EVENT_TYPES = (
    EventType("therapist.created", "A therapist was created, by the API or by an imported scrape.", TherapistEvent),
    EventType(
        "therapist.updated",
        "Something about a therapist changed, also between `aktiv` and `inaktiv`, but no block began or ended.",
        TherapistEvent,
    ),
    EventType("therapist.blocked", "A therapist's status became `gesperrt`.", TherapistBlockedEvent),
    EventType("therapist.unblocked", "A therapist's status is no longer `gesperrt`.", TherapistEvent),
    EventType("therapist.deleted", "A therapist was deleted. Imports never delete.", TherapistDeletedEvent),
)


def announce(connection: Connection, changes: Sequence[tuple[str, int]]) -> None:
    """Writes events about rows that are there, in order, and wakes the relay once the transaction commits.

    Each is a type of `EVENT_TYPES` and a therapist's id. The database makes the payload from the row as it stands by
    now: tens of thousands within a pass, and none can differ from what is stored.
    """
    if changes:
        types, ids = zip(*changes, strict=True)
        _ANNOUNCE(connection, types=list(types), ids=list(ids), channel=kernel.channel("events"))


def type_of_change(before: Row, after: Row) -> str:
    """Which event tells that a row differs from what it was."""
    was, is_now = (row["status"] == Therapeutstatus.GESPERRT for row in (before, after))
    if is_now and not was:
        return "therapist.blocked"
    return "therapist.unblocked" if was and not is_now else "therapist.updated"


def deleted(therapist_id: int) -> Event:
    """The event of a row that is gone."""
    return Event("therapist.deleted", therapist_id, {"therapist_id": therapist_id})


def _as_json(name: str) -> str:
    """A column's value as the API shows it: times always with microseconds, which PostgreSQL would shorten."""
    if TherapistOut.model_fields[name].annotation is datetime:
        return f"to_char(present.{name}, 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.USTZH\\:TZM')"
    return f"present.{name}"


_DATA = ", ".join(f"'{name}', {_as_json(name)}" for name in TherapistOut.model_fields)
_PAYLOAD = f"jsonb_build_object('therapist_id', present.id, 'therapist_data', jsonb_build_object({_DATA}))"
_ANNOUNCE = Statement(
    sa.text(f"""
    WITH announced AS (
      INSERT INTO {kernel.event_outbox.fullname} (event_type, topic, key, payload)
      SELECT given.event_type, '{topic_of(kernel)}', present.id, CASE given.event_type
          WHEN 'therapist.blocked' THEN {_PAYLOAD} || jsonb_build_object('reason', present.sperrgrund)
          ELSE {_PAYLOAD}
        END
      FROM unnest(CAST(:types AS text[]), CAST(:ids AS integer[])) WITH ORDINALITY AS given (event_type, id, position)
      JOIN {therapeuten.fullname} AS present ON present.id = given.id
      WHERE present.id = ANY(CAST(:ids AS integer[]))
      ORDER BY given.position
    )
    SELECT pg_notify(:channel, '')
    """)
)
