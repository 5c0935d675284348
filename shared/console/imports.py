"""The files that the import knows: the list, and mending what failed. One file's page is `file_page`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console import words
from shared.console.access import may
from shared.console.by_hand import add_entering
from shared.console.care import Show, add_care
from shared.console.corrections import Correcting, add_correcting
from shared.console.file_page import file_page
from shared.console.language import gist, ngettext
from shared.console.resume import is_shown_again, keeps_typed
from shared.console.sections import Section
from shared.console.spreadsheet import spreadsheet
from shared.console.waiting import kept_of, waiting_in
from shared.console.words import number
from shared.core.clock import GERMANY, today
from shared.core.errors import NotAllowedError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput, validate
from shared.http.accesses import note_files, note_list
from shared.http.auth import actor, needs
from shared.http.bodies import LONGEST_REMARK
from shared.http.imports_api import DiscardIn
from shared.http.requests import paging, word
from shared.http.service import current_service
from shared.imports import care, ledger, mend, story
from shared.imports.queries import list_imports
from shared.state.reading import read_snapshot
from shared.words.codes import Code
from shared.words.statuses import Access, FileStatus

_ONE = "/<int:import_id>"
_OLDEST = "oldest"
_MOST_EXPORTED = 100_000


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to; days are German calendar days, both included."""

    status: str | None
    code: str | None
    since: date | None
    until: date | None
    oldest_first: bool

    def as_query(self) -> dict[str, str]:
        """The filters as an address carries them."""
        given = {"status": self.status, "code": self.code, "since": self.since, "until": self.until,
                 "order": _OLDEST if self.oldest_first else None}  # fmt: skip
        return {name: str(value) for name, value in given.items() if value is not None}


def imports_section(correcting: Correcting | None) -> Section:
    """The section at `/console/imports`; `correcting`, where the service's files can be corrected."""
    routes = Blueprint("imports", __name__)
    routes.get("", endpoint="index")(needs(Role.LOOK)(_list))
    show = _showing(correcting)
    routes.get("/list.csv", endpoint="list_export")(needs(Role.LOOK)(_export))
    routes.get(_ONE, endpoint="show")(needs(Role.LOOK)(show))
    routes.post("/run", endpoint="run")(_run)
    routes.post("/retry-failed", endpoint="retry_failed")(_retry_failed)
    routes.post(f"{_ONE}/retry", endpoint="retry")(_retry)
    routes.get(f"{_ONE}/discard", endpoint="ask_discard")(_ask_discard)
    routes.post(f"{_ONE}/discard", endpoint="discard")(_discard)
    add_care(routes, show)
    if correcting:
        add_correcting(routes, correcting)
        add_entering(routes, correcting)
    return Section(routes, lazy_gettext("Imports"))


def _list() -> str:
    service, page, filters = current_service(), paging(), _filters()
    with transaction(service.engine) as connection:
        rows, total = list_imports(
            connection, service.kernel, offset=page.offset, limit=page.limit, **_conditions(filters)
        )
        carers = care.carers(connection, service.kernel, [row["id"] for row in rows])
        codes = story.codes_in_use(connection, service.kernel)
        failed, doubted = _failed(connection, filters) if may(Role.OPERATE) else (0, 0)
    note_list()
    return render_template(
        "console/imports.html",
        rows=[dict(row) | {"total": row[service.kernel.total_column.name]} for row in rows],
        total=total,
        page=page.page,
        pages=page.pages(total),
        filters=filters,
        codes=codes,
        carers=carers,
        failed=failed,
        doubted=doubted,
    )


def _export() -> Response:
    """Every file on the list, on all its pages; names only for people who may see them."""
    service, filters = current_service(), _filters()
    names = may(Role.READ)
    with transaction(service.engine) as connection:
        rows, _total = list_imports(connection, service.kernel, limit=_MOST_EXPORTED, **_conditions(filters))
    note_list(action=Access.EXPORT)
    heading = [gettext("Number"), gettext("State"), gettext("Reason"), gettext("Came in")]
    heading += [gettext("Records"), *(state.word for state in words.OUTCOMES.values())]
    heading += [gettext("File")] if names else []
    return spreadsheet(f"curavani-{service.kernel.service_name}-files-{today()}", heading,
                       (_line(row, names=names) for row in rows))  # fmt: skip


def _line(row: RowMapping, *, names: bool) -> list[object]:
    code, kernel = row["error_code"], current_service().kernel
    return [
        number(row["id"]),
        words.file_state(row["status"]).word,
        gist(code) if code else None,
        row["first_seen_at"],
        row[kernel.total_column.name],
        *(row[f"{outcome}_count"] for outcome in words.OUTCOMES),
        *([row["file_name"]] if names else []),
    ]


def _conditions(filters: Filters) -> dict[str, Any]:
    return {
        "status": filters.status,
        "code": filters.code,
        "since": _midnight(filters.since),
        "before": _midnight(filters.until, later=1),
        "oldest_first": filters.oldest_first,
    }


def _failed(connection: Connection, filters: Filters) -> tuple[int, int]:
    """How many files a retry of all would take, and how many of them it would apply although their count is doubted."""
    kernel = current_service().kernel
    doubted = len(mend.failed_ids(connection, kernel, Code.IMPLAUSIBLE_COUNT))
    if filters.code is None:
        return len(mend.failed_ids(connection, kernel)), doubted
    return len(mend.failed_ids(connection, kernel, filters.code)), doubted * (filters.code == Code.IMPLAUSIBLE_COUNT)


