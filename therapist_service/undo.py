"""Undoing a decision on the therapist import's questions: the rows are as before it, unless they were changed since."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.fields.declaration import Row
from shared.reviews.reviews import UndoRefused, lock_decided, reopen
from therapist_service.models import kernel, therapeuten
from therapist_service.use_cases import TherapistChange, delete_therapist, update_therapists

_TECHNICAL = frozenset({"source_removed_at"})


def undo_review(connection: Connection, review_id: int, actor: str, comment: str | None = None) -> RowMapping:
    """Puts back what the decision wrote, with history and events in the name of `actor`, and opens the question again.

    Raises `NotFound`, `NotAllowedError` for an open one, or `UndoRefused`, and then nothing is changed: a merge is
    final; a row was changed since or is gone; a newer question about the same row waits or was decided.
    """
    review = lock_decided(connection, kernel, review_id)
    if review["kind"] == "conflict":
        _refuse_if_asked_again(connection, review)
    done = review["detail"]["done"]
    if "created" in done:
        _take_back(connection, done["created"], actor)
    _put_back(connection, done.get("rows", ()), actor)
    return reopen(connection, kernel, review, actor, comment)


def _refuse_if_asked_again(connection: Connection, review: RowMapping) -> None:
    """The source has said something newer: the old question's values would overwrite it."""
    reviews = kernel.reviews.c
    newer = sa.select(reviews.id).where(
        reviews.kind == "conflict", reviews.entity_id == review["entity_id"], reviews.id > review["id"]
    )
    if connection.execute(newer.limit(1)).first():
        raise UndoRefused("asked_again")
    if connection.execute(sa.select(therapeuten.c.id).where(therapeuten.c.id == review["entity_id"])).first() is None:
        raise UndoRefused("gone_since")


def _put_back(connection: Connection, written: Sequence[Mapping[str, Any]], actor: str) -> None:
    rows = _locked(connection, [entry["entity_id"] for entry in written])
    changes = [change for entry in written if (change := _change(rows[entry["entity_id"]], entry))]
    update_therapists(connection, changes, actor)


def _change(row: Row, entry: Mapping[str, Any]) -> TherapistChange | None:
    """What puts one row back; None where it is back already, as a therapist who reappeared."""
    before, after = _typed(entry["before"]), _typed(entry["after"])
    present = {name: row[name] for name in before}
    if present == before:
        return None
    if present != after:
        raise UndoRefused("changed_since")
    fields = {name: value for name, value in before.items() if name not in _TECHNICAL}
    return TherapistChange(row, fields, {name: before[name] for name in _TECHNICAL & before.keys()})


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values as the table's own."""
    moments = {name: datetime.fromisoformat(values[name]) for name in _TECHNICAL & values.keys() if values[name]}
    return {**values, **moments}


def _take_back(connection: Connection, therapist_id: int, actor: str) -> None:
    """Removes the row that the decision made, if nobody has worked on it."""
    row = _locked(connection, [therapist_id])[therapist_id]
    reviews = kernel.reviews.c
    asked = sa.select(reviews.id).where(
        sa.or_(reviews.entity_id == therapist_id, reviews.detail["candidates"].contains([therapist_id]))
    )
    if row["updated_at"] != row["created_at"] or connection.execute(asked.limit(1)).first():
        raise UndoRefused("changed_since")
    delete_therapist(connection, therapist_id, actor)


def _locked(connection: Connection, ids: Sequence[int]) -> dict[int, Row]:
    statement = sa.select(therapeuten).where(therapeuten.c.id.in_(ids)).order_by(therapeuten.c.id).with_for_update()
    rows: dict[int, Row] = {row["id"]: dict(row) for row in connection.execute(statement).mappings()}
    if len(rows) < len(set(ids)):
        raise UndoRefused("gone_since")
    return rows
