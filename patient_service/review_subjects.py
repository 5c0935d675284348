"""What a review about patients is about, read from the database for the people who decide it."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.models import patienten
from patient_service.schemas import PatientOut
from shared.reviews.subjects import DuplicateSubject, Side, side_by_side
from shared.reviews.values import DuplicateDetail, Review

_COMPARED = tuple(name for name in PatientOut.model_fields if name not in ("id", "created_at", "updated_at"))


def candidates_of(review: Review) -> list[int]:
    """Those whom the patient in question resembles, gone or not."""
    detail = review.detail
    return [n for n in detail.candidates if n != review.entity_id] if isinstance(detail, DuplicateDetail) else []


def subject_of(connection: Connection, review: Review) -> DuplicateSubject | None:
    """The patient in question beside those who resemble them; who is gone is left out. None where an erasure blanked
    the review."""
    if review.detail is None:
        return None
    wanted = [number for number in (review.entity_id, *candidates_of(review)) if number is not None]
    found = connection.execute(sa.select(patienten).where(patienten.c.id.in_(wanted))).mappings()
    rows = {row["id"]: dict(row) for row in found}
    sides = [Side(number, rows[number]) for number in dict.fromkeys(wanted) if number in rows]
    return DuplicateSubject(tuple(sides), side_by_side(_COMPARED, sides))
