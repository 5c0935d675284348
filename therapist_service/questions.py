"""What a question about therapists is about, read from the database for the people who decide it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.reviews.comparison import (
    Conflict,
    ConflictLine,
    Duplicate,
    HeldDeletion,
    HeldDeletions,
    Side,
    Subject,
    side_by_side,
)
from therapist_service.models import therapeuten
from therapist_service.therapist import MAPPED_FIELDS

Review = Mapping[Any, Any]


def subject_of(connection: Connection, review: Review) -> Subject:
    """What the question is about, as things stand now; who is gone is left out or marked so."""
    return _SUBJECTS[review["kind"]](connection, review)


def has_reappeared(row: Mapping[Any, Any], seen_at: str) -> bool:
    """Whether a later file lists the therapist than the one that called them deleted, as of `seen_at`."""
    return row["source_seen_at"] is not None and row["source_seen_at"] > datetime.fromisoformat(seen_at)


def _duplicate(connection: Connection, review: Review) -> Duplicate:
    """The record of the file beside the rows that it may mean."""
    detail = review["detail"]
    record = Side(None, detail.get("record", {}))
    rows = _rows(connection, detail.get("candidates", ()))
    sides = (record, *(Side(number, row) for number, row in rows.items()))
    return Duplicate(sides, side_by_side(MAPPED_FIELDS, sides))


def _conflict(connection: Connection, review: Review) -> Conflict:
    row = _rows(connection, [review["entity_id"]]).get(review["entity_id"])
    lines = [
        ConflictLine(
            field=entry["field"],
            base=entry.get("base"),
            staff=entry["staff"],
            source=entry["source"],
            present=row[entry["field"]] if row else None,
        )
        for entry in review["detail"]["fields"]
    ]
    return Conflict(review["entity_id"], row, tuple(lines))


def _held_deletions(connection: Connection, review: Review) -> HeldDeletions:
    detail = review["detail"]
    listed = [entry["entity_id"] for entry in detail["deletions"]]
    rows = _rows(connection, listed)
    deletions = [
        HeldDeletion(
            number, rows.get(number), reappeared=number in rows and has_reappeared(rows[number], detail["seen_at"])
        )
        for number in listed
    ]
    return HeldDeletions(tuple(deletions), detail["active_before"])


def _rows(connection: Connection, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    statement = sa.select(therapeuten).where(therapeuten.c.id.in_(list(ids))).order_by(therapeuten.c.id)
    return {row["id"]: dict(row) for row in connection.execute(statement).mappings()}


_SUBJECTS: Mapping[str, Callable[[Connection, Review], Subject]] = {
    "conflict": _conflict,
    "held_deletions": _held_deletions,
    "possible_duplicate": _duplicate,
}
