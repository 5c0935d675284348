"""What the therapist service announces: the event of each change, and the form of its payload.

Blocking and unblocking are announced as such and not as an update, so each change has exactly one event.
"""

from pydantic import BaseModel, Field

from shared.events.catalogue import EventType
from shared.fields.declaration import Row, Values
from shared.words.vocabulary import Therapeutstatus
from therapist_service.schemas import TherapistOut


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


def of_change(before: Row, after: Row) -> tuple[str, Values | None]:
    """The type of the event that tells of a change, and what it says beside the therapist."""
    was, is_now = (row["status"] == Therapeutstatus.GESPERRT for row in (before, after))
    if is_now and not was:
        return "therapist.blocked", {"reason": after["sperrgrund"]}
    return ("therapist.unblocked" if was and not is_now else "therapist.updated"), None
