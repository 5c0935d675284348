"""Undoing what was decided on possible duplicates among patients."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.models import kernel, patienten
from patient_service.review_subjects import candidates_of
from shared.reviews.reviews import UndoRefused, lock_resolved, reopen
from shared.reviews.values import Review
from shared.words.codes import Code


def undo_review(connection: Connection, review_id: int, actor: str, comment: str | None = None) -> Review:
    """Opens a resolved review again, in the caller's transaction: `separate` wrote nothing that would have to go back.

    Raises `NotFound`, `NotAllowedError` for an open one, or `UndoRefused`: a merge is final, and of a review about
    somebody who is gone nothing is left to decide.
    """
    review = lock_resolved(connection, kernel, review_id)
    candidates = candidates_of(review)
    about = sa.select(patienten.c.id).where(patienten.c.id.in_([review.entity_id, *candidates])).with_for_update()
    existing = set(connection.execute(about).scalars())
    if review.entity_id not in existing or not existing.intersection(candidates):
        raise UndoRefused(Code.GONE_SINCE)
    return reopen(connection, kernel, review, actor, comment)
