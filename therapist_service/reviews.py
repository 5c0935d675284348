"""Deciding on the therapist import's reviews: what a person chose, done as the import would have done it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import Finding, NotFound
from shared.fields.declaration import Row
from shared.fields.validation import InvalidInput
from shared.people.writer import Change
from shared.reviews.reviews import ResolutionRefused, close, forget, lock_open
from shared.reviews.values import (
    ConflictDetail,
    FieldConflict,
    HeldDeletionsDetail,
    HeldRecordDetail,
    Resolution,
    Review,
    Was,
    Written,
    WrittenRow,
)
from shared.words.codes import Code
from shared.words.statuses import ReviewChoice, ReviewKind
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.merge import merge
from therapist_service.imports.removals import Removal, deactivated_by_import, is_listed_since, locked_rows, remove
from therapist_service.imports.review_upkeep import rows_found, stands
from therapist_service.models import kernel
from therapist_service.suppressions import extend, resembled_by
from therapist_service.therapist import MAPPED_FIELDS
from therapist_service.use_cases import create_therapists, lock_therapists, update_therapists


def resolve_review(connection: Connection, review_id: int, resolution: Resolution) -> Review:
    """Carries out what was chosen and closes the review, in the caller's transaction.

    Raises `NotFound`, `NotAllowedError` for a resolved one, `InvalidInput` for a choice that is not to be had,
    `ResolutionRefused` where it would overwrite what is newer than the review, or the record has found its row since.
    """
    review = lock_open(connection, kernel, review_id, resolution.choice)
    return close(connection, kernel, review, resolution, _carry_out(connection, review, resolution))


def _carry_out(connection: Connection, review: Review, resolution: Resolution) -> Written:
    match resolution.choice, review.detail:
        case ReviewChoice.SOURCE, ConflictDetail() as detail:
            return _take_over(connection, review, detail.fields, resolution.actor)
        case ReviewChoice.APPLY, HeldDeletionsDetail() as detail:
            return _remove(connection, detail, resolution)
        case ReviewChoice.SEPARATE, HeldRecordDetail() as detail:
            if rows_found(connection, review, detail):
                raise ResolutionRefused(Code.ANSWERED_SINCE)
            return _create(connection, review.import_id, detail, resolution.actor)
        case ReviewChoice.MERGE, HeldRecordDetail(candidates=()) as detail:
            return _leave_out(connection, review, detail)
        case ReviewChoice.MERGE, HeldRecordDetail() as detail:
            return _merge(connection, review, detail, resolution)
    return Written()


def _take_over(connection: Connection, review: Review, conflicts: Sequence[FieldConflict], actor: str) -> Written:
    """`source`: the row takes what the source says now."""
    if review.entity_id is None:
        raise NotFound("Therapist not found")
    row = vars(lock_therapists(connection, [review.entity_id])[review.entity_id])
    said = row["source_record"] or {}
    conflicts = [replace(found, source=said.get(found.field, found.source)) for found in conflicts]
    _refuse_if_outdated(connection, review.id, row, conflicts)
    # Only mapped columns: a review's detail is data, and data must not name a staff field.
    changes = {found.field: found.source for found in conflicts if found.field in MAPPED_FIELDS}
    update_therapists(connection, [Change(row, changes)], actor)
    before = {field: row[field] for field in changes}
    return Written((WrittenRow(review.entity_id, before, changes),))


def _refuse_if_outdated(connection: Connection, review_id: int, row: Row, conflicts: Sequence[FieldConflict]) -> None:
    """The review is about the staff value it was opened with.

    Who decides may look at a page, or hold a number, from before a colleague's edit or a later scrape.
    """
    reviews = kernel.reviews.c
    again = sa.select(reviews.id).where(
        reviews.kind == ReviewKind.CONFLICT,
        reviews.entity_id == row["id"],
        reviews.id > review_id,
        sa.or_(*[reviews.detail["fields"].contains([{"field": found.field}]) for found in conflicts]),
    )
    if connection.execute(again.limit(1)).first():
        raise ResolutionRefused(Code.ASKED_AGAIN)
    # What holds the source's value already loses nothing.
    if any(row[found.field] not in (found.staff, found.source) for found in conflicts):
        raise ResolutionRefused(Code.EDITED_SINCE)


def _remove(connection: Connection, detail: HeldDeletionsDetail, resolution: Resolution) -> Written:
    """`apply`: the therapists are marked as gone, all or those ticked. Whoever was listed since stays."""
    listed = {deletion.entity_id for deletion in detail.deletions}
    wanted = listed if resolution.only is None else set(resolution.only)
    if not wanted or wanted - listed:
        raise InvalidInput("Say only therapists whom the review lists", [Finding("/only", Code.INVALID_VALUE)])
    days = {deletion.entity_id: detail.day_of(deletion) for deletion in detail.deletions}
    rows = locked_rows(connection, wanted)
    gone = [Removal(row, days[number], detail.seen_at) for number, row in rows.items() if stands(row, days[number])]
    after = remove(connection, gone, resolution.actor)
    return Written(tuple(_marked(removal.row, new) for removal, new in zip(gone, after, strict=True)))


def _marked(before: Row, after: Row) -> WrittenRow:
    """How a therapist was before and after being marked as gone."""
    names = ("status", "source_removed_at", "source_day")
    return WrittenRow(before["id"], {name: before[name] for name in names}, {name: after[name] for name in names})


def _create(connection: Connection, import_id: int | None, detail: HeldRecordDetail, actor: str) -> Written:
    """`separate`: the held record becomes a row of its own."""
    status = {"kassensitz": True, "status": Therapeutstatus.AKTIV.value}
    row = {**_mapped(detail), **status, **_technical(detail, import_id)}
    (created,) = create_therapists(connection, [row], actor)
    return Written(created=created)


def _leave_out(connection: Connection, review: Review, detail: HeldRecordDetail) -> Written:
    """`merge` with somebody who was erased: from now on the record is known as theirs, and nothing is kept of it."""
    resembled = resembled_by(connection, detail.record)
    if not resembled:
        raise ResolutionRefused(Code.ANSWERED_SINCE)
    extend(connection, resembled, detail.record)
    forget(connection, kernel, [review.id])
    return Written()


def _merge(connection: Connection, review: Review, detail: HeldRecordDetail, resolution: Resolution) -> Written:
    """`merge`: the held record is one of the candidates. Over what a later scrape has said it writes nothing older, and
    into a row other than the one that the record has found since it writes nothing at all."""
    row_id = _chosen(detail.candidates, resolution)
    if (found := rows_found(connection, review, detail)) and row_id not in found:
        raise ResolutionRefused(Code.ANSWERED_SINCE)
    row = vars(lock_therapists(connection, [row_id])[row_id])
    if _is_outdated(detail, row):
        update_therapists(connection, [Change(row, _gaps(detail, row))], resolution.actor)
        return _both(detail, row)
    merged = merge(row["source_record"], _mapped(detail), row)
    technical = {**_technical(detail, review.import_id), "source_record": merged.new_base, "source_removed_at": None}
    changes = {**merged.changes, **_back_again(connection, row)}
    update_therapists(connection, [Change(row, changes, technical)], resolution.actor)
    return _both(detail, row)


def _both(detail: HeldRecordDetail, row: Row) -> Written:
    """Record and row as they were before the merge."""
    sides = (Was(None, detail.record), Was(row["id"], {name: row[name] for name in MAPPED_FIELDS}))
    return Written(merged=row["id"], were=sides)


def merged_values(detail: HeldRecordDetail, row: Row) -> Row:
    """The mapped fields that merging the held record into the row would change. What staff changed stays."""
    if _is_outdated(detail, row):
        return _gaps(detail, row)
    return merge(row["source_record"], _mapped(detail), row).changes


def _gaps(detail: HeldRecordDetail, row: Row) -> Row:
    return {name: value for name, value in _mapped(detail).items() if value and not row[name]}


def _is_outdated(detail: HeldRecordDetail, row: Row) -> bool:
    """Whether the source has spoken of the row since it listed the held record."""
    spoken = row["source_day"]
    return is_listed_since(row, detail.scrape_day) or (spoken is not None and spoken > detail.scrape_day)


def _back_again(connection: Connection, row: Row) -> Row:
    """Whom an import had deactivated as gone is active again, now that the source lists them."""
    is_gone = row["source_removed_at"] is not None and row["status"] == Therapeutstatus.INAKTIV
    back = is_gone and row["id"] in deactivated_by_import(connection, [row["id"]])
    return {"status": Therapeutstatus.AKTIV.value} if back else {}


def _chosen(candidates: Sequence[int], resolution: Resolution) -> int:
    if resolution.into is not None and resolution.into in candidates:
        return resolution.into
    if resolution.into is None and len(candidates) == 1:
        return candidates[0]
    numbers = ", ".join(map(str, candidates))
    raise InvalidInput(f"Say which one to merge into: {numbers}", [Finding("/into", Code.MISSING)])


def _mapped(detail: HeldRecordDetail) -> dict[str, object]:
    return {name: detail.record.get(name) for name in MAPPED_FIELDS}


def _technical(detail: HeldRecordDetail, import_id: int | None) -> dict[str, object]:
    """What an import keeps of a record by a file that has the word: nobody else of that day has it."""
    day_began = datetime.combine(detail.scrape_day, time(), UTC)
    return {
        "external_id": detail.external_id,
        "source_area": detail.area,
        "source_zip": detail.zip,
        "source_record": detail.record,
        "source_hash": detail.hash,
        "source_seen_at": detail.seen_at,
        "source_day": detail.scrape_day,
        "source_plz": detail.record.get("plz"),
        "source_import_id": import_id,
        "source_word_zip": detail.zip,
        "source_word_at": day_began,
        "source_named_at": day_began,
    }
