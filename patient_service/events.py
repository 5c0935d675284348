"""What the patient service announces: the event of each change, and the form of its payload.

A change of the status is announced as such and not as an update, so each change has exactly one event.
"""

from pydantic import BaseModel, Field

from patient_service.schemas import PatientOut
from shared.events.catalogue import EventType
from shared.fields.declaration import Row, Values
from shared.words.vocabulary import Patientenstatus


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


def of_change(before: Row, after: Row) -> tuple[str, Values | None]:
    """The type of the event that tells of a change, and what it says beside the patient."""
    if before["status"] == after["status"]:
        return "patient.updated", None
    return "patient.status_changed", {"old_status": before["status"], "new_status": after["status"]}
