"""What happened to one patient or therapist: which file brought it, who changed which field, what was decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.tables import KernelTables
from shared.words.statuses import Action

_MANY = 500

HappeningKind = Literal["import", "change", "review", "action", "event"]


@dataclass(frozen=True, slots=True)
class Changed:
    """One field, before and after, as the history's texts."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry of a history; what does not apply is None or empty.

    `word` is the outcome of an import, the kind of a review, the name of an action or the type of an event; `rule`
    says why an import took this row.
    """

    at: datetime
    kind: HappeningKind
    actor: str | None = None
    word: str | None = None
    rule: str | None = None
    code: str | None = None
    import_id: int | None = None
    record_index: int | None = None
    review_id: int | None = None
    changes: tuple[Changed, ...] = ()


def history_of(connection: Connection, kernel: KernelTables, entity_id: int) -> list[Happening]:
    """All that is on record about the row, newest first; at most 500 entries of each kind."""
    found = [
        *_imports(connection, kernel, entity_id),
        *_changes(connection, kernel, entity_id),
        *_reviews(connection, kernel, entity_id),
        *_actions(connection, kernel, entity_id),
        *_events(connection, kernel, entity_id),
    ]
    return sorted(found, key=lambda happening: (happening.at, _RANK[happening.kind]), reverse=True)


_RANK: dict[HappeningKind, int] = {"import": 0, "change": 1, "review": 2, "action": 3, "event": 4}
"""Within one transaction: a file comes first, what it changed and what was sent about it after that."""


def _imports(connection: Connection, kernel: KernelTables, entity_id: int) -> Iterable[Happening]:
    outcomes, files = kernel.import_outcomes.c, kernel.import_tracking.c
    statement = (
        sa.select(outcomes.import_id, outcomes.record_index, outcomes.outcome, outcomes.code, outcomes.rule)
        .add_columns(files.processed_at, files.first_seen_at)
        .join_from(kernel.import_outcomes, kernel.import_tracking, files.id == outcomes.import_id)
        .where(outcomes.entity_id == entity_id)
        .order_by(outcomes.id.desc())
        .limit(_MANY)
    )
    for row in connection.execute(statement):
        yield Happening(
            at=row.processed_at or row.first_seen_at,
            kind="import",
            actor=f"import:{row.import_id}",
            word=row.outcome,
            rule=row.rule,
            code=row.code,
            import_id=row.import_id,
            record_index=row.record_index,
        )


def _changes(connection: Connection, kernel: KernelTables, entity_id: int) -> Iterable[Happening]:
    table = kernel.field_changes
    statement = sa.select(table).where(table.c.entity_id == entity_id).order_by(table.c.id.desc()).limit(_MANY)
    rows = connection.execute(statement).mappings().all()
    for (at, actor), together in groupby(rows, key=lambda row: (row["changed_at"], row["changed_by"])):
        fields = [Changed(row["field"], row["old_value"], row["new_value"]) for row in together]
        yield Happening(at=at, kind="change", actor=actor, import_id=_import_of(actor), changes=tuple(reversed(fields)))


def _reviews(connection: Connection, kernel: KernelTables, entity_id: int) -> Iterable[Happening]:
    table = kernel.reviews
    statement = sa.select(table).where(_is_about(table, entity_id)).order_by(table.c.id.desc()).limit(_MANY)
    for row in connection.execute(statement).mappings():
        yield Happening(
            at=row["created_at"],
            kind="review",
            actor=f"import:{row['import_id']}" if row["import_id"] else None,
            word=row["kind"],
            import_id=row["import_id"],
            review_id=row["id"],
        )


def _actions(connection: Connection, kernel: KernelTables, entity_id: int) -> Iterable[Happening]:
    table, reviews = kernel.operator_actions, kernel.reviews
    about = sa.select(reviews.c.id).where(_is_about(reviews, entity_id))
    mine = sa.or_(table.c.entity_id == entity_id, table.c.review_id.in_(about), _at_own_file(kernel, entity_id))
    statement = sa.select(table).where(mine).order_by(table.c.id.desc()).limit(_MANY)
    for row in connection.execute(statement).mappings():
        yield Happening(
            at=row["at"],
            kind="action",
            actor=row["actor"],
            word=row["action"],
            rule=row["reason"],
            import_id=row["import_id"],
            review_id=row["review_id"],
        )


def _at_own_file(kernel: KernelTables, entity_id: int) -> sa.ColumnElement[bool]:
    """What people noted, corrected or entered of a file that is about this person alone."""
    actions, outcomes, files = kernel.operator_actions.c, kernel.import_outcomes.c, kernel.import_tracking.c
    own = (
        sa.select(outcomes.import_id)
        .join_from(kernel.import_outcomes, kernel.import_tracking, files.id == outcomes.import_id)
        .where(outcomes.entity_id == entity_id, kernel.total_column == 1)
    )
    return sa.and_(actions.action.in_((Action.NOTE, Action.CORRECT, Action.ENTER)), actions.import_id.in_(own))


def _events(connection: Connection, kernel: KernelTables, entity_id: int) -> Iterable[Happening]:
    table = kernel.event_outbox
    columns = (table.c.event_type, table.c.created_at, table.c.sent_at, table.c.parked_code)
    statement = sa.select(*columns).where(table.c.key == str(entity_id)).order_by(table.c.id.desc()).limit(_MANY)
    for row in connection.execute(statement):
        state = "sent" if row.sent_at else "waiting"
        yield Happening(at=row.created_at, kind="event", word=row.event_type, rule=state, code=row.parked_code)


def _is_about(reviews: sa.Table, entity_id: int) -> sa.ColumnElement[bool]:
    detail = reviews.c.detail
    listed: Sequence[sa.ColumnElement[bool]] = (
        detail["candidates"].contains([entity_id]),
        detail["deletions"].contains([{"entity_id": entity_id}]),
    )
    return sa.or_(reviews.c.entity_id == entity_id, reviews.c.other_id == entity_id, *listed)


def _import_of(actor: str) -> int | None:
    kind, _, number = actor.partition(":")
    return int(number) if kind == "import" and number.isdigit() else None
