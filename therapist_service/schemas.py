"""What therapists look like on the outside: the fields of their declaration, as callers send them and are answered."""

from pydantic import BaseModel

from shared.fields.schemas import answers, as_json, creates, updates
from shared.fields.validation import Input
from therapist_service.therapist import THERAPIST, Therapist


@updates(THERAPIST)
class TherapistUpdate(Input):
    """Some fields of a therapist: only those sent are written, and null blanks an optional one."""


@creates(THERAPIST)
class TherapistCreate(Input):
    """A new therapist; what is left out takes its default."""


@answers(THERAPIST)
class TherapistOut(BaseModel):
    """A therapist as the API returns it and as events carry it."""


def therapist_payload(therapist: Therapist) -> dict[str, object]:
    """The therapist as JSON values, in the fields and order of `TherapistOut`."""
    return as_json(THERAPIST.announced, vars(therapist))
