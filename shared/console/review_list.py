"""The list of decisions as people work through it: what is at stake in each, those of one file and field together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask_babel import gettext, ngettext

from shared.console import words
from shared.reviews.values import (
    ConflictDetail,
    DuplicateDetail,
    FieldConflict,
    HeldDeletionsDetail,
    HeldRecordDetail,
    Review,
)
from shared.words.statuses import ReviewKind


@dataclass(frozen=True, slots=True)
class Entry:
    """A review in the list: whom it is about, and the values between which somebody decides."""

    review: Review
    who: str
    stakes: tuple[FieldConflict, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Reviews of one file about the same fields, or of one kind; `heading` says which. Open conflicts may be decided
    several at once."""

    heading: str
    entries: tuple[Entry, ...]
    decides_together: bool


def grouped(reviews: Iterable[Review], names: Mapping[int, str] | None) -> list[Group]:
    """The groups in the order of their first review; without `names` neither those nor values are shown."""
    together: dict[tuple[object, ...], list[Entry]] = {}
    for review in reviews:
        entry = Entry(review, "", ()) if names is None else Entry(review, _who(review, names), _fields(review))
        together.setdefault(_key(review), []).append(entry)
    return [_group(entries) for entries in together.values()]


def _key(review: Review) -> tuple[object, ...]:
    if review.kind is ReviewKind.CONFLICT:
        return review.is_open, review.kind, review.import_id, tuple(found.field for found in _fields(review))
    return review.is_open, review.kind


def _group(entries: list[Entry]) -> Group:
    review = entries[0].review
    heading = words.review_kind(review.kind)
    if review.kind is ReviewKind.CONFLICT:
        fields = ", ".join(words.field(found.field) for found in _fields(review))
        file = words.number(review.import_id) if review.import_id else ""
        heading = " · ".join(filter(None, (fields, gettext("File %(number)s", number=file) if file else "")))
    return Group(heading, tuple(entries), review.is_open and review.kind is ReviewKind.CONFLICT)


def _fields(review: Review) -> tuple[FieldConflict, ...]:
    return review.detail.fields if isinstance(review.detail, ConflictDetail) else ()


def _who(review: Review, names: Mapping[int, str]) -> str:
    if review.entity_id is not None and review.entity_id in names:
        others = [names[n] for n in _candidates(review) if n in names and n != review.entity_id]
        return " ↔ ".join([names[review.entity_id], *others])
    if isinstance(review.detail, HeldRecordDetail):
        record = review.detail.record
        return " ".join(str(record[part]) for part in ("vorname", "nachname") if record.get(part))
    if isinstance(review.detail, HeldDeletionsDetail):
        return str(ngettext("%(num)s therapist", "%(num)s therapists", len(review.detail.deletions)))
    return ""


def _candidates(review: Review) -> tuple[int, ...]:
    return review.detail.candidates if isinstance(review.detail, DuplicateDetail) else ()


def people_in(reviews: Iterable[Review]) -> set[int]:
    """The numbers of those whose names the list shows."""
    found: set[int] = set()
    for review in reviews:
        found |= {*_candidates(review), *([review.entity_id] if review.entity_id else [])}
    return found
