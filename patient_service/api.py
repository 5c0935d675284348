"""HTTP: patients. Thin: calls a use case in one transaction, and answers."""

from datetime import date, datetime

from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from patient_service.certificates import DoubtAnswers
from patient_service.erasure import Erasure
from patient_service.export import Exporter
from patient_service.restrictions import lift, restrict, restrictions_of
from patient_service.schemas import ConsentOut, ContactDay, PatientCreate, PatientOut, PatientUpdate
from patient_service.use_cases import (
    create_patient,
    get_patient,
    list_consents,
    list_patients,
    note_contact,
    update_patients,
)
from shared.core.clock import today
from shared.core.errors import Finding
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.fields.validation import Input, InvalidInput
from shared.http.accesses import note_created, note_export, note_list
from shared.http.answers import Answer, MessageOut, Page
from shared.http.auth import actor
from shared.http.bodies import Said
from shared.http.communication import CommunicationHistory, communication_of
from shared.http.endpoints import Endpoints
from shared.http.imports_api import ImportStatusOut, read_import_status
from shared.http.requests import PageQuery, Word
from shared.http.service import current_service
from shared.words.codes import Code
from shared.words.statuses import Restriction
from shared.words.vocabulary import Patientenstatus

_NUMBER = "The patient's number."
ROUTES = Endpoints("patients", number=_NUMBER)
_LONGEST_NUMBER = 15
_ONE = "/<int:patient_id>"
_TODAY = ContactDay()


class PatientQuery(PageQuery):
    """Filters and page."""

    status: Word = Field(None, description="The patient's status. An unknown one gives an empty page.")
    search: Word = Field(None, description="Every word has to occur in name, address, e-mail or phone number.")


class PatientPage(Page[PatientOut]):
    """A page of patients, newest first."""


class ConsentList(Answer):
    """Every consent of a patient, oldest first."""

    data: list[ConsentOut]


Rows = list[dict[str, object]]


class ExportOut(Answer):
    """Everything held about a patient: the data, consents with their wording, marks, files as they came, corrections,
    changes, decisions, what people did, what other services were told, and who looked. Nothing of anybody else."""

    exported_at: datetime
    patient: dict[str, object]
    consents: Rows
    restrictions: Rows
    files: Rows
    corrections: Rows
    changes: Rows
    decisions: Rows
    actions: Rows
    events: Rows
    accesses: Rows


class RestrictionIn(Input):
    """Which mark, and why it is set or taken back."""

    kind: Restriction
    reason: Said


class RestrictionOut(Answer):
    """A mark on a patient; `lifted_at` is null while it holds."""

    kind: Restriction
    reason: str
    set_by: str
    set_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None
    lifted_reason: str | None


class RestrictionList(Answer):
    """Every mark that was ever set on a patient, oldest first."""

    data: list[RestrictionOut]


class CommunicationOut(CommunicationHistory):
    """Mails and calls with a patient, latest first."""

    patient_id: int
    patient_name: str
    last_contact: date | None


class ErasureQuery(BaseModel):
    """Answers to what may be the person's, as numbers with commas between them."""

    also: Word = Field(None, description="Doubtful files that are the person's, and go as well.")
    keep: Word = Field(None, description="Doubtful files that are somebody else's.")
    others: Word = Field(None, description="Patients of an open review who are somebody else.")


class ErasedOut(MessageOut):
    """What was erased, what is in doubt, and what is out of reach. `completed_at` is null while a doubt is open."""

    certificate: dict[str, object]


def _numbers(text: str | None, name: str) -> tuple[int, ...]:
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) <= _LONGEST_NUMBER for part in parts):
        raise InvalidInput(f"{name} takes numbers with commas between them", [Finding(f"/{name}", Code.INVALID_TYPE)])
    return tuple(map(int, parts))


def erasing_routes(erasure: Erasure) -> Endpoints:
    """The endpoint that erases."""
    routes = Endpoints("patients", number=_NUMBER)

    @routes.add("DELETE", _ONE, Role.OPERATE, errors=(400, 404))
    def _delete(patient_id: int, query: ErasureQuery) -> ErasedOut:
        """Deletes the patient and erases every copy of their data; decides on what is in doubt, also afterwards."""
        answers = DoubtAnswers(
            also=_numbers(query.also, "also"),
            keep=_numbers(query.keep, "keep"),
            others=_numbers(query.others, "others"),
        )
        certificate = erasure.erase(patient_id, actor(), answers)
        return ErasedOut(message="Patient deleted successfully", certificate=dict(certificate))

    return routes


def exporting_routes(exporter: Exporter) -> Endpoints:
    """The endpoint that gives a person everything held."""
    routes = Endpoints("patients", number=_NUMBER)

    @routes.add("GET", f"{_ONE}/export", Role.READ, errors=(404,))
    def _export(patient_id: int) -> ExportOut:
        """Everything held about the patient, for them (Art. 15 and 20 GDPR)."""
        note_export()
        with transaction(current_service().engine) as connection:
            return ExportOut.model_validate(exporter.collect(connection, patient_id))

    return routes


@ROUTES.add("GET", "", Role.READ, errors=(400,))
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


@ROUTES.add("PUT", _ONE, Role.WRITE, errors=(404, 409))
def _update(patient_id: int, body: PatientUpdate) -> PatientOut:
    """Changes the fields that are sent."""
    changes = body.model_dump(exclude_unset=True)
    with transaction(current_service().engine) as connection:
        return PatientOut.model_validate(update_patients(connection, {patient_id: changes}, actor())[patient_id])


@ROUTES.add("PATCH", f"{_ONE}/last-contact", Role.WRITE, errors=(404, 409))
def _note_contact(patient_id: int, body: ContactDay = _TODAY) -> PatientOut:
    """Moves the day of the last contact forward to this one, or to today; an earlier day changes nothing."""
    with transaction(current_service().engine) as connection:
        return PatientOut.model_validate(note_contact(connection, patient_id, body.date or today(), actor()))


@ROUTES.add("GET", f"{_ONE}/consents", Role.READ, errors=(404,))
def _consents(patient_id: int) -> ConsentList:
    """The evidence of the patient's consents, with the whole documents; they hold addresses and devices."""
    with transaction(current_service().engine) as connection:
        return ConsentList.model_validate({"data": list_consents(connection, patient_id)})


@ROUTES.add("GET", f"{_ONE}/restrictions", Role.READ, errors=(404,))
def _restrictions(patient_id: int) -> RestrictionList:
    """The marks on the patient: processing restricted, consent withdrawn."""
    with transaction(current_service().engine) as connection:
        get_patient(connection, patient_id)
        return _marks(connection, patient_id)


@ROUTES.add("POST", f"{_ONE}/restrictions", Role.WRITE, status=201, errors=(404, 409))
def _restrict(patient_id: int, body: RestrictionIn) -> RestrictionList:
    """Sets a mark: from then on the patient is kept, and nothing else."""
    with transaction(current_service().engine) as connection:
        restrict(connection, patient_id, body.kind, body.reason, actor())
        return _marks(connection, patient_id)


@ROUTES.add("POST", f"{_ONE}/restrictions/lift", Role.WRITE, errors=(404, 409))
def _lift(patient_id: int, body: RestrictionIn) -> RestrictionList:
    """Takes a mark back; that it was there stays on record."""
    with transaction(current_service().engine) as connection:
        lift(connection, patient_id, body.kind, body.reason, actor())
        return _marks(connection, patient_id)


def _marks(connection: Connection, patient_id: int) -> RestrictionList:
    return RestrictionList.model_validate({"data": restrictions_of(connection, patient_id)})


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
