"""One search over people, files and decisions. Posted, because addresses end in logs and names must not."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console.access import may
from shared.console.corrections import Correcting
from shared.console.unimported import Registration, looked_for
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.database.tables import KernelTables
from shared.fields.validation import InvalidInput
from shared.http.accesses import note_list
from shared.http.auth import needs
from shared.http.service import current_service
from shared.people.listing import Order, count, found_by, pick, sought_in
from shared.text.search import MOST_WORDS, Numbered, Reference, Sought
from shared.words.statuses import ReviewState

_MOST = 50
_FILES_LOOKED_THROUGH = 20_000
_SHORTEST_TEXT = 1000
_SHOWN = ("id", "vorname", "nachname", "plz", "ort", "telefon", "status")
_BORN = "geburtsdatum"
_SPELLED_OUT = {"ä": "ae", "Ä": "ae", "ö": "oe", "Ö": "oe", "ü": "ue", "Ü": "ue", "ß": "ss"}


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, of each kind at most a few dozen; `people_total` is how many people there are in all."""

    registrations: Sequence[Registration] = ()
    people: Sequence[RowMapping] = ()
    people_total: int = 0
    files: Sequence[RowMapping] = ()
    reviews: Sequence[RowMapping] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.registrations or self.people or self.files or self.reviews)


@dataclass(frozen=True, slots=True)
class Search:
    """The page of the search; `people` is the table of the service's people."""

    people: sa.Table
    correcting: Correcting | None

    def ask(self) -> str:
        """The empty page."""
        return _page("", Found())

    def answer(self) -> ResponseReturnValue:
        """All that the words mean; a number that can only be one thing leads there at once."""
        text = request.form.get("search", "").replace("\x00", " ").strip()
        try:
            sought = sought_in(text)
        except InvalidInput:
            return _page("", Found(), gettext("Please search with at most %(most)s words.", most=MOST_WORDS)), 400
        kernel, reference = current_service().kernel, sought.reference
        if reference is not None and reference.prefix not in (None, kernel.prefix):
            return _page(text, Found(), elsewhere=reference)
        with transaction(current_service().engine) as connection:
            numbered = _numbered(connection, kernel, self.people, reference) if reference else Found()
            address = _only_address(reference, numbered)
            if address is not None:
                return redirect(address, 303)
            found = self._look(connection, kernel, sought, numbered) if may(Role.READ) and text else numbered
        note_list()
        return _page(text, found)

    def _look(self, connection: Connection, kernel: KernelTables, sought: Sought, numbered: Found) -> Found:
        """By the words, together with what was found by the number."""
        if sought.reference and _is_only_a_number(sought.reference):
            return numbered
        conditions = found_by(self.people, sought)
        people = pick(connection, self.people, _columns(self.people), conditions, order=Order.CHANGED, limit=_MOST)
        ids = [row["id"] for row in people]
        waiting = looked_for(connection, kernel, self.correcting, sought)[:_MOST] if self.correcting else []
        on_top = {registration.import_id for registration in waiting}
        return Found(
            registrations=waiting,
            people=[*numbered.people, *(row for row in people if row not in numbered.people)],
            people_total=count(connection, self.people, conditions) if len(people) == _MOST else len(people),
            files=[row for row in (*numbered.files, *_files(connection, kernel, sought)) if row["id"] not in on_top],
            reviews=[*numbered.reviews, *_reviews_about(connection, kernel, ids, sought)],
        )


def add_search(console: Blueprint, people: sa.Table, correcting: Correcting | None) -> None:
    """The search at `/console/search`."""
    search = Search(people, correcting)
    console.get("/search", endpoint="search")(needs(Role.LOOK)(search.ask))
    console.post("/search", endpoint="find")(needs(Role.LOOK)(search.answer))


def _page(text: str, found: Found, problem: str | None = None, elsewhere: Reference | None = None) -> str:
    return render_template(
        "console/search.html", searched=text, found=found, problem=problem, elsewhere=elsewhere, most=_MOST
    )


