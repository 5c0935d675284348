"""HTTP: therapists. Thin: calls a use case in one transaction, and answers."""

from datetime import date, datetime

from pydantic import Field

from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.accesses import note_created, note_list
from shared.http.answers import Answer, MessageOut, Page
from shared.http.auth import actor
from shared.http.communication import CommunicationHistory, communication_of
from shared.http.endpoints import Endpoints
from shared.http.imports_api import ImportStatusOut, read_import_status
from shared.http.requests import PageQuery, Word, YesOrNo
from shared.http.service import current_service
from shared.words.vocabulary import Therapeutstatus
from therapist_service.erasure import erase
from therapist_service.schemas import TherapistCreate, TherapistOut, TherapistUpdate
from therapist_service.use_cases import (
    create_therapists,
    get_therapist,
    list_therapists,
    update_therapist,
)

ROUTES = Endpoints("therapists", number="The therapist's number.")
_ONE = "/<int:therapist_id>"


class TherapistQuery(PageQuery):
    """Filters and page."""

    status: Word = Field(None, description="The therapist's status. An unknown one gives an empty page.")
    potenziell_verfuegbar: YesOrNo = Field(None, description="Whether a place may be free; other words do not count.")
    search: Word = Field(None, description="Every word has to occur in name, address, e-mail or phone number.")
    plz_prefix: Word = Field(None, description="How the postal code begins.")


class TherapistPage(Page[TherapistOut]):
    """A page of therapists, newest first."""


class CommunicationOut(CommunicationHistory):
    """Mails and calls with a therapist, latest first."""

    therapist_id: int
    therapist_name: str
    last_contact: date | None


class TherapistImportStatusOut(ImportStatusOut):
    """How the import is doing. Today is the calendar day in Germany."""

    therapists_processed_today: int
    total_files_processed: int


class DigestsOut(Answer):
    """What the person is known again by: keyed digests."""

    known_by: list[str]
    resembles: list[str]
    with_secret: bool = Field(description="Whether they carry `DIGEST_KEY`.")


class CertificateOut(Answer):
    """What an erasure removed and what it left."""

    suppression_id: int = Field(description="What `curavani therapists allow` takes.")
    therapist_id: int
    erased_at: datetime
    erased_by: str
    reason: str | None
    removed: dict[str, int]
    doubtful: list[int] = Field(description="Other practices under the same name, which may be the same person's.")
    out_of_reach: list[str]
    digests: DigestsOut = Field(description="For a restored database, which has forgotten the erasure.")


class TherapistErasedOut(MessageOut):
    """The therapist is erased."""

    certificate: CertificateOut


@ROUTES.add("GET", "", Role.READ, errors=(400,))
def _list(query: TherapistQuery) -> TherapistPage:
    """Therapists, newest first."""
    if query.status is not None and query.status not in set(Therapeutstatus):
        return TherapistPage.of_nothing()
    with transaction(current_service().engine) as connection:
        found, total = list_therapists(
            connection,
            status=query.status,
            potenziell_verfuegbar=query.potenziell_verfuegbar,
            search=query.search,
            plz_prefix=query.plz_prefix,
            offset=query.offset,
            limit=query.limit,
        )
    note_list()
    return TherapistPage.of(found, query, total)


@ROUTES.add("POST", "", Role.WRITE, status=201)
def _create(body: TherapistCreate) -> TherapistOut:
    """Creates a therapist."""
    with transaction(current_service().engine) as connection:
        (therapist_id,) = create_therapists(connection, [body.model_dump()], actor())
        note_created(therapist_id)
        return TherapistOut.model_validate(get_therapist(connection, therapist_id))


@ROUTES.add("GET", _ONE, Role.READ, errors=(404,))
def _get(therapist_id: int) -> TherapistOut:
    """One therapist."""
    with transaction(current_service().engine) as connection:
        return TherapistOut.model_validate(get_therapist(connection, therapist_id))


@ROUTES.add("PUT", _ONE, Role.WRITE, errors=(404,))
def _update(therapist_id: int, body: TherapistUpdate) -> TherapistOut:
    """Changes the fields that are sent."""
    changes = body.model_dump(exclude_unset=True)
    with transaction(current_service().engine) as connection:
        return TherapistOut.model_validate(update_therapist(connection, therapist_id, changes, actor()))


@ROUTES.add("DELETE", _ONE, Role.OPERATE, errors=(404, 503))
def _delete(therapist_id: int) -> TherapistErasedOut:
    """Erases every copy of the therapist's data; imports leave the person out from now on."""
    certificate = erase(current_service().engine, therapist_id, actor())
    return TherapistErasedOut.model_validate({"message": "Therapist deleted successfully", "certificate": certificate})


@ROUTES.add("GET", f"{_ONE}/communication", Role.READ, errors=(404, 502))
def _communication(therapist_id: int) -> CommunicationOut:
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
    return CommunicationOut(
        therapist_id=therapist_id,
        therapist_name=f"{therapist.vorname or ''} {therapist.nachname}".strip(),
        last_contact=max(filter(None, contacts), default=None),
        **dict(history),
    )


@ROUTES.add("GET", "/import-status", Role.LOOK, tag="imports")
def _import_status() -> TherapistImportStatusOut:
    """How the import is doing, from the database."""
    return TherapistImportStatusOut.model_validate(read_import_status())
