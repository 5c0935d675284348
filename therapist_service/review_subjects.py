"""What a review about therapists is about, read from the database for the people who decide it."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.fields.declaration import Row
from shared.reviews.subjects import (
    ConflictingField,
    ConflictSubject,
    DuplicateSubject,
    HeldDeletionsSubject,
    ProposedDeletion,
    Side,
    Subject,
    side_by_side,
)
from shared.reviews.values import ConflictDetail, HeldDeletionsDetail, HeldRecordDetail, Review
from therapist_service.imports.removals import is_listed_since
from therapist_service.models import therapeuten
from therapist_service.therapist import MAPPED_FIELDS


def subject_of(connection: Connection, review: Review) -> Subject | None:
    """What the review is about, as things stand now; who is gone is left out or marked so. None where an erasure
    blanked it."""
    match review.detail:
        case HeldRecordDetail() as detail:
            return _held_record(connection, detail)
        case ConflictDetail() as detail:
            return _conflict(connection, review.entity_id, detail)
        case HeldDeletionsDetail() as detail:
            return _held_deletions(connection, detail)
        case _:
            return None


def _held_record(connection: Connection, detail: HeldRecordDetail) -> DuplicateSubject:
    """The record of the file beside the rows that it may mean."""
    rows = _rows(connection, detail.candidates)
    sides = (Side(None, detail.record), *(Side(number, row) for number, row in rows.items()))
    return DuplicateSubject(sides, side_by_side(MAPPED_FIELDS, sides))


def _conflict(connection: Connection, entity_id: int | None, detail: ConflictDetail) -> ConflictSubject:
    row = _rows(connection, [entity_id]).get(entity_id)
    said = (row and row["source_record"]) or {}
    fields = [
        ConflictingField(
            found.field,
            found.base,
            found.staff,
            said.get(found.field, found.source),
            row[found.field] if row else None,
        )
        for found in detail.fields
    ]
    return ConflictSubject(entity_id, row, tuple(fields))


def _held_deletions(connection: Connection, detail: HeldDeletionsDetail) -> HeldDeletionsSubject:
    rows = _rows(connection, [deletion.entity_id for deletion in detail.deletions])
    deletions = [
        ProposedDeletion(one.entity_id, row, reappeared=row is not None and is_listed_since(row, detail.day_of(one)))
        for one in detail.deletions
        for row in [rows.get(one.entity_id)]
    ]
    return HeldDeletionsSubject(tuple(deletions), detail.active_before)


def _rows(connection: Connection, ids: Iterable[int | None]) -> dict[int | None, Row]:
    statement = sa.select(therapeuten).where(therapeuten.c.id.in_(list(ids))).order_by(therapeuten.c.id)
    return {row["id"]: dict(row) for row in connection.execute(statement).mappings()}
