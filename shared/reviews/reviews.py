"""Questions for a person: opened by imports, decided in the console, by the API or on the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.core.clock import now
from shared.core.errors import Finding, NotAllowedError, NotFound
from shared.database.tables import KernelTables
from shared.fields.validation import InvalidInput
from shared.history.actions import record_action
from shared.words.codes import describe

CHOICES = {
    "possible_duplicate": ("merge", "separate"),
    "conflict": ("source", "staff"),
    "held_deletions": ("apply", "reject"),
}
"""What a person can choose for each kind of question."""

UNDOABLE = frozenset({"separate", "source", "staff", "apply", "reject"})
"""Choices that leave enough to be undone."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A person's decision. `into` names the row to merge into where several come into question; `only` the rows that
    the decision is meant for where a question covers many (None: all)."""

    choose: str
    actor: str
    comment: str | None = None
    into: int | None = None
    only: tuple[int, ...] | None = None


class DecisionRefused(NotAllowedError):
    """The question cannot be decided this way; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(describe(code).english)
        self.args, self.code = (code,), code


class UndoRefused(DecisionRefused):
    """The decision cannot be undone; `code` says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to open. `fingerprint` keeps it from being asked again, also after it was decided."""

    kind: str
    import_id: int
    record_index: int
    entity_id: int | None = None
    other_id: int | None = None
    fingerprint: str | None = None
    detail: Mapping[str, Any] | None = None


def open_reviews(connection: Connection, kernel: KernelTables, questions: Sequence[Question]) -> int:
    """Opens those that were never asked; returns how many."""
    if not questions:
        return 0
    table = kernel.reviews
    fingerprints = [question.fingerprint for question in questions if question.fingerprint]
    asked = set(
        connection.execute(sa.select(table.c.fingerprint).where(table.c.fingerprint.in_(fingerprints))).scalars()
    )
    fresh = [question for question in questions if question.fingerprint is None or question.fingerprint not in asked]
    rows = [
        {
            "kind": question.kind,
            "import_id": question.import_id,
            "record_index": question.record_index,
            "entity_id": question.entity_id,
            "other_id": question.other_id,
            "fingerprint": question.fingerprint,
            "detail": dict(question.detail or {}),
        }
        for question in fresh
    ]
    if rows:
        connection.execute(sa.insert(table), rows)
    return len(rows)


def list_reviews(
    connection: Connection,
    kernel: KernelTables,
    *,
    state: str | None = "open",
    kind: str | None = None,
    offset: int = 0,
    limit: int = 20,
) -> tuple[list[RowMapping], int]:
    """A page of reviews, oldest first, and how many there are in all."""
    table = kernel.reviews
    conditions = [table.c.state == state] if state else []
    conditions += [table.c.kind == kind] if kind else []
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()
    page = sa.select(table).where(*conditions).order_by(table.c.id).offset(offset).limit(limit)
    return list(connection.execute(page).mappings()), total


def find_review(connection: Connection, kernel: KernelTables, review_id: int) -> RowMapping:
    """The review. Raises `NotFound`."""
    table = kernel.reviews
    row = connection.execute(sa.select(table).where(table.c.id == review_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("Review not found")
    return row


def lock_open(connection: Connection, kernel: KernelTables, review_id: int, choice: Choice) -> RowMapping:
    """The open review, locked. Raises `NotFound`, `NotAllowedError` where it is decided, `InvalidInput` for a choice
    that its kind does not have."""
    table = kernel.reviews
    statement = sa.select(table).where(table.c.id == review_id).with_for_update()
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound("Review not found")
    if row["state"] != "open":
        raise NotAllowedError(f"Question {kernel.number(review_id)} was decided already")
    valid = CHOICES[row["kind"]]
    if choice.choose not in valid:
        message = f"Invalid choice '{choice.choose[:50]}'. Valid values: {', '.join(valid)}"
        raise InvalidInput(message, [Finding("/choose", "invalid_value")])
    return row


def close(
    connection: Connection,
    kernel: KernelTables,
    review_id: int,
    choice: Choice,
    done: Mapping[str, Any] | None = None,
) -> RowMapping:
    """Keeps the decision, and who made it; returns the review.

    `done` is what an undo needs to know of what the decision wrote, as JSON values.
    """
    table = kernel.reviews
    record_action(connection, kernel, "resolve", choice.actor, review_id=review_id, reason=choice.choose)
    decided = {
        "state": "resolved",
        "choice": choice.choose,
        "comment": choice.comment,
        "decided_by": choice.actor,
        "decided_at": now(),
        "detail": table.c.detail.concat({"done": dict(done or {})}),
    }
    statement = sa.update(table).where(table.c.id == review_id).values(decided).returning(table)
    return connection.execute(statement).mappings().one()


def lock_decided(connection: Connection, kernel: KernelTables, review_id: int) -> RowMapping:
    """The decided review, locked. Raises `NotFound`, `NotAllowedError` where it is open, or `UndoRefused` for a
    decision that is final."""
    table = kernel.reviews
    statement = sa.select(table).where(table.c.id == review_id).with_for_update()
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound("Review not found")
    if row["state"] != "resolved":
        raise NotAllowedError(f"Question {kernel.number(review_id)} is open; there is nothing to undo")
    if not can_undo(row):
        raise UndoRefused("decision_final")
    return row


def can_undo(review: Mapping[Any, Any]) -> bool:
    """Whether the decision is of a kind that can be undone: a merge removed a row, an erasure everything."""
    return review["state"] == "resolved" and review["choice"] in UNDOABLE and "done" in review["detail"]


def reopen(
    connection: Connection, kernel: KernelTables, review: RowMapping, actor: str, comment: str | None = None
) -> RowMapping:
    """Opens the question again and keeps the decision that was undone, and who undid it, in `detail.earlier`."""
    table = kernel.reviews
    moment = now()
    # What people write may name the person: it stands in the question alone, which an erasure blanks.
    record_action(connection, kernel, "undo", actor, review_id=review["id"], reason=review["choice"])
    undone = {
        **{name: review[name] for name in ("choice", "comment", "decided_by")},
        "decided_at": review["decided_at"].isoformat(),
        "undone_by": actor,
        "undone_at": moment.isoformat(),
        "why": comment,
    }
    detail = {name: value for name, value in review["detail"].items() if name != "done"}
    detail["earlier"] = [*detail.get("earlier", []), undone]
    opened = {
        "state": "open",
        "choice": None,
        "comment": None,
        "decided_by": None,
        "decided_at": None,
        "detail": detail,
    }
    statement = sa.update(table).where(table.c.id == review["id"]).values(opened).returning(table)
    return connection.execute(statement).mappings().one()
