"""The people of a service: list and search, one person's page with its history, what a person is answered."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console import person_words, words
from shared.console.erasures import Erasing, add_erasing
from shared.console.objections import Objecting, add_objecting
from shared.console.people_list import PeopleList
from shared.console.person_form import Editing, FieldGroup, Move, add_editing
from shared.console.sections import Section
from shared.core.json_values import json_default
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.accesses import note_export, note_list
from shared.http.auth import actor, needs
from shared.http.bodies import LONGEST_REMARK
from shared.http.requests import paging
from shared.http.service import current_service
from shared.people.timeline import history_of

R = TypeVar("R")

_ONE = "/<int:entity_id>"


class Person(Protocol):
    """Who stands in the table of a service's people."""

    @property
    def vorname(self) -> str | None: ...

    @property
    def nachname(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Answering:
    """Telling a person all that is held of them: as a page for them, and as data."""

    page: Callable[[Connection, int], str]
    data: Callable[[Connection, int], object]


Mark = Callable[[Connection, int, str, str, str], None]


@dataclass(frozen=True, slots=True)
class Restricting:
    """Marks on a person: `kinds` with their words, all that were ever set, and setting and taking back one for a
    reason."""

    kinds: Mapping[str, LazyString]
    marks: Callable[[Connection, int], Sequence[RowMapping]]
    restrict: Mark
    lift: Mark


class Due(Protocol):
    """Somebody whose time is over."""

    @property
    def patient_id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class People:
    """What only a service knows of its people. `table` has `id`, `vorname`, `nachname`, `plz`, `ort` and `status`; who
    does not fulfil `handed_out` is left out of files for a spreadsheet."""

    label: LazyString
    table: sa.Table
    groups: Sequence[FieldGroup]
    get: Callable[[Connection, int], Person]
    editing: Editing
    consents: Callable[[Connection, int], Sequence[RowMapping]] | None = None
    erasing: Erasing[Any] | None = None
    objecting: Objecting | None = None
    answering: Answering | None = None
    restricting: Restricting | None = None
    handed_out: sa.ColumnElement[bool] = field(default_factory=sa.true)
    due: Callable[[Connection, int, int], Sequence[Due]] | None = None
    moves: Mapping[str, Sequence[Move]] = field(default_factory=dict)
    """The common changes of each status."""
    outlook: Callable[[Mapping[str, object]], Sequence[object]] | None = None
    """What the next pass would do to what we changed in a row, where the source comes again."""

    def names(
        self, connection: Connection, ids: Collection[int], which: sa.ColumnElement[bool] | None = None
    ) -> dict[int, str]:
        """The names of those who are there, and fulfil `which`."""
        columns = self.table.c
        conditions = [columns.id.in_(ids), *([] if which is None else [which])]
        statement = sa.select(columns.id, columns.vorname, columns.nachname).where(*conditions)
        return {row.id: full_name(row) for row in connection.execute(statement)}


def full_name(person: Person) -> str:
    """First and last name; therapists may lack the first."""
    return " ".join(filter(None, (person.vorname, person.nachname)))


def blank_fields(person: Person, group: FieldGroup) -> list[str]:
    """The names of the group's fields that hold nothing."""
    return [words.field(name) for name in group.fields if not words.value(getattr(person, name))]


def people_section(people: People) -> Section:
    """The section at `/console/people`."""
    routes = Blueprint("people", __name__)
    pages = _Pages(people)
    listed = PeopleList(people.label, people.table, people.handed_out)
    routes.get("", endpoint="index")(needs(Role.LOOK)(listed.index))
    routes.get("/list.csv", endpoint="list_export")(needs(Role.READ)(listed.export))
    routes.get(_ONE, endpoint="show")(needs(Role.READ)(pages.show))
    add_editing(routes, people.groups, people.editing)
    if people.answering:
        answers = _AnsweringPages(people.answering)
        routes.get(f"{_ONE}/export", endpoint="export")(needs(Role.READ)(answers.page))
        routes.get(f"{_ONE}/export.json", endpoint="export_data")(needs(Role.READ)(answers.data))
    if people.restricting:
        marks = _MarkPages(people.restricting)
        routes.post(f"{_ONE}/restrict", endpoint="restrict")(needs(Role.WRITE)(marks.restrict))
        routes.post(f"{_ONE}/lift", endpoint="lift")(needs(Role.WRITE)(marks.lift))
    if people.due:
        routes.get("/due", endpoint="due")(needs(Role.READ)(partial(_due, people, people.due)))
    if people.erasing:
        add_erasing(routes, people.names, people.erasing)
    if people.objecting:
        add_objecting(routes, people.objecting)
    return Section(routes, people.label, people=people.table)


class _Pages:
    """The view of one person."""

    def __init__(self, people: People) -> None:
        self._people = people

    def show(self, entity_id: int) -> str:
        """Everything about one person."""
        service, page = current_service(), paging()
        with transaction(service.engine) as connection:
            row = self._people.get(connection, entity_id)
            history = history_of(connection, service.kernel, entity_id)
            consents = self._people.consents(connection, entity_id) if self._people.consents else []
            marks = self._people.restricting.marks(connection, entity_id) if self._people.restricting else []
        return render_template(
            "console/person.html",
            people=self._people,
            row=row,
            name=full_name(row),
            history=history[page.offset : page.offset + page.limit],
            page=page.page,
            pages=page.pages(len(history)),
            consents=consents,
            marks=marks,
            moves=self._people.moves.get(str(vars(row)["status"]), ()),
            outlook=self._people.outlook(vars(row)) if self._people.outlook else (),
            blank_fields=blank_fields,
            person_words=person_words,
        )


def _due(people: People, find: Callable[[Connection, int, int], Sequence[Due]]) -> str:
    """Those whose time is over. Nobody is erased by itself: each has a page where a person does that."""
    service, page = current_service(), paging()
    with transaction(service.engine) as connection:
        total = service.count_due(connection)
        rows = find(connection, page.offset, page.limit)
        names = people.names(connection, [row.patient_id for row in rows])
    note_list()
    return render_template(
        "console/due.html",
        people=people,
        rows=rows,
        names=names,
        total=total,
        page=page.page,
        pages=page.pages(total),
    )


class _AnsweringPages:
    """The views that hand out all that is held of a person."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def page(self, entity_id: int) -> Response:
        return self._download(self._read(self._answering.page, entity_id), entity_id, "html")

    def data(self, entity_id: int) -> Response:
        held = self._read(self._answering.data, entity_id)
        return self._download(json.dumps(held, ensure_ascii=False, indent=2, default=json_default), entity_id, "json")

    def _read(self, read: Callable[[Connection, int], R], entity_id: int) -> R:
        note_export()
        with transaction(current_service().engine) as connection:
            return read(connection, entity_id)

    def _download(self, text: str, entity_id: int, ending: str) -> Response:
        headers = {"Content-Disposition": f'attachment; filename="curavani-data-{entity_id}.{ending}"'}
        return Response(text, mimetype="application/json" if ending == "json" else "text/html", headers=headers)


class _MarkPages:
    """The views that set a mark on a person and take it back."""

    def __init__(self, restricting: Restricting) -> None:
        self._restricting = restricting

    def restrict(self, entity_id: int) -> ResponseReturnValue:
        return self._write(self._restricting.restrict, entity_id)

    def lift(self, entity_id: int) -> ResponseReturnValue:
        return self._write(self._restricting.lift, entity_id)

    def _write(self, mark: Mark, entity_id: int) -> ResponseReturnValue:
        kind, reason = request.form.get("kind", ""), request.form.get("reason", "").strip()[:LONGEST_REMARK]
        if kind in self._restricting.kinds and reason:
            with transaction(current_service().engine) as connection:
                mark(connection, entity_id, kind, reason, actor())
            flash(gettext("Noted, with your reason."), "done")
        else:
            flash(gettext("Please say why. Nothing was changed."), "warn")
        return redirect(url_for("console.people.show", entity_id=entity_id))
