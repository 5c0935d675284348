"""The list of decisions as people work through it: what is at stake in each, those of one file and field together, and
as a file for a spreadsheet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask import Response, render_template
from flask_babel import LazyString, gettext, lazy_gettext, ngettext

from shared.console import words
from shared.console.access import may
from shared.console.people import People
from shared.console.spreadsheet import spreadsheet
from shared.core.clock import today
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.accesses import note_list
from shared.http.requests import PageQuery, paging, word
from shared.http.service import current_service
from shared.reviews.reviews import list_reviews
from shared.reviews.values import (
    ConflictDetail,
    DuplicateDetail,
    FieldConflict,
    HeldDeletionsDetail,
    HeldRecordDetail,
    Review,
)
from shared.words.statuses import Access, ReviewKind, ReviewOrder, ReviewState

ALL = "all"
_ON_A_PAGE = 100
_MOST_EXPORTED = 100_000

ORDERS: Mapping[ReviewOrder, LazyString] = {
    ReviewOrder.WAITING: lazy_gettext("open ones first"),
    ReviewOrder.NEWEST: lazy_gettext("newest first"),
    ReviewOrder.OLDEST: lazy_gettext("oldest first"),
    ReviewOrder.KIND: lazy_gettext("by what is asked"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to, and its order; no `state` means all."""

    state: ReviewState | None
    kind: ReviewKind | None
    order: ReviewOrder

    def as_query(self) -> dict[str, str]:
        """The filters as an address carries them, without what is so anyway."""
        given = {
            "state": (self.state or ALL) if self.state is not ReviewState.OPEN else None,
            "kind": self.kind,
            "order": self.order if self.order is not ReviewOrder.WAITING else None,
        }
        return {name: str(value) for name, value in given.items() if value}


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


@dataclass(frozen=True, slots=True)
class ReviewList:
    """The views of the list."""

    people: People

    def index(self) -> str:
        service, filters, page = current_service(), _filters(), PageQuery(page=paging().page, limit=_ON_A_PAGE)
        with transaction(service.engine) as connection:
            reviews, total = list_reviews(
                connection, service.kernel, state=filters.state, kind=filters.kind, order=filters.order,
                offset=page.offset, limit=page.limit,
            )  # fmt: skip
            names = self.people.names(connection, people_in(reviews)) if may(Role.READ) else None
        note_list()
        return render_template(
            "console/reviews.html",
            groups=grouped(reviews, names),
            total=total,
            page=page.page,
            pages=page.pages(total),
            filters=filters,
            orders=ORDERS,
        )

    def export(self) -> Response:
        """Every decision on the list, on all its pages. Names and values only for people who may see them, and of
        nobody who is not handed out."""
        service, filters, named = current_service(), _filters(), may(Role.READ)
        with transaction(service.engine) as connection:
            reviews, _total = list_reviews(
                connection, service.kernel, state=filters.state, kind=filters.kind, order=filters.order,
                limit=_MOST_EXPORTED,
            )  # fmt: skip
            names = self.people.names(connection, people_in(reviews), self.people.handed_out) if named else {}
        note_list(action=Access.EXPORT)
        heading = [gettext("Number"), gettext("What is asked"), gettext("State"), gettext("File"), gettext("Asked")]
        heading += [gettext("Decision"), gettext("Decided by"), gettext("Decided at")]
        heading += [gettext("About"), gettext("Ours"), gettext("The source now")] if named else []
        rows = (_line(review) + (_about(review, names) if named else []) for review in reviews)
        return spreadsheet(f"curavani-{service.kernel.service_name}-decisions-{today()}", heading, rows)


def _filters() -> Filters:
    """The filters of the query; what makes no sense counts as not given."""
    state, kind, order = word("state"), word("kind"), word("order")
    return Filters(
        state=None if state == ALL else ReviewState(state) if state in tuple(ReviewState) else ReviewState.OPEN,
        kind=ReviewKind(kind) if kind in tuple(ReviewKind) else None,
        order=ReviewOrder(order) if order in tuple(ReviewOrder) else ReviewOrder.WAITING,
    )


def _line(review: Review) -> list[object]:
    return [
        words.review_number(review.id),
        words.review_kind(review.kind),
        words.review_state(review.state).word,
        words.number(review.import_id) if review.import_id else None,
        review.created_at,
        words.choice(review.choice) if review.choice else None,
        words.actor_name(review.decided_by),
        review.decided_at,
    ]


def _about(review: Review, names: Mapping[int, str]) -> list[object]:
    if not people_in([review]) <= names.keys():
        return ["", "", ""]
    ours = [f"{words.field(found.field)}: {words.value(found.staff)}" for found in _fields(review)]
    theirs = [f"{words.field(found.field)}: {words.value(found.source)}" for found in _fields(review)]
    return [_who(review, names), "; ".join(ours), "; ".join(theirs)]


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
