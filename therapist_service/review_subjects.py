"""What a review about therapists is about, read from the database for the people who decide it."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.fields.declaration import Owner, Row
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
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.removals import is_listed_since
from therapist_service.models import therapeuten
from therapist_service.reviews import merged_values
from therapist_service.therapist import MAPPED_FIELDS, THERAPIST

_STAFF_FIELDS = [name for name in THERAPIST.owned_by(Owner.STAFF) if name != "kassensitz"]
"""Every row has a `kassensitz`."""


def subject_of(connection: Connection, review: Review) -> Subject | None:
    """What the review is about, as things stand now; who is gone is left out or marked so. None where an erasure
    blanked it."""
    match review.detail:
        case HeldRecordDetail() as detail:
            return _held_record(connection, review, detail)
        case ConflictDetail() as detail:
            return _conflict(connection, review.entity_id, detail)
        case HeldDeletionsDetail() as detail:
            return _held_deletions(connection, detail)
        case _:
            return None


def _held_record(connection: Connection, review: Review, detail: HeldRecordDetail) -> DuplicateSubject:
    """The record of the file beside the rows that it may mean; after a merge as both were before it."""
    if review.written is not None and review.written.were:
        were = tuple(Side(was.entity_id, was.values) for was in review.written.were)
        return DuplicateSubject(were, side_by_side(MAPPED_FIELDS, were))
    rows = _rows(connection, detail.candidates)
    sides = (Side(None, detail.record), *(Side(number, row) for number, row in rows.items()))
    merged = tuple(Side(number, {**row, **merged_values(detail, row)}) for number, row in rows.items())
    return DuplicateSubject(sides, side_by_side(MAPPED_FIELDS, sides), merged if review.is_open else ())


def _conflict(connection: Connection, entity_id: int | None, detail: ConflictDetail) -> ConflictSubject:
    row = _rows(connection, [entity_id]).get(entity_id)
    said = (row and row["source_record"]) or {}
    fields = [
        ConflictingField(
            found.field,
            found.base,
            found.staff,
            said.get(found.field, found.source),
            row[found.field] if row else None,
        )
        for found in detail.fields
    ]
    return ConflictSubject(entity_id, row, tuple(fields))


def _held_deletions(connection: Connection, detail: HeldDeletionsDetail) -> HeldDeletionsSubject:
    rows = _rows(connection, [deletion.entity_id for deletion in detail.deletions])
    elsewhere = _elsewhere(connection, rows.values())
    deletions = [
        ProposedDeletion(
            one.entity_id,
            row,
            reappeared=row is not None and is_listed_since(row, detail.day_of(one)),
            elsewhere=elsewhere.get(one.entity_id, ()),
            worked_on=_worked_on(row) if row else {},
        )
        for one in detail.deletions
        for row in [rows.get(one.entity_id)]
    ]
    return HeldDeletionsSubject(tuple(deletions), detail.active_before)


def _elsewhere(connection: Connection, rows: Iterable[Row]) -> dict[int, tuple[Side, ...]]:
    """Other rows of the same full name: another practice of theirs, or a namesake."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        numbers.setdefault(_full_name(row), []).append(row["id"])
    columns = therapeuten.c
    shown = (columns.id, columns.strasse, columns.plz, columns.ort, columns.status, columns.source_seen_at)
    named = sa.func.lower(columns.nachname).in_({last for last, _ in numbers})
    statement = sa.select(*shown, columns.nachname, columns.vorname).where(named).order_by(columns.id)
    found: dict[int, tuple[Side, ...]] = {}
    for other in connection.execute(statement).mappings():
        for number in numbers.get(_full_name(dict(other)), ()):
            if other["id"] != number:
                found[number] = (*found.get(number, ()), Side(other["id"], dict(other)))
    return found


def _full_name(row: Mapping[str, object]) -> tuple[str, str]:
    return str(row["nachname"]).lower(), str(row["vorname"] or "").lower()


def _worked_on(row: Row) -> dict[str, object]:
    """What staff wrote, beyond what every new row has."""
    usual: tuple[object, ...] = (None, "", [], {}, False, Therapeutstatus.AKTIV)
    return {name: row[name] for name in _STAFF_FIELDS if row[name] not in usual}


def _rows(connection: Connection, ids: Iterable[int | None]) -> dict[int | None, Row]:
    statement = sa.select(therapeuten).where(therapeuten.c.id.in_(list(ids))).order_by(therapeuten.c.id)
    return {row["id"]: dict(row) for row in connection.execute(statement).mappings()}
