"""What the patient service announces: the event of each change, and the form of its payload.

A change of the status is announced as such and not as an update, so each change has exactly one event.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from patient_service.schemas import PatientOut, patient_payload
from shared.events.catalogue import EventType
from shared.events.outbox import Event
from shared.words.vocabulary import Patientenstatus

Row = Mapping[Any, Any]


class PatientEvent(BaseModel):
    """A patient after the change."""

    patient_id: int = Field(description="The patient; the key of the message, as a number.")
    patient_data: PatientOut = Field(description="The patient as the API returns it, right after the change.")


class PatientStatusEvent(PatientEvent):
    """A patient after a change of status; other fields may have changed with it."""

    old_status: Patientenstatus
    new_status: Patientenstatus


class PatientDeletedEvent(BaseModel):
    """A patient who is gone; nothing of their data is told any more."""

    patient_id: int = Field(description="The patient; the key of the message, as a number.")


EVENT_TYPES = (
    EventType("patient.created", "A patient was created, by the API or by an imported registration.", PatientEvent),
    EventType("patient.updated", "Something about a patient changed, but not the status.", PatientEvent),
    EventType("patient.status_changed", "A patient's status changed, perhaps with other fields.", PatientStatusEvent),
    EventType("patient.deleted", "A patient was deleted, erased, or merged into another one.", PatientDeletedEvent),
)


def created(row: Row) -> Event:
    """The event of a new row."""
    return Event("patient.created", row["id"], _payload(row))


def changed(before: Row, after: Row) -> Event:
    """The event of a row that differs from what it was."""
    payload = _payload(after)
    if before["status"] == after["status"]:
        return Event("patient.updated", after["id"], payload)
    payload |= {"old_status": before["status"], "new_status": after["status"]}
    return Event("patient.status_changed", after["id"], payload)


def deleted(patient_id: int) -> Event:
    """The event of a row that is gone."""
    return Event("patient.deleted", patient_id, {"patient_id": patient_id})


def _payload(row: Row) -> dict[str, Any]:
    return {"patient_id": row["id"], "patient_data": patient_payload(row)}
