"""The people of a service: list and search, one person's page with its history, erasure with its certificate."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console import person_words, words
from shared.console.access import may, needs, note_view
from shared.console.person_form import Editing, FieldGroup, add_editing
from shared.console.sections import Section
from shared.core.errors import NotFound
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.auth import actor
from shared.http.requests import paging, word
from shared.http.service import current_service
from shared.people.timeline import history_of

_ONE = "/<int:entity_id>"
_ERASURE = "/erasures/<int:erasure_id>"
_MOST_FOUND = 50


class Person(Protocol):
    """Who stands in the table of a service's people."""

    @property
    def vorname(self) -> str | None: ...

    @property
    def nachname(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Erasing:
    """Erasing a person, where a service does that: `erase` takes the number and the actor; `certificates` is the table
    of what was erased, with `id`, `patient_id`, `erased_by`, `erased_at` and `certificate`."""

    erase: Callable[[int, str], object]
    certificates: sa.Table


@dataclass(frozen=True, slots=True)
class People:
    """What only a service knows of its people. `table` has `id`, `vorname`, `nachname`, `plz`, `ort` and `status`."""

    label: LazyString
    table: sa.Table
    groups: Sequence[FieldGroup]
    find: Callable[..., tuple[Sequence[Person], int]]
    get: Callable[[Connection, int], Person]
    editing: Editing
    consents: Callable[[Connection, int], Sequence[RowMapping]] | None = None
    erasing: Erasing | None = None

    def names(self, connection: Connection, ids: Collection[int]) -> dict[int, str]:
        """The names of those who are there."""
        columns = self.table.c
        statement = sa.select(columns.id, columns.vorname, columns.nachname).where(columns.id.in_(ids))
        return {row.id: full_name(row) for row in connection.execute(statement)}

    def count_by_status(self, connection: Connection) -> list[tuple[str, int]]:
        """How many there are of each status, in the status' own order."""
        status = self.table.c.status
        statement = sa.select(status, sa.func.count()).group_by(status).order_by(status)
        return [(name, number) for name, number in connection.execute(statement)]


def full_name(person: Person) -> str:
    """First and last name; therapists may lack the first."""
    return " ".join(filter(None, (person.vorname, person.nachname)))


def blank_fields(person: Person, group: FieldGroup) -> list[str]:
    """The names of the group's fields that hold nothing."""
    return [words.field(field) for field in group.fields if not words.value(getattr(person, field))]


def people_section(people: People) -> Section:
    """The section at `/console/people`."""
    routes = Blueprint("people", __name__)
    pages = _Pages(people)
    routes.get("", endpoint="index")(pages.index)
    routes.post("/search", endpoint="search")(needs(Role.WRITE)(pages.search))
    routes.get(_ONE, endpoint="show")(needs(Role.WRITE)(pages.show))
    add_editing(routes, people.groups, people.editing)
    if people.erasing:
        _add_erasing(routes, _ErasurePages(people, people.erasing))
    return Section(routes, people.label)


def _add_erasing(routes: Blueprint, pages: "_ErasurePages") -> None:
    operated = needs(Role.OPERATE)
    routes.get(f"{_ONE}/erase", endpoint="ask_erase")(operated(pages.ask))
    routes.post(f"{_ONE}/erase", endpoint="erase")(operated(pages.erase))
    routes.get("/erasures", endpoint="erasures")(operated(pages.index))
    routes.get(_ERASURE, endpoint="erasure")(operated(pages.show))
    routes.get(f"{_ERASURE}/certificate", endpoint="certificate")(operated(pages.download))


class _Pages:
    """The views of the list and of one person."""

    def __init__(self, people: People) -> None:
        self._people = people

    def index(self) -> str:
        """The list for people who may see names; for the others, how many there are."""
        page, status = paging(), word("status")
        with transaction(current_service().engine) as connection:
            counts = self._people.count_by_status(connection)
            status = status if status in dict(counts) else None
            rows, total = self._find(connection, status=status, offset=page.offset, limit=page.limit)
        return self._list(counts, rows, total, page=page.page, pages=max(-(-total // page.limit), 1), status=status)

    def search(self) -> str:
        """By words of name, address, e-mail or phone; posted, because addresses end in logs and names must not."""
        wanted = request.form.get("search", "").replace("\x00", "").strip()[:200]
        with transaction(current_service().engine) as connection:
            counts = self._people.count_by_status(connection)
            rows, total = self._find(connection, search=wanted or None, offset=0, limit=_MOST_FOUND)
        return self._list(counts, rows, total, search=wanted)

    def _find(self, connection: Connection, **wanted: object) -> tuple[Sequence[Person], int]:
        return self._people.find(connection, **wanted) if may(Role.WRITE) else ([], 0)

    def _list(self, counts: Sequence[tuple[str, int]], rows: Sequence[Person], total: int, **values: object) -> str:
        if rows:
            note_view("people")
        shown = {"page": 1, "pages": 1, "status": None, "search": "", **values}
        return render_template(
            "console/people.html", people=self._people, counts=counts, rows=rows, total=total, full_name=full_name,
            **shown,
        )  # fmt: skip

    def show(self, entity_id: int) -> str:
        """Everything about one person."""
        service = current_service()
        with transaction(service.engine) as connection:
            row = self._people.get(connection, entity_id)
            history = history_of(connection, service.kernel, entity_id)
            consents = self._people.consents(connection, entity_id) if self._people.consents else []
        note_view("person", entity_id=entity_id)
        return render_template(
            "console/person.html",
            people=self._people,
            row=row,
            name=full_name(row),
            history=history,
            consents=consents,
            blank_fields=blank_fields,
            person_words=person_words,
        )


class _ErasurePages:
    """The views of erasing somebody, and of the certificates."""

    def __init__(self, people: People, erasing: Erasing) -> None:
        self._people = people
        self._erasing = erasing

    def ask(self, entity_id: int) -> str:
        return self._ask(entity_id)

    def _ask(self, entity_id: int, problem: str | None = None) -> str:
        with transaction(current_service().engine) as connection:
            row = self._people.get(connection, entity_id)
        note_view("erasure", entity_id=entity_id)
        return render_template("console/erase.html", people=self._people, row=row, name=full_name(row), problem=problem)

    def erase(self, entity_id: int) -> ResponseReturnValue:
        """Erases, if the number was typed; leads to the certificate."""
        if request.form.get("number", "").strip() != str(entity_id):
            return self._ask(entity_id, gettext("That is not the number. Nothing was erased.")), 400
        self._erasing.erase(entity_id, actor())
        table = self._erasing.certificates
        latest = sa.select(sa.func.max(table.c.id)).where(table.c.patient_id == entity_id)
        with transaction(current_service().engine) as connection:
            erasure_id = connection.execute(latest).scalar_one()
        flash(gettext("The person's data is erased. Keep the certificate."), "done")
        return redirect(url_for("console.people.erasure", erasure_id=erasure_id))

    def index(self) -> str:
        table, page = self._erasing.certificates, paging()
        statement = sa.select(table).order_by(table.c.id.desc()).offset(page.offset).limit(page.limit)
        with transaction(current_service().engine) as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            rows = connection.execute(statement).mappings().all()
        pages = max(-(-total // page.limit), 1)
        return render_template("console/erasures.html", rows=rows, total=total, page=page.page, pages=pages)

    def show(self, erasure_id: int) -> str:
        row = self._certificate(erasure_id)
        return render_template("console/erasure.html", row=row, person_words=person_words)

    def download(self, erasure_id: int) -> Response:
        row = self._certificate(erasure_id)
        text = json.dumps(row["certificate"], ensure_ascii=False, indent=2)
        name = f"curavani-erasure-{row['patient_id']}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, mimetype="application/json", headers=headers)

    def _certificate(self, erasure_id: int) -> RowMapping:
        table = self._erasing.certificates
        with transaction(current_service().engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.id == erasure_id)).mappings().one_or_none()
        if row is None:
            raise NotFound("Certificate not found")
        return row