def _columns(people: sa.Table) -> list[str]:
    return [*_SHOWN, *([_BORN] if _BORN in people.c else [])]


def _numbered(connection: Connection, kernel: KernelTables, people: sa.Table, reference: Reference) -> Found:
    """What has this number."""
    number, kinds = reference.number, reference.kinds
    is_person = Numbered.PERSON in kinds and number < 2**31 and may(Role.READ)
    of_number = kernel.import_tracking.c.id == number
    return Found(
        people=pick(connection, people, _columns(people), [people.c.id == number]) if is_person else (),
        people_total=0,
        files=_read_files(connection, kernel, [of_number]) if Numbered.FILE in kinds else (),
        reviews=_read_reviews(connection, kernel, kernel.reviews.c.id == number) if Numbered.REVIEW in kinds else (),
    )


def _is_only_a_number(reference: Reference) -> bool:
    """Whether the text is no part of a phone number or a postal code as well."""
    return len(reference.kinds) == 1 or reference.number < _SHORTEST_TEXT


def _only_address(reference: Reference | None, numbered: Found) -> str | None:
    """The page of what was asked for by its number, where that is one thing."""
    pages = [
        url_for(endpoint, **{name: row["id"]})
        for rows, endpoint, name in (
            (numbered.people, "console.people.show", "entity_id"),
            (numbered.files, "console.imports.show", "import_id"),
            (numbered.reviews, "console.reviews.show", "review_id"),
        )
        for row in rows
    ]
    return pages[0] if reference and _is_only_a_number(reference) and len(pages) == 1 else None


def _files(connection: Connection, kernel: KernelTables, sought: Sought) -> Sequence[RowMapping]:
    """The newest files whose name has all the words."""
    if not sought.terms or sought.days:
        return ()
    table = kernel.import_tracking
    latest = sa.select(sa.func.max(table.c.id)).scalar_subquery() - _FILES_LOOKED_THROUGH
    name = _spelled_out(table.c.file_name)
    named = [name.contains(word, autoescape=True) for term in sought.terms for word in term.words]
    return _read_files(connection, kernel, [table.c.id > latest, *named])


def _read_files(
    connection: Connection, kernel: KernelTables, conditions: Sequence[sa.ColumnElement[bool]]
) -> Sequence[RowMapping]:
    columns = kernel.import_tracking.c
    shown = (columns.id, columns.status, columns.error_code, columns.file_name, columns.first_seen_at)
    newest = sa.select(*shown).where(*conditions).order_by(columns.id.desc()).limit(_MOST)
    return connection.execute(newest).mappings().all()


def _reviews_about(
    connection: Connection, kernel: KernelTables, ids: Sequence[int], sought: Sought
) -> Sequence[RowMapping]:
    """Decisions about these people, and open ones about somebody who is no entry yet; open ones first."""
    columns = kernel.reviews.c
    record = columns.detail["record"]
    names = sa.func.concat_ws(" ", record["vorname"].astext, record["nachname"].astext)
    held = [_spelled_out(names).contains(word, autoescape=True) for term in sought.terms for word in term.words]
    is_held = sa.and_(columns.state == ReviewState.OPEN, *held) if held and not sought.days else sa.false()
    return _read_reviews(connection, kernel, sa.or_(columns.entity_id.in_(ids), columns.other_id.in_(ids), is_held))


def _read_reviews(
    connection: Connection, kernel: KernelTables, condition: sa.ColumnElement[bool]
) -> Sequence[RowMapping]:
    columns = kernel.reviews.c
    shown = (columns.id, columns.kind, columns.state, columns.entity_id, columns.created_at)
    open_first = (columns.state == ReviewState.RESOLVED, columns.id.desc())
    return connection.execute(sa.select(*shown).where(condition).order_by(*open_first).limit(_MOST)).mappings().all()


def _spelled_out(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """As words of a search are spelled: small letters, umlauts as two."""
    folded: sa.ColumnElement[str] = sa.func.lower(column)
    for letter, spelled in _SPELLED_OUT.items():
        folded = sa.func.replace(folded, letter, spelled)
    return folded
