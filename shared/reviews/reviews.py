"""Reviews: opened by imports, resolved in the console, by the API or on the command line."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.clock import now
from shared.core.errors import Finding, NotAllowedError, NotFound
from shared.database.tables import KernelTables
from shared.fields.validation import InvalidInput
from shared.history.actions import record_action
from shared.reviews.stored import read_review, written_json
from shared.reviews.values import CHOICES, Detail, NewReview, Resolution, Review, UndoneResolution, Written
from shared.words.codes import Code
from shared.words.statuses import Action, ReviewChoice, ReviewKind, ReviewOrder, ReviewState


class ResolutionRefused(NotAllowedError):
    """The review cannot be resolved this way; `code` says why."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.english)
        self.args, self.code = (code,), code


class UndoRefused(ResolutionRefused):
    """The resolution cannot be undone; `code` says why."""


def open_reviews(connection: Connection, kernel: KernelTables, reviews: Sequence[NewReview]) -> None:
    """Opens them, or brings those up to date that are open under the same fingerprint."""
    table = kernel.reviews
    rows = [asdict(review) for review in reviews if not _is_updated(connection, table, review)]
    if rows:
        connection.execute(sa.insert(table), rows)


def _is_updated(connection: Connection, table: sa.Table, review: NewReview) -> bool:
    if review.fingerprint is None:
        return False
    same = (table.c.fingerprint == review.fingerprint, table.c.state == ReviewState.OPEN)
    return connection.execute(sa.update(table).where(*same).values(asdict(review))).rowcount > 0


def lock_all_open(
    connection: Connection,
    kernel: KernelTables,
    kind: ReviewKind | None = None,
    entity_ids: Sequence[int | None] | None = None,
) -> list[Review]:
    """The open reviews of that kind and about these entities, locked in order of id."""
    table = kernel.reviews
    conditions = [table.c.state == ReviewState.OPEN]
    conditions += [table.c.kind == kind] if kind else []
    conditions += [table.c.entity_id.in_(entity_ids)] if entity_ids is not None else []
    found = sa.select(table).where(*conditions).order_by(table.c.id).with_for_update()
    return [read_review(row) for row in connection.execute(found).mappings()]


def settle(connection: Connection, kernel: KernelTables, review_id: int, actor: str) -> None:
    """Closes a locked review that newer data has answered, or another review asks instead."""
    table = kernel.reviews
    answered = {"state": ReviewState.RESOLVED, "choice": ReviewChoice.SETTLED, "decided_by": actor, "decided_at": now()}
    connection.execute(sa.update(table).where(table.c.id == review_id).values(answered))


def change_detail(connection: Connection, kernel: KernelTables, review_id: int, detail: Detail) -> None:
    """Changes what a locked review is about; who decided otherwise before stays on record."""
    table = kernel.reviews
    changed = table.c.detail.concat(asdict(detail))
    connection.execute(sa.update(table).where(table.c.id == review_id).values(detail=changed))


def forget(connection: Connection, kernel: KernelTables, review_ids: Collection[int] | sa.Select[tuple[int]]) -> int:
    """Keeps of these reviews nothing but what was chosen; open ones are closed. Returns how many there are."""
    table = kernel.reviews
    blanked: dict[str, object] = {
        "detail": {},
        "entity_id": None,
        "other_id": None,
        "comment": None,
        "fingerprint": None,
        "state": ReviewState.RESOLVED,
        "choice": sa.func.coalesce(table.c.choice, ReviewChoice.ERASED),
        "decided_at": sa.func.coalesce(table.c.decided_at, now()),
    }
    return connection.execute(sa.update(table).where(table.c.id.in_(review_ids)).values(blanked)).rowcount


def list_reviews(
    connection: Connection,
    kernel: KernelTables,
    *,
    state: ReviewState | None = ReviewState.OPEN,
    kind: ReviewKind | None = None,
    order: ReviewOrder = ReviewOrder.OLDEST,
    offset: int = 0,
    limit: int = 20,
) -> tuple[list[Review], int]:
    """A page of reviews, and how many there are in all."""
    table = kernel.reviews
    conditions = [table.c.state == state] if state else []
    conditions += [table.c.kind == kind] if kind else []
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()
    orders: Mapping[ReviewOrder, Sequence[sa.ColumnElement[object]]] = {
        ReviewOrder.WAITING: (table.c.decided_at.desc().nulls_first(), table.c.id),
        ReviewOrder.OLDEST: (table.c.id,),
        ReviewOrder.NEWEST: (table.c.id.desc(),),
        ReviewOrder.KIND: (table.c.kind, table.c.id),
    }
    page = sa.select(table).where(*conditions).order_by(*orders[order]).offset(offset).limit(limit)
    return [read_review(row) for row in connection.execute(page).mappings()], total


