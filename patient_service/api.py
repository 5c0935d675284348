"""HTTP: patients. Thin: reads the request, calls a use case in one transaction, answers."""

from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, Field

from patient_service.erasure import Erasure
from patient_service.schemas import (
    ConsentList,
    ConsentOut,
    PatientCreate,
    PatientOut,
    PatientPage,
    PatientUpdate,
    patient_payload,
)
from patient_service.use_cases import create_patient, get_patient, list_consents, list_patients, update_patients
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import validate
from shared.http.auth import actor, requires
from shared.http.communication import communication_of
from shared.http.imports_api import ImportStatusOut, status_view
from shared.http.json_values import plain
from shared.http.openapi import ApiDocument
from shared.http.pages import nothing_matches, page_of
from shared.http.requests import json_body, paging, word
from shared.http.service import current_service
from shared.words.vocabulary import Patientenstatus


class PatientQuery(BaseModel):
    """Filters and page. An unknown status gives an empty page."""

    status: str | None = None
    search: str | None = Field(None, description="Every word has to occur in name, address, e-mail or phone number.")
    page: int = 1
    limit: int = Field(20, description="1 to 100; values outside are brought into the range.")


class MessageOut(BaseModel):
    """What was done, as a sentence."""

    message: str


class CommunicationOut(BaseModel):
    """Mails and calls with a patient, latest first."""

    patient_id: int
    patient_name: str
    last_contact: str | None
    total_emails: int
    total_calls: int
    communications: list[dict[str, Any]]


def patient_routes(document: ApiDocument, erasure: Erasure) -> Blueprint:
    """The endpoints below `/api/patients`."""

    @requires(Role.WRITE)
    def _delete(patient_id: int) -> Response:
        """Deletes the patient and erases every copy of their data."""
        erasure.erase(patient_id, actor())
        return jsonify(message="Patient deleted successfully")

    routes = Blueprint("patients", __name__, url_prefix="/api/patients")
    routes.get("")(document.describes(PatientPage, query=PatientQuery, tag="patients")(_list))
    routes.post("")(document.describes(PatientOut, status=201, body=PatientCreate, tag="patients")(_create))
    one = "/<int:patient_id>"
    routes.get(one)(document.describes(PatientOut, errors=(404,), tag="patients")(_get))
    routes.put(one)(document.describes(PatientOut, body=PatientUpdate, errors=(404,), tag="patients")(_update))
    routes.delete(one)(document.describes(MessageOut, errors=(404,), tag="patients")(_delete))
    routes.get(f"{one}/consents")(document.describes(ConsentList, errors=(404,), tag="patients")(_consents))
    history = document.describes(CommunicationOut, errors=(404, 502), tag="patients")
    routes.get(f"{one}/communication")(history(_communication))
    routes.get("/import-status")(document.describes(ImportStatusOut, tag="imports")(status_view))
    return routes


@requires(Role.READ)
def _list() -> Response:
    """Patients, newest first."""
    status, page = word("status"), paging()
    if status is not None and status not in set(Patientenstatus):
        return nothing_matches()
    with transaction(current_service().engine) as connection:
        rows, total = list_patients(
            connection, status=status, search=word("search"), offset=page.offset, limit=page.limit
        )
    return page_of([patient_payload(row) for row in rows], page, total)


@requires(Role.WRITE)
def _create() -> tuple[Response, int]:
    """Creates a patient."""
    patient = validate(PatientCreate, json_body())
    with transaction(current_service().engine) as connection:
        patient_id = create_patient(connection, patient.model_dump(), actor())
        row = get_patient(connection, patient_id)
    return jsonify(patient_payload(row)), 201


@requires(Role.READ)
def _get(patient_id: int) -> Response:
    """One patient."""
    with transaction(current_service().engine) as connection:
        return jsonify(patient_payload(get_patient(connection, patient_id)))


@requires(Role.WRITE)
def _update(patient_id: int) -> Response:
    """Changes the fields that are sent."""
    patient = validate(PatientUpdate, json_body())
    changes: dict[str, Any] = patient.model_dump(include=patient.model_fields_set)
    with transaction(current_service().engine) as connection:
        row = update_patients(connection, {patient_id: changes}, actor())[patient_id]
    return jsonify(patient_payload(row))


@requires(Role.WRITE)
def _consents(patient_id: int) -> Response:
    """The evidence of the patient's consents, with the whole documents; they hold addresses and devices."""
    with transaction(current_service().engine) as connection:
        found = list_consents(connection, patient_id)
    return jsonify(data=[{name: plain(row[name]) for name in ConsentOut.model_fields} for row in found])


@requires(Role.READ)
def _communication(patient_id: int) -> Response:
    """Mails and calls with the patient, from the communication service."""
    service = current_service()
    with transaction(service.engine) as connection:
        patient = get_patient(connection, patient_id)
    history = communication_of(service.serving.communication_service_url, {"patient_id": patient_id})
    last_contact = patient.letzter_kontakt
    return jsonify(
        patient_id=patient_id,
        patient_name=f"{patient.vorname} {patient.nachname}",
        last_contact=last_contact.isoformat() if last_contact else None,
        **history,
    )
