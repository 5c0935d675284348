"""HTTP: the reviews that wait for a person, as both services offer them."""

from collections.abc import Callable
from datetime import datetime

from flask import g
from pydantic import Field
from sqlalchemy.engine import Connection

from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import Input
from shared.http.accesses import note_list, note_people
from shared.http.answers import Answer, Page, Personal
from shared.http.auth import actor
from shared.http.bodies import Number, Numbers, Remark, Said
from shared.http.endpoints import Endpoints
from shared.http.requests import PageQuery, Word
from shared.http.service import current_service
from shared.reviews.reviews import find_review, list_reviews
from shared.reviews.stored import review_json
from shared.reviews.values import DuplicateDetail, HeldRecordDetail, Resolution, Review
from shared.words.statuses import ReviewKind, ReviewState

Resolve = Callable[[Connection, int, Resolution], Review]
Undo = Callable[[Connection, int, str, str | None], Review]


class ReviewQuery(PageQuery):
    """Filter and page."""

    state: Word = Field("open", description="`open`, `resolved` or `all`. An unknown state gives an empty page.")
    kind: Word = Field(None, description="What is asked. An unknown kind gives an empty page.")


class ReviewOut(Answer):
    """A review. `detail` holds what it is about and depends on its kind; an erasure empties it."""

    id: int
    kind: ReviewKind
    state: ReviewState
    entity_id: int | None
    other_id: int | None
    import_id: int | None
    record_index: int | None
    detail: Personal[dict[str, object]] = Field(
        {},
        description="`candidates`: rows that resemble the record. `fields`: those in conflict, each with `field`, "
        "`base`, `staff` and `source`. `deletions`: the rows that a file calls gone. `done` and `earlier`: the "
        "decision, and those that were undone.",
    )
    choice: str | None
    comment: Personal[str | None] = None
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime


class ReviewPage(Page[ReviewOut]):
    """A page of reviews, oldest first."""


class ResolveIn(Input):
    """A decision: `choose` is one of the choices that its kind has. `into` where there are several candidates,
    `only` to tick some of many."""

    choose: Said
    comment: Remark = None
    into: Number = None
    only: Numbers = None

    def resolution(self, by: str) -> Resolution:
        """What `by` decides."""
        return Resolution(self.choose, by, self.comment, self.into, self.only)


class UndoIn(Input):
    """Why the decision is undone, if somebody wants to say so. The body may be left out."""

    comment: Remark = None


_NUMBER = "The review's number, without its letters."
ROUTES = Endpoints("reviews", number=_NUMBER)
_ONE = "/<int:review_id>"
_NO_REASON = UndoIn()


def deciding_routes(resolve: Resolve, undo: Undo) -> Endpoints:
    """The endpoints that decide; `resolve` and `undo` are the service's own."""
    routes = Endpoints("reviews", number=_NUMBER)

    @routes.add("POST", f"{_ONE}/resolve", Role.OPERATE, errors=(404, 409))
    def _resolve(review_id: int, body: ResolveIn) -> ReviewOut:
        """Decides a review."""
        with transaction(current_service().engine) as connection:
            return _out(note_review(resolve(connection, review_id, body.resolution(actor()))))

    @routes.add("POST", f"{_ONE}/undo", Role.OPERATE, errors=(404, 409))
    def _undo(review_id: int, body: UndoIn = _NO_REASON) -> ReviewOut:
        """Undoes a decision, with history and events: the review is open again. 409 where that is not possible."""
        with transaction(current_service().engine) as connection:
            return _out(note_review(undo(connection, review_id, actor(), body.comment)))

    return routes


@ROUTES.add("GET", "", Role.LOOK)
def _list(query: ReviewQuery) -> ReviewPage:
    """Reviews, oldest first; the open ones unless asked otherwise."""
    service, state, kind = current_service(), query.state or ReviewState.OPEN, query.kind
    if state not in (*ReviewState, "all") or kind not in (None, *ReviewKind):
        return ReviewPage.of_nothing()
    with transaction(service.engine) as connection:
        reviews, total = list_reviews(
            connection,
            service.kernel,
            state=None if state == "all" else ReviewState(state),
            kind=ReviewKind(kind) if kind else None,
            offset=query.offset,
            limit=query.limit,
        )
    note_list()
    return ReviewPage.of([review_json(review) for review in reviews], query, total)


@ROUTES.add("GET", _ONE, Role.LOOK, errors=(404,))
def _show(review_id: int) -> ReviewOut:
    """One review."""
    service = current_service()
    with transaction(service.engine) as connection:
        return _out(note_review(find_review(connection, service.kernel, review_id)))


def note_review(review: Review) -> Review:
    """Notes that the review's people are shown or changed: each, or of one about a whole list that there is a list."""
    if review.kind is ReviewKind.HELD_DELETIONS:
        note_list(import_id=review.import_id)
    elif g.caller.role >= Role.READ:
        candidates = review.detail.candidates if isinstance(review.detail, (DuplicateDetail, HeldRecordDetail)) else ()
        note_people([review.entity_id, review.other_id, *candidates], import_id=review.import_id)
    return review


def _out(review: Review) -> ReviewOut:
    return ReviewOut.model_validate(review_json(review))
