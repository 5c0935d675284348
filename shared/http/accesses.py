"""The record of accesses: what the request in hand showed or changed of whom, written before its answer goes out.

A number in the address is enough: every view that has one is on record without doing anything for it. What else a view
shows, such as the people of a list, it notes itself.
"""

from collections.abc import Iterable

from flask import Flask, Response, g, request

from shared.core.errors import CuravaniError
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.history.accesses import Seen, record_accesses
from shared.http.auth import actor
from shared.http.service import current_service
from shared.words.statuses import Access

_PEOPLE = ("patient_id", "therapist_id", "entity_id")
_OF_METHOD = {"GET": Access.VIEW, "HEAD": Access.VIEW, "DELETE": Access.DELETE}


def record_requests(app: Flask) -> None:
    """Puts every request of a known caller on record that was not refused. Where that fails, there is no answer."""

    @app.after_request
    def record(response: Response) -> Response:
        seen = _seen(response.status_code) if "caller" in g else []
        if not seen:
            return response
        service, route = current_service(), request.url_rule.rule if request.url_rule else ""
        try:
            with transaction(service.engine) as connection:
                record_accesses(connection, service.kernel, actor(), route, seen)
        except CuravaniError as error:
            g.pop("seen", None)
            return app.make_response(app.handle_user_exception(error))
        return response


def note_people(ids: Iterable[int | None], *, import_id: int | None = None) -> None:
    """Notes that the answer shows, or the request changed, these people: those of a review, say."""
    for entity_id in dict.fromkeys(ids):
        if entity_id is not None:
            _note(Seen(_action(), entity_id, import_id))


def note_files(ids: Iterable[int]) -> None:
    """Notes that the request changed these files."""
    for import_id in ids:
        _note(Seen(_action(), import_id=import_id))


def note_list(*, import_id: int | None = None, action: Access = Access.LIST) -> None:
    """Notes that the answer is a list that names people to callers who may see them."""
    if g.caller.role >= Role.READ:
        _note(Seen(action, import_id=import_id))


def note_created(entity_id: int) -> None:
    """Notes that the request made this person."""
    _note(Seen(Access.CREATE, entity_id))


def note_export() -> None:
    """Notes that all that is held of the person in the address goes out."""
    g.access = Access.EXPORT


def _note(seen: Seen) -> None:
    g.setdefault("seen", []).append(seen)


def _seen(status: int) -> list[Seen]:
    """What is to be put on record: nothing where the request was refused, or a look only led to another page."""
    if status >= 400 or (status >= 300 and _action() is Access.VIEW):
        return []
    numbers = request.view_args or {}
    noted: list[Seen] = g.get("seen", [])
    people = [Seen(_action(), numbers[name]) for name in _PEOPLE if name in numbers]
    files = [Seen(_action(), import_id=numbers["import_id"])] if "import_id" in numbers else []
    return [*people, *files, *noted]


def _action() -> Access:
    chosen: Access | None = g.get("access")
    return chosen or _OF_METHOD.get(request.method, Access.CHANGE)
