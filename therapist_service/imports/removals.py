"""The records of a file that claim `deleted`: whom they mean is found at the file's end, when it is known who else it
lists; what becomes of those is decided at the end of the scrape day (`day_end`)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.statements import Statement
from shared.fields.declaration import Row
from shared.people.writer import Change
from shared.words.statuses import Action, ReviewKind
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.deletions import Deletion, decide_deletion
from therapist_service.models import kernel, therapeuten
from therapist_service.use_cases import WRITER


def deletion_of(row: Row | None, day: date) -> Deletion:
    """What becomes of a deletion of that scrape day; None where the therapist's row is gone."""
    if row is None:
        return decide_deletion(is_known=False, already_removed=False, is_listed=False)
    removed = row["source_removed_at"] is not None
    return decide_deletion(is_known=True, already_removed=removed, is_listed=is_listed_since(row, day))


def is_listed_since(row: Row, day: date) -> bool:
    """Whether a file of that scrape day or a later one lists the therapist, and none has called them gone after."""
    return row["source_removed_at"] is None and row["source_day"] is not None and row["source_day"] >= day


def locked_rows(connection: Connection, ids: Collection[int]) -> dict[int, Row]:
    """The therapists' rows, locked in order of id; who is missing was deleted. Without the raw record."""
    return {row["id"]: row for row in _LOCKED(connection, ids=sorted(ids))} if ids else {}


_LOCKED = Statement(
    sa.select(*[column for column in therapeuten.c if column.name != "source_raw"])
    .where(therapeuten.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Integer))))
    .order_by(therapeuten.c.id)
    .with_for_update(),
    as_dicts=True,
)


@dataclass(frozen=True, slots=True)
class Removal:
    """A locked row that is gone at the source: on which scrape day, and at what moment, the source has said so."""

    row: Row
    day: date
    said_at: datetime


def remove(connection: Connection, removals: Sequence[Removal], actor: str) -> list[Row]:
    """Marks the rows as gone and returns them as they are afterwards.

    Who was active becomes inactive, who is blocked stays blocked, nobody is deleted.
    """
    return remove_all(connection, [(removal, actor) for removal in removals])


def remove_all(connection: Connection, removals: Sequence[tuple[Removal, str]]) -> list[Row]:
    """The same, each by its own actor."""
    changes = [
        (
            Change(
                removal.row,
                {"status": Therapeutstatus.INAKTIV.value} if removal.row["status"] == Therapeutstatus.AKTIV else {},
                {"source_removed_at": removal.said_at, "source_day": removal.day},
            ),
            actor,
        )
        for removal, actor in removals
    ]
    return WRITER.update_all(connection, changes)


def deactivated_by_import(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the rows whose present status is an import's doing: only these may an import set active again.

    A deletion that an import proposed and a person let happen is the import's doing, too.
    """
    if not ids:
        return set()
    changes = kernel.field_changes.c
    of_status = sa.and_(changes.entity_id.in_(ids), changes.field == "status")
    latest = sa.select(sa.func.max(changes.id)).where(of_status).group_by(changes.entity_id)
    by_import = sa.or_(changes.changed_by.startswith("import:"), _is_approved_deletion())
    found = sa.select(changes.entity_id).where(changes.id.in_(latest), by_import)
    return set(connection.execute(found).scalars())


def _is_approved_deletion() -> sa.ColumnElement[bool]:
    """Whether a change was written by the transaction in which somebody resolved held deletions.

    Both carry the transaction's time, by the database's clock, and the name of who decided.
    """
    changes, actions, reviews = kernel.field_changes.c, kernel.operator_actions.c, kernel.reviews.c
    return (
        sa.select(actions.id)
        .join_from(kernel.operator_actions, kernel.reviews, reviews.id == actions.review_id)
        .where(
            reviews.kind == ReviewKind.HELD_DELETIONS,
            actions.action == Action.RESOLVE,
            actions.actor == changes.changed_by,
            actions.at == changes.changed_at,
        )
        .exists()
    )
