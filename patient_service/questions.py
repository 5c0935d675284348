"""What a question about patients is about, read from the database for the people who decide it."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.models import patienten
from patient_service.schemas import PatientOut
from shared.reviews.comparison import Duplicate, Side, side_by_side

_COMPARED = tuple(name for name in PatientOut.model_fields if name not in ("id", "created_at", "updated_at"))


def subject_of(connection: Connection, review: Mapping[Any, Any]) -> Duplicate:
    """The patient in question beside those who resemble them; who is gone, or was erased, is left out."""
    wanted = [number for number in (review["entity_id"], *review["detail"].get("candidates", ())) if number is not None]
    found = connection.execute(sa.select(patienten).where(patienten.c.id.in_(wanted))).mappings()
    rows = {row["id"]: dict(row) for row in found}
    sides = [Side(number, rows[number]) for number in dict.fromkeys(wanted) if number in rows]
    return Duplicate(tuple(sides), side_by_side(_COMPARED, sides))
