"""What a review about therapists is about, read from the database for the people who decide it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

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
from therapist_service.models import therapeuten
from therapist_service.therapist import MAPPED_FIELDS

Row = Mapping[str, object]


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


def has_reappeared(row: Row, seen_at: datetime) -> bool:
    """Whether a later file lists the therapist than the one that called them deleted, as of `seen_at`."""
    listed_at = row["source_seen_at"]
    return isinstance(listed_at, datetime) and listed_at > seen_at


def _held_record(connection: Connection, detail: HeldRecordDetail) -> DuplicateSubject:
    """The record of the file beside the rows that it may mean."""
    rows = _rows(connection, detail.candidates)
    sides = (Side(None, detail.record), *(Side(number, row) for number, row in rows.items()))
    return DuplicateSubject(sides, side_by_side(MAPPED_FIELDS, sides))


def _conflict(connection: Connection, entity_id: int | None, detail: ConflictDetail) -> ConflictSubject:
    row = _rows(connection, [entity_id]).get(entity_id)
    fields = [
        ConflictingField(found.field, found.base, found.staff, found.source, row[found.field] if row else None)
        for found in detail.fields
    ]
    return ConflictSubject(entity_id, row, tuple(fields))


def _held_deletions(connection: Connection, detail: HeldDeletionsDetail) -> HeldDeletionsSubject:
    listed = [deletion.entity_id for deletion in detail.deletions]
    rows = _rows(connection, listed)
    deletions = [
        ProposedDeletion(
            number, rows.get(number), reappeared=number in rows and has_reappeared(rows[number], detail.seen_at)
        )
        for number in listed
    ]
    return HeldDeletionsSubject(tuple(deletions), detail.active_before)


def _rows(connection: Connection, ids: Iterable[int | None]) -> dict[int | None, Row]:
    statement = sa.select(therapeuten).where(therapeuten.c.id.in_(list(ids))).order_by(therapeuten.c.id)
    return {row["id"]: dict(row) for row in connection.execute(statement).mappings()}
