"""Reviews: the list, one review with all it is about, resolving it, and undoing that."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy.engine import Connection

from shared.console import review_words
from shared.console.access import may
from shared.console.language import meaning
from shared.console.people import People
from shared.console.resume import is_shown_again, keeps_typed
from shared.console.review_batches import Batches
from shared.console.review_list import ReviewList
from shared.console.sections import Section
from shared.console.words import review_number
from shared.core.errors import NotAllowedError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput, validate
from shared.http.auth import actor, needs
from shared.http.bodies import LONGEST_REMARK
from shared.http.reviews_api import ResolveIn, note_review
from shared.http.service import current_service
from shared.reviews.reviews import ResolutionRefused, UndoRefused, find_review, next_open
from shared.reviews.subjects import Subject
from shared.reviews.values import Resolution, Review
from shared.words.statuses import ReviewChoice

_ONE = "/<int:review_id>"


@dataclass(frozen=True, slots=True)
class ServiceReviews:
    """What only a service knows of its reviews. Each function works in the caller's transaction."""

    people: People
    subject_of: Callable[[Connection, Review], Subject | None]
    resolve: Callable[[Connection, int, Resolution], Review]
    undo: Callable[[Connection, int, str, str | None], Review]


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody filled in; kept where the form has to be shown again."""

    choice: str = ""
    comment: str = ""
    compared: bool = False
    only: tuple[int, ...] | None = None


def reviews_section(reviews: ServiceReviews) -> Section:
    """The section at `/console/decisions`."""
    routes = Blueprint("reviews", __name__, url_prefix="/decisions")
    pages, listed = _Pages(reviews), ReviewList(reviews.people)
    routes.get("", endpoint="index")(needs(Role.LOOK)(listed.index))
    routes.get("/list.csv", endpoint="list_export")(needs(Role.LOOK)(listed.export))
    routes.get(_ONE, endpoint="show")(needs(Role.LOOK)(pages.show))
    routes.post(f"{_ONE}/resolve", endpoint="resolve")(needs(Role.OPERATE)(pages.resolve))
    routes.post(f"{_ONE}/undo", endpoint="undo")(needs(Role.OPERATE)(pages.undo))
    Batches(reviews.people, reviews.resolve).add_to(routes)
    return Section(routes, lazy_gettext("Reviews"))


class _Pages:
    """The views, which share what the service knows."""

    def __init__(self, reviews: ServiceReviews) -> None:
        self._reviews = reviews

    def show(self, review_id: int) -> str:
        return self._page(review_id)

    @keeps_typed
    def resolve(self, review_id: int) -> ResponseReturnValue:
        """Decides; what cannot be done is said on the same page, with what was filled in."""
        given = _given()
        if is_shown_again():
            return self._page(review_id, given)
        try:
            resolution = _resolution(given)
            with transaction(current_service().engine) as connection:
                note_review(self._reviews.resolve(connection, review_id, resolution))
        except InvalidInput:
            return self._page(review_id, given, _problem(given)), 400
        except ResolutionRefused as refused:
            return self._page(review_id, given, meaning(refused.code)), 409
        except NotAllowedError:
            problem = gettext("Somebody else has decided this in the meantime. Nothing was done.")
            return self._page(review_id, problem=problem), 409
        flash(gettext("Review %(number)s is decided.", number=review_number(review_id)), "done")
        return redirect(self._next(review_id) if "next" in request.form else _address(review_id))

    def _next(self, review_id: int) -> str:
        """The next one to decide, or the list where nothing waits any more."""
        service = current_service()
        with transaction(service.engine) as connection:
            following, _ = next_open(connection, service.kernel, review_id)
        return url_for("console.reviews.index") if following is None else _address(following)

    def undo(self, review_id: int) -> ResponseReturnValue:
        comment = request.form.get("comment", "").strip()[:LONGEST_REMARK] or None
        try:
            with transaction(current_service().engine) as connection:
                note_review(self._reviews.undo(connection, review_id, actor(), comment))
        except UndoRefused as refused:
            return self._page(review_id, problem=meaning(refused.code)), 409
        except NotAllowedError:
            problem = gettext("The review is open already. Nothing was done.")
            return self._page(review_id, problem=problem), 409
        undone = gettext("The decision is undone; review %(number)s is open again.", number=review_number(review_id))
        flash(undone, "done")
        return redirect(url_for("console.reviews.show", review_id=review_id))

    def _page(self, review_id: int, given: Given | None = None, problem: str | None = None) -> str:
        service = current_service()
        with transaction(service.engine) as connection:
            review = find_review(connection, service.kernel, review_id)
            subject = self._reviews.subject_of(connection, review) if may(Role.READ) else None
            following, left = next_open(connection, service.kernel, review_id)
        if subject is not None:
            note_review(review)
        return render_template(
            "console/review.html",
            review=review,
            subject=subject,
            shape=review_words.shape(subject),
            options=review_words.options(service.kernel.service_name, subject),
            given=given or Given(),
            problem=problem,
            following=following,
            left=left,
            longest=LONGEST_REMARK,
            review_words=review_words,
        )


def _address(review_id: int) -> str:
    return url_for("console.reviews.show", review_id=review_id)


def _given() -> Given:
    form = request.form
    ticked = tuple(int(value) for value in form.getlist("only") if value.isdecimal() and len(value) < 10)
    return Given(
        choice=form.get("choice", ""),
        comment=form.get("comment", "").strip(),
        compared=form.get("compared") == "yes",
        only=ticked,
    )


def _resolution(given: Given) -> Resolution:
    """What the use case takes: `merge:17` names the row to merge into. Raises `InvalidInput`."""
    choice, _, into = given.choice.partition(":")
    bad = (
        choice not in tuple(ReviewChoice)
        or (choice == ReviewChoice.MERGE and not given.compared)
        or (choice == ReviewChoice.APPLY and not given.only)
        or (bool(into) and not (into.isdecimal() and len(into) < 10))
    )
    if bad:
        raise InvalidInput("The form is not complete", [])
    decision = {
        "choose": choice,
        "comment": given.comment,
        "into": int(into) if into else None,
        "only": list(given.only or ()) if choice == ReviewChoice.APPLY else None,
    }
    return validate(ResolveIn, decision).resolution(actor())


def _problem(given: Given) -> str:
    choice = given.choice.partition(":")[0]
    if not choice:
        return str(gettext("Please choose one of the answers."))
    if choice == ReviewChoice.MERGE and not given.compared:
        return str(gettext("Please confirm that you have compared them: joining cannot be undone."))
    if choice == ReviewChoice.APPLY and not given.only:
        return str(gettext("Please tick at least one person, or leave all as they are."))
    return str(gettext("This answer is not possible here. Please choose again."))
