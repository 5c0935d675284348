"""The list of a service's people: filtered, sorted, page by page, and as a file for a spreadsheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

import sqlalchemy as sa
from flask import Response, render_template, request
from flask_babel import LazyString, format_date, gettext, lazy_gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console import words
from shared.console.access import may
from shared.console.spreadsheet import spreadsheet
from shared.core.clock import GERMANY, today
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.accesses import note_list
from shared.http.requests import paging, word
from shared.http.service import current_service
from shared.people.listing import Order, Wanted, count, knows_availability, pick
from shared.words.statuses import Access

_SHOWN = ("id", "vorname", "nachname", "plz", "ort", "status", "created_at", "updated_at")
_EXPORTED = ("anrede", "titel", "vorname", "nachname", "strasse", "plz", "ort", "telefon", "email", "status")
"""How to reach somebody and how far things are. What else is known of a person, such as their health, stays on their
page: a file on a desk is no place for it."""
_AVAILABLE = "potenziell_verfuegbar"
_YES_OR_NO = {"yes": True, "no": False}
_LONGEST_FILTER = 100
_MOST_MONTHS = 120
_DAY = timedelta(days=1)

ORDERS: Mapping[Order, LazyString] = {
    Order.NEWEST: lazy_gettext("newest first"),
    Order.OLDEST: lazy_gettext("oldest first"),
    Order.NAME: lazy_gettext("by last name"),
    Order.PLACE: lazy_gettext("by postal code"),
    Order.CHANGED: lazy_gettext("changed last first"),
}


@dataclass(frozen=True, slots=True)
class PeopleList:
    """The views of the list of the people in `table`; only who fulfils `handed_out` leaves the console with a file."""

    label: LazyString
    table: sa.Table
    handed_out: sa.ColumnElement[bool]

    def index(self) -> str:
        """The list for people who may see names; for the others, how many there are."""
        page, wanted = paging(), self._wanted()
        conditions = wanted.conditions(self.table)
        columns = [*_SHOWN, *([_AVAILABLE] if knows_availability(self.table) else [])]
        with transaction(current_service().engine) as connection:
            counts = self._count_by_status(connection)
            rows: Sequence[RowMapping] = ()
            total = 0
            if may(Role.READ):
                total = count(connection, self.table, conditions)
                rows = pick(connection, self.table, columns, conditions,
                            order=wanted.order, offset=page.offset, limit=page.limit)  # fmt: skip
            months = self._months(connection)
        note_list()
        return render_template(
            "console/people.html",
            label=self.label,
            counts=counts,
            rows=rows,
            total=total,
            page=page.page,
            pages=page.pages(total),
            wanted=wanted,
            filters=as_query(wanted),
            months=months,
            orders=ORDERS,
            availability=knows_availability(self.table),
        )

    def export(self) -> Response:
        """Everybody on the list, on all its pages, with how to reach them."""
        wanted = self._wanted()
        conditions = [*wanted.conditions(self.table), self.handed_out]
        fields = [name for name in (*_EXPORTED, _AVAILABLE) if name in self.table.c]
        columns = ["id", *fields, "created_at", "updated_at"]
        with transaction(current_service().engine) as connection:
            rows = pick(connection, self.table, columns, conditions, order=wanted.order)
        note_list(action=Access.EXPORT)
        heading = [gettext("Number"), *map(words.field, fields), gettext("Came in"), gettext("Changed")]
        service_name = current_service().kernel.service_name
        return spreadsheet(f"curavani-{service_name}-{today()}", heading, map(_line, rows))

    def _wanted(self) -> Wanted:
        """The filters of the query; what makes no sense counts as not given."""
        status, order = word("status"), word("order")
        statuses = cast("sa.Enum", self.table.c.status.type).enums
        return Wanted(
            status=status if status in statuses else None,
            plz=_short("plz"),
            ort=_short("ort"),
            month=_month(request.args.get("month", "")),
            available=_YES_OR_NO.get(request.args.get("available", "")),
            order=Order(order) if order in tuple(Order) else Order.NEWEST,
        )

    def _count_by_status(self, connection: Connection) -> list[tuple[str, int]]:
        """How many there are of each status, in the status' own order."""
        status = self.table.c.status
        statement = sa.select(status, sa.func.count()).group_by(status).order_by(status)
        return [(name, number) for name, number in connection.execute(statement)]

    def _months(self, connection: Connection) -> list[tuple[str, str]]:
        """The months in which somebody can have come, the latest first, with their names."""
        first: datetime | None = connection.execute(sa.select(sa.func.min(self.table.c.created_at))).scalar()
        month = today().replace(day=1)
        oldest = month if first is None else first.astimezone(GERMANY).date().replace(day=1)
        months: list[tuple[str, str]] = []
        while month >= oldest and len(months) < _MOST_MONTHS:
            months.append((f"{month:%Y-%m}", str(format_date(month, "MMMM y"))))
            month = (month - _DAY).replace(day=1)
        return months


def as_query(wanted: Wanted) -> dict[str, str]:
    """The filters as an address carries them, without what is so anyway."""
    given = {
        "status": wanted.status,
        "plz": wanted.plz,
        "ort": wanted.ort,
        "month": f"{wanted.month:%Y-%m}" if wanted.month else None,
        "available": next((name for name, meant in _YES_OR_NO.items() if meant is wanted.available), None),
        "order": wanted.order if wanted.order is not Order.NEWEST else None,
    }
    return {name: value for name, value in given.items() if value}


def _line(row: RowMapping) -> list[object]:
    """A text and a time as they are; yes, no and the words of the status as people say them."""
    shown = {name: words.value(value) if isinstance(value, bool) else value for name, value in row.items()}
    return list((shown | {"status": words.value(row["status"])}).values())


def _short(name: str) -> str | None:
    return (word(name) or "")[:_LONGEST_FILTER] or None


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
