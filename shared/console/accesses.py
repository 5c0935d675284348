"""Who looked at whom, and who is signed in: for operators, to search and to end."""

from datetime import date, datetime, time, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from shared.console.language import ngettext
from shared.console.sections import Section
from shared.core.clock import GERMANY
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.history.accesses import Wanted, find_accesses
from shared.history.sessions import end_sessions_of, list_sessions
from shared.http.auth import needs
from shared.http.requests import paging, word
from shared.http.service import current_service

_LARGEST_NUMBER = 2**63 - 1


def accesses_section() -> Section:
    """The section at `/console/accesses`."""
    routes = Blueprint("accesses", __name__)
    routes.get("", endpoint="index")(needs(Role.OPERATE)(_list))
    routes.post("/end", endpoint="end")(needs(Role.OPERATE)(_end))
    return Section(routes, lazy_gettext("Accesses"), Role.OPERATE)


def _list() -> str:
    service, page, filters = current_service(), paging(), _filters()
    with transaction(service.engine) as connection:
        rows, total = find_accesses(connection, service.kernel, _wanted(filters), offset=page.offset, limit=page.limit)
        sessions = list_sessions(connection, service.kernel)
    pages = page.pages(total)
    return render_template(
        "console/accesses.html",
        rows=rows,
        total=total,
        page=page.page,
        pages=pages,
        filters=filters,
        signed_in=sessions,
    )


def _end() -> ResponseReturnValue:
    """Ends every session of a name on this service's console."""
    service = current_service()
    with transaction(service.engine) as connection:
        ended = end_sessions_of(connection, service.kernel, request.form.get("name", ""))
    flash(ngettext("%(num)s session ended.", "%(num)s sessions ended.", ended), "done")
    return redirect(url_for("console.accesses.index"))


def _filters() -> dict[str, str]:
    """What the form holds; what makes no sense counts as not given."""
    numbers = {name: word(name) or "" for name in ("person", "file")}
    days = {name: word(name) or "" for name in ("since", "until")}
    given = {
        "name": word("name") or "",
        **{name: value for name, value in numbers.items() if _is_number(value)},
        **{name: value for name, value in days.items() if _day(value)},
    }
    return {name: value for name, value in given.items() if value}


def _wanted(filters: dict[str, str]) -> Wanted:
    name = filters.get("name")
    until = _day(filters.get("until", ""))
    return Wanted(
        actor=None if name is None else name if ":" in name else f"api:{name}",
        entity_id=int(filters["person"]) if "person" in filters else None,
        import_id=int(filters["file"]) if "file" in filters else None,
        since=_midnight(_day(filters.get("since", ""))),
        before=_midnight(until + timedelta(days=1)) if until else None,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= _LARGEST_NUMBER


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year < 9000 else None


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), GERMANY)
