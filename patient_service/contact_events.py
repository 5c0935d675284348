"""What the communication service tells of mails and calls: with which patient, and on which day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum, auto

from shared.core.errors import RejectedError
from shared.text.strict_json import parse_document

KINDS = frozenset({"email.sent", "email.response_received", "phone_call.completed"})
"""The events that are a contact."""
_HIGHEST_ID = 2**31 - 1


class ContactOutcome(StrEnum):
    """What became of one message; `moved` and `unchanged` are contacts, the others were skipped."""

    MOVED = auto()
    UNCHANGED = auto()
    OTHER_KIND = auto()
    NO_PATIENT = auto()
    UNKNOWN_PATIENT = auto()
    IN_THE_FUTURE = auto()
    BROKEN = auto()


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact with a patient, who need not be known."""

    patient_id: int
    day: date


def read_contact(value: bytes | None, today: date) -> Contact | ContactOutcome:
    """The contact that the message tells of, or why it is skipped."""
    try:
        event = parse_document(value or b"")
    except RejectedError:
        return ContactOutcome.BROKEN
    kind, payload = event.get("eventType"), event.get("payload")
    if not isinstance(kind, str):
        return ContactOutcome.BROKEN
    if kind not in KINDS:
        return ContactOutcome.OTHER_KIND
    day = _day(event.get("timestamp"))
    if not isinstance(payload, dict) or day is None:
        return ContactOutcome.BROKEN
    return _with_patient(payload.get("patient_id"), day, today)


def _with_patient(patient_id: object, day: date, today: date) -> Contact | ContactOutcome:
    if patient_id is None:
        # Mails to a therapist are about nobody in particular.
        return ContactOutcome.NO_PATIENT
    if not isinstance(patient_id, int) or isinstance(patient_id, bool):
        return ContactOutcome.BROKEN
    if not 0 < patient_id <= _HIGHEST_ID:
        return ContactOutcome.UNKNOWN_PATIENT
    # A day for time zones and clocks; a later one would keep every real contact out.
    return Contact(patient_id, day) if day <= today + timedelta(days=1) else ContactOutcome.IN_THE_FUTURE


def _day(value: object) -> date | None:
    """The day in UTC; a time without a zone is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).date()
    except (ValueError, OverflowError):
        return None
