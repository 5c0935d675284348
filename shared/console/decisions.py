"""Questions for a person: the list, one question with all it is about, deciding it, and undoing the decision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console import decision_words
from shared.console.access import may, needs, note_view
from shared.console.language import meaning
from shared.console.people import People
from shared.console.sections import Section
from shared.console.words import number
from shared.core.errors import NotAllowedError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput
from shared.http.auth import actor
from shared.http.requests import paging, word
from shared.http.reviews_api import LONGEST_COMMENT
from shared.http.service import current_service
from shared.reviews.comparison import Conflict, Duplicate, HeldDeletions, Subject
from shared.reviews.reviews import CHOICES, Choice, DecisionRefused, UndoRefused, can_undo, find_review, list_reviews
from shared.words.statuses import ReviewKind, ReviewState

_ONE = "/<int:review_id>"


@dataclass(frozen=True, slots=True)
class Decisions:
    """What only a service knows of its questions. Each function works in the caller's transaction."""

    people: People
    subject_of: Callable[[Connection, Mapping[Any, Any]], Subject]
    resolve: Callable[[Connection, int, Choice], RowMapping]
    undo: Callable[[Connection, int, str, str | None], RowMapping]


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody filled in; kept where the form has to be shown again."""

    choice: str = ""
    comment: str = ""
    compared: bool = False
    only: tuple[int, ...] | None = None


def decisions_section(decisions: Decisions) -> Section:
    """The section at `/console/decisions`."""
    routes = Blueprint("decisions", __name__)
    pages = _Pages(decisions)
    routes.get("", endpoint="index")(pages.index)
    routes.get(_ONE, endpoint="show")(pages.show)
    routes.post(f"{_ONE}/resolve", endpoint="resolve")(needs(Role.OPERATE)(pages.resolve))
    routes.post(f"{_ONE}/undo", endpoint="undo")(needs(Role.OPERATE)(pages.undo))
    return Section(routes, lazy_gettext("Decisions"))


class _Pages:
    """The views, which share what the service knows."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions

    def index(self) -> str:
        service, page = current_service(), paging()
        state = _one_of("state", (*ReviewState, "all"), "open")
        kind = _one_of("kind", tuple(ReviewKind), None)
        with transaction(service.engine) as connection:
            rows, total = list_reviews(
                connection,
                service.kernel,
                state=None if state == "all" else state,
                kind=kind,
                offset=page.offset,
                limit=page.limit,
            )
            names = self._decisions.people.names(connection, _about(rows)) if may(Role.WRITE) else {}
        if names:
            note_view("decisions")
        return render_template(
            "console/decisions.html",
            rows=rows,
            names=names,
            total=total,
            page=page.page,
            pages=max(-(-total // page.limit), 1),
            state=state,
            kind=kind,
            decision_words=decision_words,
        )

    def show(self, review_id: int) -> str:
        return self._page(review_id)

    def resolve(self, review_id: int) -> ResponseReturnValue:
        """Decides; what cannot be done is said on the same page, with what was filled in."""
        given = _given()
        try:
            choice = _choice(given)
            with transaction(current_service().engine) as connection:
                self._decisions.resolve(connection, review_id, choice)
        except InvalidInput:
            return self._page(review_id, given, _problem(given)), 400
        except DecisionRefused as refused:
            return self._page(review_id, given, meaning(refused.code)), 409
        except NotAllowedError:
            problem = gettext("Somebody else has decided this in the meantime. Nothing was done.")
            return self._page(review_id, problem=problem), 409
        flash(gettext("Question %(number)s is decided.", number=number(review_id)), "done")
        return redirect(url_for("console.decisions.show", review_id=review_id))

    def undo(self, review_id: int) -> ResponseReturnValue:
        comment = request.form.get("comment", "").strip()[:LONGEST_COMMENT] or None
        try:
            with transaction(current_service().engine) as connection:
                self._decisions.undo(connection, review_id, actor(), comment)
        except UndoRefused as refused:
            return self._page(review_id, problem=meaning(refused.code)), 409
        except NotAllowedError:
            problem = gettext("The question is open already. Nothing was done.")
            return self._page(review_id, problem=problem), 409
        flash(gettext("The decision is undone; question %(number)s is open again.", number=number(review_id)), "done")
        return redirect(url_for("console.decisions.show", review_id=review_id))

    def _page(self, review_id: int, given: Given | None = None, problem: str | None = None) -> str:
        service = current_service()
        with transaction(service.engine) as connection:
            review = find_review(connection, service.kernel, review_id)
            # What an erasure blanked has nothing left to show.
            sees = may(Role.WRITE) and bool(_facts(review))
            subject = self._decisions.subject_of(connection, review) if sees else None
        if subject is not None:
            note_view("decision", review_id=review_id)
        return render_template(
            "console/decision.html",
            review=review,
            kind_of_subject=_KINDS.get(type(subject)),
            subject=subject,
            options=decision_words.options(review["kind"], service.kernel.service_name, subject),
            can_undo=can_undo(review),
            earlier=review["detail"].get("earlier", []),
            given=given or Given(),
            problem=problem,
            longest=LONGEST_COMMENT,
            decision_words=decision_words,
        )


_KINDS: Mapping[type, str] = {Duplicate: "duplicate", Conflict: "conflict", HeldDeletions: "deletions"}


def _facts(review: RowMapping) -> Mapping[str, Any]:
    return {name: value for name, value in review["detail"].items() if name not in ("done", "earlier")}


def _about(rows: list[RowMapping]) -> set[int]:
    return {row["entity_id"] for row in rows if row["entity_id"] is not None}


def _one_of(name: str, allowed: tuple[str, ...], default: str | None) -> str | None:
    found = word(name)
    return found if found in allowed else default


def _given() -> Given:
    form = request.form
    ticked = tuple(int(value) for value in form.getlist("only") if value.isdecimal() and len(value) < 10)
    return Given(
        choice=form.get("choice", ""),
        comment=form.get("comment", "").strip(),
        compared=form.get("compared") == "yes",
        only=ticked,
    )


def _choice(given: Given) -> Choice:
    """The decision as the use case takes it: `merge:17` names the row to merge into. Raises `InvalidInput`."""
    choose, _, into = given.choice.partition(":")
    bad = (
        not any(choose in choices for choices in CHOICES.values())
        or (choose == "merge" and not given.compared)
        or (choose == "apply" and not given.only)
        or len(given.comment) > LONGEST_COMMENT
        or "\x00" in given.comment
        or (bool(into) and not (into.isdecimal() and len(into) < 10))
    )
    if bad:
        raise InvalidInput("The form is not complete", [])
    only = given.only if choose == "apply" else None
    return Choice(choose, actor(), given.comment or None, int(into) if into else None, only)


def _problem(given: Given) -> str:
    choose = given.choice.partition(":")[0]
    if not choose:
        return str(gettext("Please choose one of the answers."))
    if choose == "merge" and not given.compared:
        return str(gettext("Please confirm that you have compared them: joining cannot be undone."))
    if choose == "apply" and not given.only:
        return str(gettext("Please tick at least one person, or leave all as they are."))
    return str(gettext("This answer is not possible here. Please choose again."))
