"""HTTP: the import's files, as both services offer them."""

from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput
from shared.http.auth import actor, caller, requires
from shared.http.json_values import plain
from shared.http.openapi import ApiDocument
from shared.http.pages import nothing_matches, page_of
from shared.http.requests import json_body, paging, word
from shared.http.service import current_service
from shared.imports import ledger, mend
from shared.imports.queries import list_imports, show_import, visible
from shared.state.import_status import import_status
from shared.state.reading import read_snapshot
from shared.words.codes import Code
from shared.words.statuses import FileStatus


class ImportQuery(BaseModel):
    """Filter and page. An unknown status gives an empty page."""

    status: str | None = None
    page: int = 1
    limit: int = Field(20, description="1 to 100; values outside are brought into the range.")


class ImportOut(BaseModel):
    """A file in the ledger. `file_name` is shown to the role `write` only: it holds a person's name."""

    id: int
    status: str
    error_code: str | None
    attempts: int
    first_seen_at: str
    processed_at: str | None


class ImportPage(BaseModel):
    """A page of files, newest first."""

    data: list[ImportOut]
    page: int
    limit: int
    total: int


class ImportStatusOut(BaseModel):
    """How the import is doing."""

    running: bool
    last_check: str | None
    next_check: str | None
    files_processed_today: int
    files_failed_today: int
    total_processed: int
    total_failed: int
    last_error: str | None
    last_error_time: str | None
    recent_imports: list[dict[str, Any]]


class DiscardIn(BaseModel):
    """Why the file is not to be imported."""

    reason: str
    delete_source: bool = False


class AcceptedOut(BaseModel):
    """What was asked for, as a sentence."""

    message: str


_ONE = "/<int:import_id>"


def import_routes(document: ApiDocument) -> Blueprint:
    """The endpoints below `/api/imports`."""
    routes = Blueprint("imports", __name__, url_prefix="/api/imports")
    describes = document.describes
    routes.get("")(describes(ImportPage, query=ImportQuery, tag="imports")(_list))
    routes.get(_ONE)(describes(ImportOut, errors=(404,), tag="imports")(_show))
    routes.post("/run")(describes(AcceptedOut, status=202, tag="imports")(_run))
    routes.post(f"{_ONE}/retry")(describes(ImportOut, errors=(404, 409), tag="imports")(_retry))
    discarding = describes(ImportOut, body=DiscardIn, errors=(404, 409, 415), tag="imports")
    routes.post(f"{_ONE}/discard")(discarding(_discard))
    return routes


@requires(Role.READ)
def status_view() -> Response:
    """How the import is doing, from the database."""
    service = current_service()
    with transaction(service.engine) as connection:
        snapshot = read_snapshot(connection, service.kernel)
    return jsonify(import_status(snapshot, service.interval_seconds, service.kernel.service_name))


@requires(Role.READ)
def _list() -> Response:
    """Files that the import knows, newest first."""
    service, status, page = current_service(), word("status"), paging()
    if status is not None and status not in set(FileStatus):
        return nothing_matches()
    with transaction(service.engine) as connection:
        rows, total = list_imports(connection, service.kernel, status=status, offset=page.offset, limit=page.limit)
    return page_of([_out(visible(row)) for row in rows], page, total)


@requires(Role.READ)
def _show(import_id: int) -> Response:
    """One file: findings, outcomes, changed fields, what happens next."""
    service = current_service()
    with transaction(service.engine) as connection:
        return jsonify(_out(show_import(connection, service.kernel, import_id)))


@requires(Role.OPERATE)
def _run() -> tuple[Response, int]:
    """Asks for a pass now."""
    service = current_service()
    with transaction(service.engine) as connection:
        mend.run_now(connection, service.kernel, actor())
    return jsonify(message="A pass begins as soon as the importer is free"), 202


@requires(Role.OPERATE)
def _retry(import_id: int) -> Response:
    """Makes a failed file due at once."""
    service = current_service()
    with transaction(service.engine) as connection:
        mend.retry(connection, service.kernel, [import_id], actor())
        return _answer(connection, import_id)


@requires(Role.OPERATE)
def _discard(import_id: int) -> Response:
    """The file is never imported; its copy stays, its source too unless `delete_source`."""
    service = current_service()
    wish = read_discard(json_body())
    with transaction(service.engine) as connection:
        mend.discard(connection, service.kernel, import_id, actor(), wish.reason, delete_source=wish.delete_source)
        return _answer(connection, import_id)


def read_discard(body: dict[str, Any]) -> DiscardIn:
    """The wish. Raises `InvalidInput` where the reason is missing: somebody will want to know it."""
    reason, delete_source = body.get("reason"), body.get("delete_source", False)
    if not isinstance(reason, str) or not reason.strip() or "\x00" in reason or len(reason) > 1000:
        raise InvalidInput("Missing required field: reason", [Finding("/reason", Code.MISSING)])
    if not isinstance(delete_source, bool):
        raise InvalidInput(
            "Field delete_source must be true or false", [Finding("/delete_source", Code.INVALID_BOOLEAN)]
        )
    return DiscardIn(reason=reason.strip(), delete_source=delete_source)


def _answer(connection: Connection, import_id: int) -> Response:
    return jsonify(_out(visible(ledger.find(connection, current_service().kernel, import_id))))


def _out(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry as JSON values, without what the caller's role does not cover."""
    shown = {name: plain(value) for name, value in entry.items()}
    if caller().role < Role.WRITE:
        shown = _without(shown, "file_name", "discard_reason")
        # A pointer may hold a foreign key's name, which somebody may have put a value into; a reason is free text.
        for name in ("findings", "actions"):
            if name in shown:
                shown[name] = [_without(part, "pointer", "reason") for part in shown[name]]
    return shown


def _without(entry: dict[str, Any], *hidden: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in hidden}
