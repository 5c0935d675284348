"""What therapists look like on the outside: the fields of their declaration, as callers send them and are answered."""

from pydantic import BaseModel, ConfigDict

from shared.fields.schemas import answers, creates, updates
from shared.fields.validation import Input
from therapist_service.therapist import THERAPIST


@updates(THERAPIST)
class TherapistUpdate(Input):
    """Some fields of a therapist: only those sent are written, and null blanks an optional one."""


@creates(THERAPIST)
class TherapistCreate(Input):
    """A new therapist; what is left out takes its default."""


@answers(THERAPIST)
class TherapistOut(BaseModel):
    """A therapist as the API returns it and as events carry it."""

    model_config = ConfigDict(from_attributes=True, hide_input_in_errors=True)
