"""What patients look like on the outside: the fields of their declaration, as callers send them and are answered."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from patient_service.patient import PATIENT
from shared.fields.schemas import answers, creates, updates
from shared.fields.validation import Input
from shared.http.bodies import CalendarDay


@updates(PATIENT)
class PatientUpdate(Input):
    """Some fields of a patient: only those sent are written, and null blanks an optional one.

    `startdatum` and `letzter_kontakt` are not for callers to set.
    """


@creates(PATIENT)
class PatientCreate(Input):
    """A new patient; what is left out takes its default."""


@answers(PATIENT)
class PatientOut(BaseModel):
    """A patient as the API returns it and as events carry it."""

    model_config = ConfigDict(from_attributes=True, hide_input_in_errors=True)


class ContactDay(Input):
    """The day of a contact; today where none is given."""

    date: CalendarDay = None


class ConsentOut(BaseModel):
    """One consent as evidence: the whole section of the file, who gave it when and from where, and by which file."""

    id: int
    patient_id: int
    registration_token: str | None
    registration_timestamp: datetime | None
    given_at: datetime
    ip_address: str | None
    user_agent: str | None
    document: dict[str, object]
    file_hash: str
    import_id: int
    created_at: datetime
