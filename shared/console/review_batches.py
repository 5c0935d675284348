"""Several conflicts decided at once: what would happen to each, and doing it, each by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from sqlalchemy.engine import Connection

from shared.console.language import meaning
from shared.console.people import People
from shared.console.words import review_number
from shared.core.errors import NotAllowedError, NotFound
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.auth import actor, needs
from shared.http.bodies import LONGEST_REMARK
from shared.http.reviews_api import note_review
from shared.http.service import current_service
from shared.reviews.reviews import ResolutionRefused, find_review
from shared.reviews.values import Resolution, Review, WrittenRow
from shared.words.codes import Code
from shared.words.statuses import ReviewChoice, ReviewKind

_MOST = 500
_CHOICES = (ReviewChoice.STAFF, ReviewChoice.SOURCE)


@dataclass(frozen=True, slots=True)
class Effect:
    """What deciding one review would do: the rows it would write, or why it would be refused."""

    review: Review
    written: tuple[WrittenRow, ...]
    refused: str | None


@dataclass(frozen=True, slots=True)
class Batches:
    """Deciding many: `resolve` is the service's own, in the caller's transaction."""

    people: People
    resolve: Callable[[Connection, int, Resolution], Review]

    def add_to(self, routes: Blueprint) -> None:
        """The preview, and deciding what it showed."""
        routes.post("/preview", endpoint="preview")(needs(Role.OPERATE)(self.preview))
        routes.post("/together", endpoint="together")(needs(Role.OPERATE)(self.together))

    def preview(self) -> ResponseReturnValue:
        """Does it all, looks at the result, and takes it back."""
        choice, wanted = _choice(), _wanted()
        if choice is None or not wanted:
            flash(gettext("Please tick at least one entry."), "warn")
            return redirect(url_for("console.reviews.index"))
        service = current_service()
        with transaction(service.engine) as connection:
            effects = [self._tried(connection, review_id, choice) for review_id in wanted]
            people = [effect.review.entity_id for effect in effects]
            names = self.people.names(connection, [number for number in people if number is not None])
        for effect in effects:
            note_review(effect.review)
        return render_template(
            "console/review_preview.html", effects=effects, names=names, choice=choice, longest=LONGEST_REMARK
        )

    def together(self) -> ResponseReturnValue:
        """Decides each in a transaction of its own: one that is refused keeps none of the others back."""
        choice, comment = _choice(), request.form.get("comment", "").strip()[:LONGEST_REMARK] or None
        done, refused = 0, []
        for review_id in _wanted() if choice else []:
            try:
                with transaction(current_service().engine) as connection:
                    _require_conflict(find_review(connection, current_service().kernel, review_id))
                    resolution = Resolution(str(choice), actor(), comment)
                    note_review(self.resolve(connection, review_id, resolution))
            except (NotAllowedError, NotFound) as error:
                refused.append(f"{review_number(review_id)}: {_why(error)}")
            else:
                done += 1
        if done:
            flash(ngettext("%(num)s decision is made.", "%(num)s decisions are made.", done), "done")
        for each in refused:
            flash(gettext("Not decided: %(which)s", which=each), "warn")
        return redirect(url_for("console.reviews.index"))

    def _tried(self, connection: Connection, review_id: int, choice: ReviewChoice) -> Effect:
        review = find_review(connection, current_service().kernel, review_id)
        trial = connection.begin_nested()
        try:
            _require_conflict(review)
            resolved = self.resolve(connection, review_id, Resolution(choice, actor()))
            return Effect(review, resolved.written.rows if resolved.written else (), None)
        except (NotAllowedError, NotFound) as error:
            return Effect(review, (), _why(error))
        finally:
            trial.rollback()


def _require_conflict(review: Review) -> None:
    if review.kind is not ReviewKind.CONFLICT:
        raise NotAllowedError("Only conflicts are decided several at once")


def _choice() -> ReviewChoice | None:
    given = request.form.get("choice")
    return next((choice for choice in _CHOICES if choice == given), None)


def _wanted() -> Sequence[int]:
    """Those ticked, or with `whole` all of the group."""
    given = request.form.getlist("member" if request.form.get("whole") else "one")
    return sorted({int(each) for each in given if each.isdecimal() and len(each) < 10})[:_MOST]


def _why(error: NotAllowedError | NotFound) -> str:
    if isinstance(error, ResolutionRefused):
        return meaning(error.code)
    if isinstance(error, NotFound):
        return meaning(Code.GONE_SINCE)
    return str(gettext("Somebody else has decided this in the meantime."))
