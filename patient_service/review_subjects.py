"""What a review about patients is about, read from the database for the people who decide it."""

from collections.abc import Mapping, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.merges import merged_values
from patient_service.models import patienten
from patient_service.patient import PATIENT, Patient
from patient_service.schemas import PatientOut
from shared.fields.declaration import Day
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
    if review.written is not None and review.written.were:
        were = tuple(Side(was.entity_id, _typed(was.values)) for was in review.written.were)
        return DuplicateSubject(were, side_by_side(_COMPARED, were))
    wanted = [number for number in (review.entity_id, *candidates_of(review)) if number is not None]
    found = connection.execute(sa.select(patienten).where(patienten.c.id.in_(wanted))).mappings()
    rows = {row["id"]: dict(row) for row in found}
    sides = tuple(Side(number, rows[number]) for number in dict.fromkeys(wanted) if number in rows)
    patients = [Patient(**rows[number]) for number in dict.fromkeys(wanted) if number in rows]
    merged = _merged(connection, patients) if review.is_open and review.entity_id in rows else ()
    return DuplicateSubject(sides, side_by_side(_COMPARED, sides), merged)


def _merged(connection: Connection, patients: Sequence[Patient]) -> tuple[Side, ...]:
    """Each of the others as they would be with the first one merged into them."""
    newer, *others = patients
    return tuple(Side(older.id, {**vars(older), **merged_values(connection, newer, older)}) for older in others)


def _typed(values: Mapping[str, object]) -> dict[str, object]:
    """JSON values with their days as days."""
    days = {field.name for field in PATIENT if isinstance(field.kind, Day)}
    return {name: date.fromisoformat(str(v)) if name in days and v else v for name, v in values.items()}
