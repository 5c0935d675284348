"""Undoing what was decided on the therapist import's reviews: the rows are as before, unless changed since."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.fields.declaration import Row
from shared.people.writer import Change
from shared.reviews.reviews import UndoRefused, lock_resolved, reopen
from shared.reviews.values import Review, WrittenRow
from shared.words.codes import Code
from shared.words.statuses import ReviewKind
from therapist_service.models import kernel, therapeuten
from therapist_service.use_cases import delete_therapist, update_therapists

_TECHNICAL: Mapping[str, Callable[[str], date]] = {
    "source_removed_at": datetime.fromisoformat,
    "source_day": date.fromisoformat,
}
"""The columns of the import's own, and how their JSON values are read."""


def undo_review(connection: Connection, review_id: int, actor: str, comment: str | None = None) -> Review:
    """Puts back what was written, with history and events in the name of `actor`, and opens the review again.

    Raises `NotFound`, `NotAllowedError` for an open one, or `UndoRefused`, and then nothing is changed: a merge is
    final; a row was changed since or is gone; a newer review of the same row waits or was resolved.
    """
    review = lock_resolved(connection, kernel, review_id)
    if review.kind == ReviewKind.CONFLICT:
        _refuse_if_asked_again(connection, review)
    if review.written is not None:
        if review.written.created is not None:
            _take_back(connection, review.written.created, actor)
        _put_back(connection, review.written.rows, actor)
    return reopen(connection, kernel, review, actor, comment)


def _refuse_if_asked_again(connection: Connection, review: Review) -> None:
    """The source has said something newer: the old review's values would overwrite it."""
    reviews = kernel.reviews.c
    newer = sa.select(reviews.id).where(
        reviews.kind == ReviewKind.CONFLICT, reviews.entity_id == review.entity_id, reviews.id > review.id
    )
    if connection.execute(newer.limit(1)).first():
        raise UndoRefused(Code.ASKED_AGAIN)
    if connection.execute(sa.select(therapeuten.c.id).where(therapeuten.c.id == review.entity_id)).first() is None:
        raise UndoRefused(Code.GONE_SINCE)


def _put_back(connection: Connection, written: Sequence[WrittenRow], actor: str) -> None:
    rows = _locked(connection, [entry.entity_id for entry in written])
    changes = [change for entry in written if (change := _change(rows[entry.entity_id], entry))]
    update_therapists(connection, changes, actor)


def _change(row: Row, entry: WrittenRow) -> Change | None:
    """What puts one row back; None where it is back already, as a therapist who reappeared."""
    before, after = _typed(entry.before), _typed(entry.after)
    # On which day the source spoke last says nothing about whether somebody has gone on from here.
    compared = before.keys() - {"source_day"}
    if all(row[name] == before[name] for name in compared):
        return None
    if any(row[name] != after[name] for name in compared):
        raise UndoRefused(Code.CHANGED_SINCE)
    fields = {name: value for name, value in before.items() if name not in _TECHNICAL}
    return Change(row, fields, {name: before[name] for name in _TECHNICAL.keys() & before.keys()})


def _typed(values: Mapping[str, object]) -> dict[str, object]:
    """JSON values as the table's own."""
    times = {name: read(str(values[name])) for name, read in _TECHNICAL.items() if values.get(name)}
    return {**values, **times}


def _take_back(connection: Connection, therapist_id: int, actor: str) -> None:
    """Removes the row that resolving made, if nobody has worked on it."""
    row = _locked(connection, [therapist_id])[therapist_id]
    reviews = kernel.reviews.c
    asked = sa.select(reviews.id).where(
        sa.or_(reviews.entity_id == therapist_id, reviews.detail["candidates"].contains([therapist_id]))
    )
    if row["updated_at"] != row["created_at"] or connection.execute(asked.limit(1)).first():
        raise UndoRefused(Code.CHANGED_SINCE)
    delete_therapist(connection, therapist_id, actor)


def _locked(connection: Connection, ids: Sequence[int]) -> dict[int, Row]:
    statement = sa.select(therapeuten).where(therapeuten.c.id.in_(ids)).order_by(therapeuten.c.id).with_for_update()
    rows: dict[int, Row] = {row["id"]: dict(row) for row in connection.execute(statement).mappings()}
    if len(rows) < len(set(ids)):
        raise UndoRefused(Code.GONE_SINCE)
    return rows
