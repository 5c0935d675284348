"""HTTP: the reviews that wait for a person, as both services offer them."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput
from shared.http.auth import actor, caller, requires
from shared.http.openapi import ApiDocument
from shared.http.pages import nothing_matches, page_of
from shared.http.requests import has_body, json_body, paging, word
from shared.http.service import current_service
from shared.reviews.reviews import find_review, list_reviews
from shared.reviews.stored import review_json
from shared.reviews.values import Resolution, Review
from shared.words.codes import Code
from shared.words.statuses import ReviewKind, ReviewState

Resolve = Callable[[Connection, int, Resolution], Review]
Undo = Callable[[Connection, int, str, str | None], Review]
_ONE = "/<int:review_id>"
LONGEST_COMMENT = 1000


class ReviewQuery(BaseModel):
    """Filter and page; `state` is `open`, `resolved` or `all`. An unknown state or kind gives an empty page."""

    state: str = "open"
    kind: str | None = None
    page: int = 1
    limit: int = Field(20, description="1 to 100; values outside are brought into the range.")


class ReviewOut(BaseModel):
    """A review. `detail` holds values and is shown to the role `write` only."""

    id: int
    kind: str
    state: str
    entity_id: int | None
    other_id: int | None
    import_id: int | None
    choice: str | None


class ReviewPage(BaseModel):
    """A page of reviews, oldest first."""

    data: list[ReviewOut]
    page: int
    limit: int
    total: int


class ResolveIn(BaseModel):
    """What is decided. `into` where several rows come into question, `only` to tick some of many."""

    choose: str
    comment: str | None = None
    into: int | None = None
    only: list[int] | None = None


class UndoIn(BaseModel):
    """Why the decision is undone, if somebody wants to say so. The body may be left out."""

    comment: str | None = None


def review_routes(document: ApiDocument, resolve: Resolve, undo: Undo) -> Blueprint:
    """The endpoints below `/api/reviews`; `resolve` and `undo` are the service's own."""
    routes = Blueprint("reviews", __name__, url_prefix="/api/reviews")

    @requires(Role.OPERATE)
    def _resolve(review_id: int) -> Response:
        """Decides a review."""
        resolution = read_resolution(json_body(), actor())
        with transaction(current_service().engine) as connection:
            return jsonify(_out(resolve(connection, review_id, resolution)))

    @requires(Role.OPERATE)
    def _undo(review_id: int) -> Response:
        """Undoes a decision, with history and events: the review is open again. 409 where that is not possible."""
        comment = _comment(json_body() if has_body() else {})
        with transaction(current_service().engine) as connection:
            return jsonify(_out(undo(connection, review_id, actor(), comment)))

    routes.get("")(document.describes(ReviewPage, query=ReviewQuery, tag="reviews")(_list))
    routes.get(_ONE)(document.describes(ReviewOut, errors=(404,), tag="reviews")(_show))
    deciding = document.describes(ReviewOut, body=ResolveIn, errors=(404, 409, 415), tag="reviews")
    routes.post(f"{_ONE}/resolve")(deciding(_resolve))
    undoing = document.describes(ReviewOut, body=UndoIn, errors=(404, 409, 415), tag="reviews")
    routes.post(f"{_ONE}/undo")(undoing(_undo))
    return routes


def read_resolution(body: dict[str, Any], by: str) -> Resolution:
    """What a request decides. Raises `InvalidInput`."""
    choose, into, only = (body.get(name) for name in ("choose", "into", "only"))
    comment = _comment(body)
    if not isinstance(choose, str) or not choose:
        raise InvalidInput("Missing required field: choose", [Finding("/choose", Code.MISSING)])
    if into is not None and not _is_number(into):
        raise InvalidInput("Field into must be a number", [Finding("/into", Code.INVALID_TYPE)])
    if only is not None and not (isinstance(only, list) and all(map(_is_number, only))):
        raise InvalidInput("Field only must be a list of numbers", [Finding("/only", Code.INVALID_TYPE)])
    return Resolution(choose, by, comment, into, None if only is None else tuple(only))


def _comment(body: dict[str, Any]) -> str | None:
    comment = body.get("comment")
    if comment is not None and (not isinstance(comment, str) or len(comment) > LONGEST_COMMENT or "\x00" in comment):
        raise InvalidInput("Field comment must be a text", [Finding("/comment", Code.INVALID_TYPE)])
    return comment


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


@requires(Role.READ)
def _list() -> Response:
    """Reviews, oldest first; the open ones unless asked otherwise."""
    service, page = current_service(), paging()
    state, kind = word("state") or "open", word("kind")
    if state not in (*ReviewState, "all") or kind not in (None, *ReviewKind):
        return nothing_matches()
    with transaction(service.engine) as connection:
        rows, total = list_reviews(
            connection,
            service.kernel,
            state=None if state == "all" else ReviewState(state),
            kind=ReviewKind(kind) if kind else None,
            offset=page.offset,
            limit=page.limit,
        )
    return page_of([_out(row) for row in rows], page, total)


@requires(Role.READ)
def _show(review_id: int) -> Response:
    """One review."""
    service = current_service()
    with transaction(service.engine) as connection:
        return jsonify(_out(find_review(connection, service.kernel, review_id)))


def _out(review: Review) -> dict[str, Any]:
    shown = review_json(review)
    if caller().role < Role.WRITE:
        shown.pop("detail")
        shown.pop("comment")
    return shown
