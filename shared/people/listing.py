"""Lists of a service's people: what a search, filters and an order pick from their table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum, auto
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.core.errors import Finding
from shared.fields.validation import InvalidInput
from shared.text.search import MOST_WORDS, Sought, Term, is_too_long, read_search
from shared.words.codes import Code

_AVAILABLE = "potenziell_verfuegbar"
_BORN = "geburtsdatum"
_WEEK = timedelta(weeks=1)


class Order(StrEnum):
    """What a list is sorted by."""

    NEWEST = auto()
    OLDEST = auto()
    NAME = auto()
    PLACE = auto()
    CHANGED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whom a list shows, in which order; `month` is any day of the one in which they came."""

    status: str | None = None
    plz: str | None = None
    ort: str | None = None
    month: date | None = None
    available: bool | None = None
    order: Order = Order.NEWEST

    def conditions(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        columns = table.c
        chosen: list[sa.ColumnElement[bool]] = []
        chosen += [columns.status == self.status] if self.status else []
        chosen += [columns.plz.startswith(self.plz, autoescape=True)] if self.plz else []
        chosen += [columns.ort.icontains(self.ort, autoescape=True)] if self.ort else []
        chosen += [_came_in(columns.created_at, self.month)] if self.month else []
        if self.available is not None and _AVAILABLE in columns:
            chosen.append(columns[_AVAILABLE] == self.available)
        return chosen


def knows_availability(table: sa.Table) -> bool:
    """Whether these people can be available or not."""
    return _AVAILABLE in table.c


def sought_in(search: str | None) -> Sought:
    """What a search asks for. Raises `InvalidInput` for one that is too long, before anything is computed of it."""
    if search is None:
        return Sought()
    sought = Sought() if is_too_long(search) else read_search(search)
    if is_too_long(search) or sum(len(term.words) for term in sought.terms) > MOST_WORDS:
        raise InvalidInput(f"Search for at most {MOST_WORDS} words", [Finding("/search", Code.TOO_LONG)])
    return sought


def found_by(table: sa.Table, sought: Sought) -> list[sa.ColumnElement[bool]]:
    """What the row of somebody has to fulfil whom the search means."""
    conditions = [_has(table, term) for term in sought.terms]
    if sought.days:
        conditions.append(table.c[_BORN].in_(sought.days) if _BORN in table.c else sa.false())
    return conditions


def pick(
    connection: Connection,
    table: sa.Table,
    columns: Sequence[str],
    conditions: Sequence[sa.ColumnElement[bool]],
    *,
    order: Order = Order.NEWEST,
    offset: int = 0,
    limit: int | None = None,
) -> Sequence[RowMapping]:
    """These columns of the people who fulfil all conditions."""
    chosen = sa.select(*(table.c[name] for name in columns)).where(*conditions).order_by(*_ORDERS[order](table))
    return connection.execute(chosen.offset(offset).limit(limit)).mappings().all()


def count(connection: Connection, table: sa.Table, conditions: Sequence[sa.ColumnElement[bool]]) -> int:
    """How many fulfil all conditions."""
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()


def _has(table: sa.Table, term: Term) -> sa.ColumnElement[bool]:
    words = sa.and_(*(table.c.search_key.contains(word, autoescape=True) for word in term.words))
    if term.digits is None:
        return words
    digits = sa.func.regexp_replace(table.c.telefon, r"\D", "", "g")
    return sa.or_(words, digits.contains(term.digits))


def _came_in(column: sa.ColumnElement[Any], month: date) -> sa.ColumnElement[bool]:
    """Months begin at midnight in Germany."""
    first = sa.func.timezone("Europe/Berlin", sa.cast(month.replace(day=1), sa.TIMESTAMP))
    after = (month.replace(day=28) + _WEEK).replace(day=1)
    return sa.and_(column >= first, column < sa.func.timezone("Europe/Berlin", sa.cast(after, sa.TIMESTAMP)))


def _as_in_the_alphabet(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """For sorting as in German, whatever the database's own order is: "Ärzte" stands with "Arzt"."""
    return sa.func.lower(sa.func.translate(column, "ÄÖÜäöüßÉÈéèÁáÇç", "AOUaousEEeeAaCc"))


def _by_name(table: sa.Table) -> tuple[sa.ColumnElement[Any], ...]:
    return (_as_in_the_alphabet(table.c.nachname), _as_in_the_alphabet(table.c.vorname), table.c.id)


_ORDERS: Mapping[Order, Callable[[sa.Table], tuple[sa.ColumnElement[Any], ...]]] = {
    Order.NEWEST: lambda table: (table.c.created_at.desc(), table.c.id.desc()),
    Order.OLDEST: lambda table: (table.c.created_at, table.c.id),
    Order.NAME: _by_name,
    Order.PLACE: lambda table: (table.c.plz, *_by_name(table)),
    Order.CHANGED: lambda table: (table.c.updated_at.desc(), table.c.id.desc()),
}
