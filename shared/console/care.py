"""Notes about a file that waits, and who takes care of it."""

from functools import partial
from typing import Protocol

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from shared.console import words
from shared.console.resume import is_shown_again, keeps_typed
from shared.core.errors import NotAllowedError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput, validate
from shared.http.auth import actor, needs
from shared.http.imports_api import DiscardIn
from shared.http.service import current_service
from shared.imports import care

_ONE = "/<int:import_id>"


class Show(Protocol):
    """The page of a file, with a note that is not noted yet, and why not."""

    def __call__(self, import_id: int, note: str = "", problem: str | None = None) -> str: ...


def add_care(routes: Blueprint, show: Show) -> None:
    """The buttons on a file's page."""
    routes.post(f"{_ONE}/note", endpoint="note")(needs(Role.WRITE)(keeps_typed(partial(_note, show))))
    routes.post(f"{_ONE}/take", endpoint="take")(needs(Role.WRITE)(_take))
    routes.post(f"{_ONE}/give-back", endpoint="give_back")(needs(Role.WRITE)(_give_back))


def _note(show: Show, import_id: int) -> ResponseReturnValue:
    service, typed = current_service(), request.form.get("note", "")
    if is_shown_again():
        return show(import_id, typed)
    try:
        text = validate(DiscardIn, {"reason": typed}).reason
    except InvalidInput:
        return show(import_id, typed, gettext("Please write something, in at most 1000 characters.")), 400
    try:
        with transaction(service.engine) as connection:
            care.add_note(connection, service.kernel, import_id, actor(), text)
    except NotAllowedError:
        return show(import_id, typed, gettext("The file is settled by now. Nothing was noted.")), 409
    flash(gettext("Noted."), "done")
    return _back(import_id)


def _take(import_id: int) -> ResponseReturnValue:
    service, after = current_service(), request.form.get("after") or None
    try:
        with transaction(service.engine) as connection:
            care.take(connection, service.kernel, import_id, actor(), after=after)
        flash(gettext("You take care of it."), "done")
    except care.TakenMeanwhile as taken:
        name = words.actor_name(taken.actor)
        flash(gettext("%(name)s was faster and takes care of it by now. Nothing was changed.", name=name), "warn")
    return _back(import_id)


def _give_back(import_id: int) -> ResponseReturnValue:
    service = current_service()
    with transaction(service.engine) as connection:
        care.give_back(connection, service.kernel, import_id, actor())
    return _back(import_id)


def _back(import_id: int) -> ResponseReturnValue:
    return redirect(url_for("console.imports.show", import_id=import_id))
