"""HTTP: patients. Thin: calls a use case in one transaction, and answers."""

from datetime import date

from pydantic import Field

from patient_service.erasure import Erasure
from patient_service.schemas import ConsentOut, PatientCreate, PatientOut, PatientUpdate
from patient_service.use_cases import create_patient, get_patient, list_consents, list_patients, update_patients
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.accesses import note_created, note_list
from shared.http.answers import Answer, MessageOut, Page
from shared.http.auth import actor
from shared.http.communication import CommunicationHistory, communication_of
from shared.http.endpoints import Endpoints
from shared.http.imports_api import ImportStatusOut, read_import_status
from shared.http.requests import PageQuery, Word
from shared.http.service import current_service
from shared.words.vocabulary import Patientenstatus

_NUMBER = "The patient's number."
ROUTES = Endpoints("patients", number=_NUMBER)
_ONE = "/<int:patient_id>"


class PatientQuery(PageQuery):
    """Filters and page."""

    status: Word = Field(None, description="The patient's status. An unknown one gives an empty page.")
    search: Word = Field(None, description="Every word has to occur in name, address, e-mail or phone number.")


class PatientPage(Page[PatientOut]):
    """A page of patients, newest first."""


class ConsentList(Answer):
    """Every consent of a patient, oldest first."""

    data: list[ConsentOut]


class CommunicationOut(CommunicationHistory):
    """Mails and calls with a patient, latest first."""

    patient_id: int
    patient_name: str
    last_contact: date | None


def erasing_routes(erasure: Erasure) -> Endpoints:
    """The endpoint that erases."""
    routes = Endpoints("patients", number=_NUMBER)

    @routes.add("DELETE", _ONE, Role.OPERATE, errors=(404,))
    def _delete(patient_id: int) -> MessageOut:
        """Deletes the patient and erases every copy of their data."""
        erasure.erase(patient_id, actor())
        return MessageOut(message="Patient deleted successfully")

    return routes


@ROUTES.add("GET", "", Role.READ)
def _list(query: PatientQuery) -> PatientPage:
    """Patients, newest first."""
    if query.status is not None and query.status not in set(Patientenstatus):
        return PatientPage.of_nothing()
    with transaction(current_service().engine) as connection:
        found, total = list_patients(
            connection, status=query.status, search=query.search, offset=query.offset, limit=query.limit
        )
    note_list()
    return PatientPage.of(found, query, total)


@ROUTES.add("POST", "", Role.WRITE, status=201)
def _create(body: PatientCreate) -> PatientOut:
    """Creates a patient."""
    with transaction(current_service().engine) as connection:
        patient_id = create_patient(connection, body.model_dump(), actor())
        note_created(patient_id)
        return PatientOut.model_validate(get_patient(connection, patient_id))


@ROUTES.add("GET", _ONE, Role.READ, errors=(404,))
def _get(patient_id: int) -> PatientOut:
    """One patient."""
    with transaction(current_service().engine) as connection:
        return PatientOut.model_validate(get_patient(connection, patient_id))


@ROUTES.add("PUT", _ONE, Role.WRITE, errors=(404,))
def _update(patient_id: int, body: PatientUpdate) -> PatientOut:
    """Changes the fields that are sent."""
    changes = body.model_dump(exclude_unset=True)
    with transaction(current_service().engine) as connection:
        return PatientOut.model_validate(update_patients(connection, {patient_id: changes}, actor())[patient_id])


@ROUTES.add("GET", f"{_ONE}/consents", Role.READ, errors=(404,))
def _consents(patient_id: int) -> ConsentList:
    """The evidence of the patient's consents, with the whole documents; they hold addresses and devices."""
    with transaction(current_service().engine) as connection:
        return ConsentList.model_validate({"data": list_consents(connection, patient_id)})


@ROUTES.add("GET", f"{_ONE}/communication", Role.READ, errors=(404, 502))
def _communication(patient_id: int) -> CommunicationOut:
    """Mails and calls with the patient, from the communication service."""
    service = current_service()
    with transaction(service.engine) as connection:
        patient = get_patient(connection, patient_id)
    history = communication_of(service.serving.communication_service_url, {"patient_id": patient_id})
    return CommunicationOut(
        patient_id=patient_id,
        patient_name=f"{patient.vorname} {patient.nachname}",
        last_contact=patient.letzter_kontakt,
        **dict(history),
    )


@ROUTES.add("GET", "/import-status", Role.LOOK, tag="imports")
def _import_status() -> ImportStatusOut:
    """How the import is doing, from the database."""
    return ImportStatusOut.model_validate(read_import_status())
