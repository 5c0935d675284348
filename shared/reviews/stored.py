"""How a review lies in its table: `detail` is JSON that holds what the import kept, `done` and `earlier` beside it.

What an earlier version did not keep is read as absent.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from shared.database.json_text import json_text
from shared.reviews.values import (
    ConflictDetail,
    Detail,
    DuplicateDetail,
    HeldDeletionsDetail,
    HeldRecordDetail,
    Review,
    Written,
)
from shared.words.statuses import ReviewKind

_BESIDE = frozenset({"done", "earlier"})
_REVIEW = TypeAdapter(Review)
_DETAILS: Mapping[str, TypeAdapter[Any]] = {
    ReviewKind.CONFLICT: TypeAdapter(ConflictDetail),
    ReviewKind.HELD_DELETIONS: TypeAdapter(HeldDeletionsDetail),
}
_DUPLICATE = TypeAdapter(DuplicateDetail)
_HELD_RECORD = TypeAdapter(HeldRecordDetail)


def read_review(row: Mapping[Any, Any]) -> Review:
    """The review in a row of the table."""
    stored = row["detail"]
    written, earlier = stored.get("done"), stored.get("earlier", ())
    return _REVIEW.validate_python(
        {**row, "detail": _read_detail(row["kind"], stored), "written": written, "earlier": earlier}
    )


def review_json(review: Review) -> dict[str, Any]:
    """The review as a JSON object with one member for each column; the fingerprint is nobody's business."""
    columns: dict[str, Any] = json.loads(json_text(asdict(review)))
    del columns["fingerprint"], columns["written"]
    earlier = columns.pop("earlier")
    done = {"done": written_json(review.written)} if review.written else {}
    columns["detail"] = {**(columns["detail"] or {}), **done, **({"earlier": earlier} if earlier else {})}
    return columns


def written_json(written: Written) -> dict[str, Any]:
    """What resolving wrote, as `done` keeps it: nothing of what it did not do."""
    return {name: value for name, value in asdict(written).items() if value}


def _read_detail(kind: str, stored: Mapping[str, Any]) -> Detail | None:
    if not stored.keys() - _BESIDE:
        return None
    read = _DETAILS.get(kind) or (_HELD_RECORD if "record" in stored else _DUPLICATE)
    detail: Detail = read.validate_python(stored)
    return detail
