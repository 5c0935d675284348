"""Decisions on the therapist import's questions: what a person chose, done as the import would have done it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.core.errors import Finding
from shared.fields.declaration import Row
from shared.fields.validation import InvalidInput
from shared.reviews.reviews import Choice, DecisionRefused, close, lock_open
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.merge import merge
from therapist_service.imports.removals import deactivated_by_import, remove
from therapist_service.models import kernel, therapeuten
from therapist_service.questions import has_reappeared
from therapist_service.therapist import MAPPED_FIELDS
from therapist_service.use_cases import TherapistChange, create_therapists, lock_therapists, update_therapists

Done = dict[str, Any]
"""What a decision wrote, as far as an undo needs it."""


def resolve_review(connection: Connection, review_id: int, choice: Choice) -> RowMapping:
    """Carries out the choice and closes the review, in the caller's transaction.

    Raises `NotFound`, `NotAllowedError` for a decided one, `InvalidInput` for a choice that is not to be had,
    `DecisionRefused` where the source's values would overwrite what is newer than the question.
    """
    review = lock_open(connection, kernel, review_id, choice)
    done = _DECISIONS[review["kind"]](connection, review, choice)
    return close(connection, kernel, review_id, choice, done)


def _conflict(connection: Connection, review: RowMapping, choice: Choice) -> Done:
    """`source` takes over the source's values; `staff` leaves the row as it is."""
    if choice.choose == "staff":
        return {}
    row = vars(lock_therapists(connection, [review["entity_id"]])[review["entity_id"]])
    _refuse_if_outdated(connection, review, row)
    wanted = {entry["field"]: entry["source"] for entry in review["detail"]["fields"]}
    # Only mapped columns: a review's detail is data, and data must not name a staff field.
    changes = {field: value for field, value in wanted.items() if field in MAPPED_FIELDS}
    update_therapists(connection, [TherapistChange(row, changes)], choice.actor)
    before = {field: row[field] for field in changes}
    return {"rows": [{"entity_id": row["id"], "before": before, "after": changes}]}


def _refuse_if_outdated(connection: Connection, review: RowMapping, row: Row) -> None:
    """The question is about the staff value it was asked with, and about what the source said then.

    Who decides may look at a page, or hold a number, from before a colleague's edit or a later scrape.
    """
    asked = review["detail"]["fields"]
    reviews = kernel.reviews.c
    again = sa.select(reviews.id).where(
        reviews.kind == "conflict",
        reviews.entity_id == review["entity_id"],
        reviews.id > review["id"],
        sa.or_(*[reviews.detail["fields"].contains([{"field": entry["field"]}]) for entry in asked]),
    )
    if connection.execute(again.limit(1)).first():
        raise DecisionRefused("asked_again")
    # What holds the source's value already loses nothing.
    if any(row[entry["field"]] not in (entry["staff"], entry["source"]) for entry in asked):
        raise DecisionRefused("edited_since")


def _held_deletions(connection: Connection, review: RowMapping, choice: Choice) -> Done:
    """`apply` marks the therapists as gone, all or those ticked; `reject` leaves them. Who reappeared is left, too."""
    if choice.choose == "reject":
        return {}
    listed = {entry["entity_id"] for entry in review["detail"]["deletions"]}
    wanted = listed if choice.only is None else set(choice.only)
    if not wanted or wanted - listed:
        raise InvalidInput("Say only therapists whom the question lists", [Finding("/only", "invalid_value")])
    seen_at = review["detail"]["seen_at"]
    statement = sa.select(therapeuten).where(therapeuten.c.id.in_(wanted)).order_by(therapeuten.c.id).with_for_update()
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    gone = [row for row in rows if not has_reappeared(row, seen_at)]
    after = remove(connection, gone, seen_at, choice.actor)
    return {"rows": [_marked(old, new) for old, new in zip(gone, after, strict=True)]}


def _marked(before: Row, after: Row) -> Done:
    """How a therapist was before and after being marked as gone, as JSON values."""
    return {
        "entity_id": before["id"],
        **{name: {"status": row["status"], "source_removed_at": _iso(row)} for name, row in
           (("before", before), ("after", after))},
    }  # fmt: skip


def _iso(row: Row) -> str | None:
    removed_at = row["source_removed_at"]
    return removed_at.isoformat() if removed_at else None


def _possible_duplicate(connection: Connection, review: RowMapping, choice: Choice) -> Done:
    """`merge` gives the held record to one of the candidates; `separate` makes it a row of its own."""
    detail = review["detail"]
    technical = _technical(detail, review["import_id"])
    fields = {name: detail["record"].get(name) for name in MAPPED_FIELDS}
    if choice.choose == "separate":
        new = {**fields, "kassensitz": True, "status": Therapeutstatus.AKTIV.value, **technical}
        (created,) = create_therapists(connection, [new], choice.actor)
        return {"created": created}
    row_id = _chosen(detail["candidates"], choice)
    row = vars(lock_therapists(connection, [row_id])[row_id])
    merged = merge(row["source_record"], fields, row)
    technical |= {"source_record": merged.new_base, "source_removed_at": None}
    changes = {**merged.changes, **_back_again(connection, row)}
    update_therapists(connection, [TherapistChange(row, changes, technical)], choice.actor)
    return {}


def _back_again(connection: Connection, row: Row) -> Row:
    """Whom an import had deactivated as gone is active again, now that the source lists them."""
    is_gone = row["source_removed_at"] is not None and row["status"] == Therapeutstatus.INAKTIV
    back = is_gone and row["id"] in deactivated_by_import(connection, [row["id"]])
    return {"status": Therapeutstatus.AKTIV.value} if back else {}


def _chosen(candidates: Sequence[int], choice: Choice) -> int:
    if choice.into is not None and choice.into in candidates:
        return choice.into
    if choice.into is None and len(candidates) == 1:
        return candidates[0]
    numbers = ", ".join(map(str, candidates))
    raise InvalidInput(f"Say which one to merge into: {numbers}", [Finding("/into", "missing")])


def _technical(detail: dict[str, Any], import_id: int | None) -> dict[str, Any]:
    return {
        "external_id": detail["external_id"],
        "source_area": detail["area"],
        "source_zip": detail["zip"],
        "source_record": detail["record"],
        "source_hash": detail["hash"],
        "source_seen_at": datetime.fromisoformat(detail["seen_at"]),
        "source_plz": detail["record"].get("plz"),
        "source_import_id": import_id,
    }


_DECISIONS = {
    "conflict": _conflict,
    "held_deletions": _held_deletions,
    "possible_duplicate": _possible_duplicate,
}
