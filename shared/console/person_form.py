"""Entering a person by hand and changing one: the form, with the API's checks beside each field.

A form knows what each field said when it was opened. Only what somebody touched is written; where somebody else changed
the same field meanwhile, nothing is, until it was looked at again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, gettext
from sqlalchemy.engine import Connection

from shared.console import forms, person_words, words
from shared.console.resume import is_shown_again, keeps_typed
from shared.core.clock import today
from shared.core.errors import RejectedError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.declaration import Field
from shared.http.accesses import note_created
from shared.http.auth import actor, needs
from shared.http.service import current_service
from shared.people.timeline import history_of

_WAS = "was_"
"""Before a field's name: the hidden input with what it said when the form was opened."""


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields that are shown together under a heading."""

    heading: LazyString
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A common change of somebody's status, as one button: the fields that it writes (None blanks one), a field that
    takes the day of today, and one that is asked for."""

    label: LazyString
    changes: Mapping[str, str | None]
    dated: str | None = None
    asked: str | None = None

    def inputs(self, row: object) -> list[tuple[str, str]]:
        """The hidden inputs of its form: what it writes, and what each field said when the page was made."""
        changes: dict[str, object] = dict(self.changes)
        if self.dated is not None:
            changes[self.dated] = today()
        touched = [*changes, *([self.asked] if self.asked else [])]
        was = {f"{_WAS}{name}": forms.text_of(getattr(row, name)) for name in touched}
        return [*((name, forms.text_of(value)) for name, value in changes.items()), *was.items()]


@dataclass(frozen=True, slots=True)
class Editing:
    """Writing people as the API does. `create` and `update` take values as a caller sends them, and who it is.

    Both raise `RejectedError`, `update` and `lock` also `NotFound`; `create` returns the new number.
    """

    create: Callable[[Connection, Mapping[str, object], str], int]
    update: Callable[[Connection, int, Mapping[str, object], str], object]
    lock: Callable[[Connection, int], object]


def add_editing(routes: Blueprint, groups: Sequence[FieldGroup], editing: Editing) -> None:
    """The forms, below the people's own pages."""
    pages = _Pages(groups, editing)
    written = needs(Role.WRITE)
    routes.get("/new", endpoint="ask_new")(written(pages.ask_new))
    routes.post("/new", endpoint="create")(written(pages.create))
    routes.get("/<int:entity_id>/edit", endpoint="ask_edit")(written(pages.ask_edit))
    routes.post("/<int:entity_id>/edit", endpoint="edit")(written(pages.edit))


@dataclass(frozen=True, slots=True)
class _Pages:
    groups: Sequence[FieldGroup]
    editing: Editing

    def ask_new(self) -> str:
        fields = self._fields()
        return self._form(None, forms.texts_of(fields, {field.name: field.default for field in fields}))

    @keeps_typed
    def create(self) -> ResponseReturnValue:
        fields = self._fields()
        typed = _typed(fields)
        if is_shown_again():
            return self._form(None, typed)
        values = forms.values_of(fields, typed, {})
        try:
            with transaction(current_service().engine) as connection:
                entity_id = self.editing.create(connection, values, actor())
        except RejectedError as error:
            return self._form(None, typed, *forms.problems_of(fields, error.findings, "", typed)), 400
        note_created(entity_id)
        flash(gettext("The entry is made."), "done")
        return redirect(url_for("console.people.show", entity_id=entity_id))

    def ask_edit(self, entity_id: int) -> str:
        with transaction(current_service().engine) as connection:
            row = self.editing.lock(connection, entity_id)
        return self._form(entity_id, forms.texts_of(self._fields(), vars(row)))

    @keeps_typed
    def edit(self, entity_id: int) -> ResponseReturnValue:
        """Writes what was touched of the fields that the form has, which need not be all."""
        fields = self._fields()
        typed, was = _typed(fields), _typed(fields, _WAS)
        touched = [f for f in fields if f.name in typed and typed[f.name] != was.get(f.name)]
        clashes: list[Field] = []
        try:
            with transaction(current_service().engine) as connection:
                row = vars(self.editing.lock(connection, entity_id))
                now = forms.texts_of(fields, row)
                clashes = [f for f in touched if now[f.name] not in (was.get(f.name), typed[f.name])]
                if not clashes and not is_shown_again():
                    values = forms.values_of(touched, typed, row)
                    self.editing.update(connection, entity_id, values, actor())
        except RejectedError as error:
            of_fields, others = forms.problems_of(fields, error.findings, "", typed)
            return self._form(entity_id, now | typed, of_fields, others, was=now | was), 400
        if is_shown_again():
            return self._form(entity_id, now | typed, was=now | was)
        if clashes:
            texts = now | {field.name: typed[field.name] for field in touched}
            problems = {field.name: [_clash(now[field.name])] for field in clashes}
            return self._form(entity_id, texts, problems, was=now), 409
        flash(gettext("The changes are saved."), "done")
        return redirect(url_for("console.people.show", entity_id=entity_id))

    def _fields(self) -> list[Field]:
        settable = {field.name: field for field in current_service().fields.settable}
        return [settable[name] for group in self.groups for name in group.fields if name in settable]

    def _form(
        self,
        entity_id: int | None,
        texts: Mapping[str, str],
        of_fields: Mapping[str, Sequence[str]] | None = None,
        others: Sequence[str] = (),
        *,
        was: Mapping[str, str] | None = None,
    ) -> str:
        service, history = current_service(), None
        if entity_id is not None:
            with transaction(service.engine) as connection:
                history = history_of(connection, service.kernel, entity_id)
        made = forms.inputs(self._fields(), texts, of_fields or {})
        return render_template(
            "console/person_form.html",
            entity_id=entity_id,
            groups=[(group.heading, [made[name] for name in group.fields if name in made]) for group in self.groups],
            was={} if entity_id is None else {f"{_WAS}{name}": text for name, text in (was or texts).items()},
            wrong=bool(of_fields),
            others=others,
            history=history,
            person_words=person_words,
        )


def _typed(fields: Sequence[Field], before: str = "") -> dict[str, str]:
    """A browser ends lines with CR LF, and drops nothing else."""
    given = {field.name: request.form.get(f"{before}{field.name}") for field in fields}
    return {name: text.replace("\r\n", "\n") for name, text in given.items() if text is not None}


def _clash(text: str) -> str:
    shown = words.value(text) or gettext("empty")
    return str(gettext("Meanwhile somebody changed this to “%(value)s”. Save again to write yours.", value=shown))
