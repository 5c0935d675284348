"""Undoing a decision on possible duplicates among patients."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from patient_service.models import kernel, patienten
from shared.reviews.reviews import UndoRefused, lock_decided, reopen


def undo_review(connection: Connection, review_id: int, actor: str, comment: str | None = None) -> RowMapping:
    """Opens a decided question again, in the caller's transaction: `separate` wrote nothing that would have to go back.

    Raises `NotFound`, `NotAllowedError` for an open one, or `UndoRefused`: a merge is final, and of a question about
    somebody who is gone nothing is left to decide.
    """
    review = lock_decided(connection, kernel, review_id)
    candidates = [number for number in review["detail"]["candidates"] if number != review["entity_id"]]
    about = sa.select(patienten.c.id).where(patienten.c.id.in_([review["entity_id"], *candidates])).with_for_update()
    existing = set(connection.execute(about).scalars())
    if review["entity_id"] not in existing or not existing.intersection(candidates):
        raise UndoRefused("gone_since")
    return reopen(connection, kernel, review, actor, comment)