def _filters() -> Filters:
    """The filters of the query; what makes no sense counts as not given."""
    status = word("status")
    status = status if status in words.FILE_STATES else None
    return Filters(status, word("code"), _day("since"), _day("until"), word("order") == _OLDEST)


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _midnight(day: date | None, later: int = 0) -> datetime | None:
    if day is None or day.year > 9000:
        return None
    return datetime.combine(day + timedelta(days=later), time(), GERMANY)


def _showing(correcting: Correcting | None) -> Show:
    def show(import_id: int, note: str = "", problem: str | None = None) -> str:
        service = current_service()
        with transaction(service.engine) as connection:
            row = ledger.find(connection, service.kernel, import_id)
            values = file_page(connection, service.kernel, row, paging())
            shown = correcting if may(Role.READ) else None
            waiting = waiting_in(connection, shown, row) if shown else None
        return render_template(
            "console/file.html",
            **values,
            waiting=waiting,
            kept=kept_of(shown, row) if shown else None,
            can_be_corrected=_is_correctable(correcting, row),
            can_be_entered=_is_enterable(correcting, row),
            note=note,
            note_problem=problem,
            longest=LONGEST_REMARK,
        )

    return show


def _is_correctable(correcting: Correcting | None, row: RowMapping) -> bool:
    return correcting is not None and row["status"] == FileStatus.FAILED and correcting.is_possible(row)


def _is_enterable(correcting: Correcting | None, row: RowMapping) -> bool:
    return correcting is not None and row["status"] == FileStatus.FAILED and correcting.is_enterable(row)


@needs(Role.OPERATE)
def _run() -> ResponseReturnValue:
    """Asks for a pass now, and says what will come of it."""
    service = current_service()
    with transaction(service.engine) as connection:
        mend.run_now(connection, service.kernel, actor())
        _tell(connection, gettext("A pass begins as soon as the importer is free."))
    return redirect(_back())


@needs(Role.OPERATE)
def _retry(import_id: int) -> ResponseReturnValue:
    service = current_service()
    with transaction(service.engine) as connection:
        mend.retry(connection, service.kernel, [import_id], actor())
        _tell(connection, gettext("File %(number)s is imported again right away.", number=number(import_id)))
    return redirect(url_for("console.imports.show", import_id=import_id))


@needs(Role.OPERATE)
def _retry_failed() -> ResponseReturnValue:
    service = current_service()
    code = request.form.get("code") or None
    with transaction(service.engine) as connection:
        ids = mend.failed_ids(connection, service.kernel, code)
        mend.retry(connection, service.kernel, ids, actor())
        note_files(ids)
        done = ngettext(
            "%(num)s file is imported again right away.", "%(num)s files are imported again right away.", len(ids)
        )
        _tell(connection, done)
    return redirect(url_for("console.imports.index"))


@needs(Role.OPERATE)
def _ask_discard(import_id: int) -> str:
    return _discard_page(import_id, {"reason": "", "delete_source": False})


@needs(Role.OPERATE)
@keeps_typed
def _discard(import_id: int) -> ResponseReturnValue:
    service, given = current_service(), request.form
    wish = {"reason": given.get("reason", ""), "delete_source": given.get("delete_source") == "yes"}
    if is_shown_again():
        return _discard_page(import_id, wish)
    try:
        discard = validate(DiscardIn, wish)
    except InvalidInput:
        return _discard_page(import_id, wish, gettext("Please say why, in at most 1000 characters.")), 400
    with transaction(service.engine) as connection:
        mend.discard(
            connection, service.kernel, import_id, actor(), discard.reason, delete_source=discard.delete_source
        )
        if discard.delete_source:
            mend.wake(connection, service.kernel)
    flash(_discarded(import_id, delete_source=discard.delete_source), "done")
    return redirect(url_for("console.imports.show", import_id=import_id))


def _discard_page(import_id: int, given: Mapping[str, object], problem: str | None = None) -> str:
    service = current_service()
    with transaction(service.engine) as connection:
        row: RowMapping = ledger.find(connection, service.kernel, import_id)
    if row["status"] not in ledger.RETRYABLE:
        raise NotAllowedError(f"File {number(import_id)} is {row['status']} and cannot be discarded")
    return render_template("console/discard.html", file=row, given=given, problem=problem)


def _discarded(import_id: int, *, delete_source: bool) -> str:
    if delete_source:
        return str(
            gettext(
                "File %(number)s is discarded; the next pass deletes it in the bucket. Its local copy stays.",
                number=number(import_id),
            )
        )
    return str(gettext("File %(number)s is discarded. Nothing was deleted.", number=number(import_id)))


def _tell(connection: Connection, done: str) -> None:
    """Confirms what was asked for, and says so where nobody is there to do it."""
    service = current_service()
    if read_snapshot(connection, service.kernel).is_led_by_a_service:
        flash(done, "done")
    elif service.import_enabled:
        flash(gettext("Noted. No process runs the import at the moment; it is done once one does."), "warn")
    else:
        flash(gettext("Noted. The import is switched off by its setting; it is done once it is switched on."), "warn")


def _back() -> str:
    """Where "run now" was pressed: the overview or the list."""
    return url_for("console.imports.index" if request.form.get("from") == "imports" else "console.index")
