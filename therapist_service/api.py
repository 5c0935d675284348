"""HTTP: therapists. Thin: reads the request, calls a use case in one transaction, answers."""

from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, Field

from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import validate
from shared.http.auth import actor, requires
from shared.http.communication import communication_of
from shared.http.imports_api import ImportStatusOut, status_view
from shared.http.openapi import ApiDocument
from shared.http.pages import nothing_matches, page_of
from shared.http.requests import flag, json_body, paging, word
from shared.http.service import current_service
from shared.words.vocabulary import Therapeutstatus
from therapist_service.schemas import (
    TherapistCreate,
    TherapistOut,
    TherapistPage,
    TherapistUpdate,
    therapist_payload,
)
from therapist_service.use_cases import (
    create_therapists,
    delete_therapist,
    get_therapist,
    list_therapists,
    update_therapist,
)


class TherapistQuery(BaseModel):
    """Filters and page. An unknown status gives an empty page."""

    status: str | None = None
    potenziell_verfuegbar: bool | None = None
    search: str | None = Field(None, description="Every word has to occur in name, address, e-mail or phone number.")
    plz_prefix: str | None = None
    page: int = 1
    limit: int = Field(20, description="1 to 100; values outside are brought into the range.")


class MessageOut(BaseModel):
    """What was done, as a sentence."""

    message: str


class CommunicationOut(BaseModel):
    """Mails and calls with a therapist, latest first."""

    therapist_id: int
    therapist_name: str
    last_contact: str | None
    total_emails: int
    total_calls: int
    communications: list[dict[str, Any]]


class TherapistImportStatusOut(ImportStatusOut):
    """How the import is doing."""

    therapists_processed_today: int
    total_files_processed: int


def therapist_routes(document: ApiDocument) -> Blueprint:
    """The endpoints below `/api/therapists`."""
    routes = Blueprint("therapists", __name__, url_prefix="/api/therapists")
    describes = document.describes
    routes.get("")(describes(TherapistPage, query=TherapistQuery, tag="therapists")(_list))
    routes.post("")(describes(TherapistOut, status=201, body=TherapistCreate, errors=(415,), tag="therapists")(_create))
    one = "/<int:therapist_id>"
    routes.get(one)(describes(TherapistOut, errors=(404,), tag="therapists")(_get))
    routes.put(one)(describes(TherapistOut, body=TherapistUpdate, errors=(404, 415), tag="therapists")(_update))
    routes.delete(one)(describes(MessageOut, errors=(404,), tag="therapists")(_delete))
    history = describes(CommunicationOut, errors=(404, 502), tag="therapists")
    routes.get(f"{one}/communication")(history(_communication))
    routes.get("/import-status")(describes(TherapistImportStatusOut, tag="imports")(status_view))
    return routes


@requires(Role.READ)
def _list() -> Response:
    """Therapists, newest first."""
    status, page = word("status"), paging()
    if status is not None and status not in set(Therapeutstatus):
        return nothing_matches()
    with transaction(current_service().engine) as connection:
        rows, total = list_therapists(
            connection,
            status=status,
            potenziell_verfuegbar=flag("potenziell_verfuegbar"),
            search=word("search"),
            plz_prefix=word("plz_prefix"),
            offset=page.offset,
            limit=page.limit,
        )
    return page_of([therapist_payload(row) for row in rows], page, total)


@requires(Role.WRITE)
def _create() -> tuple[Response, int]:
    """Creates a therapist."""
    therapist = validate(TherapistCreate, json_body())
    with transaction(current_service().engine) as connection:
        (therapist_id,) = create_therapists(connection, [therapist.model_dump()], actor())
        row = get_therapist(connection, therapist_id)
    return jsonify(therapist_payload(row)), 201


@requires(Role.READ)
def _get(therapist_id: int) -> Response:
    """One therapist."""
    with transaction(current_service().engine) as connection:
        return jsonify(therapist_payload(get_therapist(connection, therapist_id)))


@requires(Role.WRITE)
def _update(therapist_id: int) -> Response:
    """Changes the fields that are sent."""
    therapist = validate(TherapistUpdate, json_body())
    changes = therapist.model_dump(include=therapist.model_fields_set)
    with transaction(current_service().engine) as connection:
        row = update_therapist(connection, therapist_id, changes, actor())
    return jsonify(therapist_payload(row))


@requires(Role.WRITE)
def _delete(therapist_id: int) -> Response:
    """Deletes the therapist."""
    with transaction(current_service().engine) as connection:
        delete_therapist(connection, therapist_id, actor())
    return jsonify(message="Therapist deleted successfully")


@requires(Role.READ)
def _communication(therapist_id: int) -> Response:
    """Mails and calls with the therapist, from the communication service."""
    service = current_service()
    with transaction(service.engine) as connection:
        therapist = get_therapist(connection, therapist_id)
    history = communication_of(service.serving.communication_service_url, {"therapist_id": therapist_id})
    contacts = (
        therapist.letzter_kontakt_email,
        therapist.letzter_kontakt_telefon,
        therapist.letztes_persoenliches_gespraech,
    )
    last_contact = max(filter(None, contacts), default=None)
    return jsonify(
        therapist_id=therapist_id,
        therapist_name=f"{therapist.vorname or ''} {therapist.nachname}".strip(),
        last_contact=last_contact.isoformat() if last_contact else None,
        **history,
    )