def next_open(connection: Connection, kernel: KernelTables, review_id: int) -> tuple[int | None, int]:
    """Which open review comes after this one, from the first again after the last, and how many others are open."""
    columns = kernel.reviews.c
    others = (columns.state == ReviewState.OPEN, columns.id != review_id)
    left = connection.execute(sa.select(sa.func.count()).select_from(kernel.reviews).where(*others)).scalar_one()
    order = (columns.id < review_id, columns.id)
    following = connection.execute(sa.select(columns.id).where(*others).order_by(*order).limit(1)).scalar()
    return following, left


def find_review(connection: Connection, kernel: KernelTables, review_id: int) -> Review:
    """The review. Raises `NotFound`."""
    return _found(connection, sa.select(kernel.reviews).where(kernel.reviews.c.id == review_id))


def lock_open(connection: Connection, kernel: KernelTables, review_id: int, choice: str) -> Review:
    """The open review, locked. Raises `NotFound`, `NotAllowedError` where it is resolved, `InvalidInput` for a choice
    that its kind does not have."""
    review = _locked(connection, kernel, review_id)
    if not review.is_open:
        raise NotAllowedError(f"Review {kernel.review_number(review_id)} was decided already")
    possible = CHOICES[review.kind]
    if choice not in possible:
        message = f"Invalid choice '{choice[:50]}'. Valid values: {', '.join(possible)}"
        raise InvalidInput(message, [Finding("/choose", Code.INVALID_VALUE)])
    return review


def close(
    connection: Connection,
    kernel: KernelTables,
    review: Review,
    resolution: Resolution,
    written: Written = Written(),  # noqa: B008 - frozen
) -> Review:
    """Keeps the resolution, who made it, and what an undo needs to know of what it wrote; returns the review."""
    table, choice, actor = kernel.reviews, resolution.choice, resolution.actor
    record_action(connection, kernel, Action.RESOLVE, actor, review_id=review.id, reason=choice)
    resolved = {
        "state": ReviewState.RESOLVED,
        "choice": choice,
        "comment": resolution.comment,
        "decided_by": actor,
        "decided_at": now(),
        "detail": table.c.detail.concat({"done": written_json(written)}),
    }
    return _found(connection, sa.update(table).where(table.c.id == review.id).values(resolved).returning(table))


def lock_resolved(connection: Connection, kernel: KernelTables, review_id: int) -> Review:
    """The resolved review, locked. Raises `NotFound`, `NotAllowedError` where it is open, or `UndoRefused` for a
    resolution that is final."""
    review = _locked(connection, kernel, review_id)
    if review.is_open:
        raise NotAllowedError(f"Review {kernel.review_number(review_id)} is open; there is nothing to undo")
    if not review.can_undo:
        raise UndoRefused(Code.DECISION_FINAL)
    return review


def reopen(
    connection: Connection, kernel: KernelTables, review: Review, actor: str, comment: str | None = None
) -> Review:
    """Opens the review again and keeps the resolution that was undone, and who undid it, in `detail.earlier`."""
    table = kernel.reviews
    # What people write may name the person: it stands in the review alone, which an erasure blanks.
    record_action(connection, kernel, Action.UNDO, actor, review_id=review.id, reason=review.choice)
    earlier = [asdict(undone) for undone in (*review.earlier, _undone(review, actor, comment))]
    opened = {
        "state": ReviewState.OPEN,
        "choice": None,
        "comment": None,
        "decided_by": None,
        "decided_at": None,
        "detail": table.c.detail.delete_path(["done"]).concat({"earlier": earlier}),
    }
    return _found(connection, sa.update(table).where(table.c.id == review.id).values(opened).returning(table))


def _undone(review: Review, actor: str, comment: str | None) -> UndoneResolution:
    return UndoneResolution(
        choice=review.choice or "",
        comment=review.comment,
        decided_by=review.decided_by,
        decided_at=review.decided_at or now(),
        undone_by=actor,
        undone_at=now(),
        why=comment,
    )


def _locked(connection: Connection, kernel: KernelTables, review_id: int) -> Review:
    table = kernel.reviews
    return _found(connection, sa.select(table).where(table.c.id == review_id).with_for_update())


def _found(connection: Connection, statement: sa.Executable) -> Review:
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound("Review not found")
    return read_review(row)
