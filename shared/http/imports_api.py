"""HTTP: the import's files, as both services offer them."""

from datetime import datetime

from pydantic import Field
from sqlalchemy.engine import Connection

from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.database.tables import OUTCOME_COUNTS
from shared.fields.schemas import extended_by
from shared.fields.validation import Input
from shared.http.accesses import note_list
from shared.http.answers import Answer, MessageOut, Page, Personal
from shared.http.auth import actor
from shared.http.bodies import Said, Switch
from shared.http.endpoints import Endpoints
from shared.http.requests import PageQuery, Word
from shared.http.service import current_service
from shared.imports import ledger, mend
from shared.imports.queries import list_imports, show_import
from shared.state.import_status import import_status
from shared.state.reading import read_snapshot
from shared.words.statuses import Action, AttemptStatus, FileStatus, RecordOutcome, ReviewKind, ReviewState


class ImportQuery(PageQuery):
    """Filter and page."""

    status: Word = Field(None, description="What has become of the file. An unknown status gives an empty page.")


@extended_by(dict.fromkeys(OUTCOME_COUNTS, (int, ...)))
class ImportEntry(Answer):
    """A file in the ledger. Scrapes alone have the postal code, day and version of mapping; the total of the records is
    named after what they are of, and each outcome has its count.
    """

    id: int
    file_name: Personal[str | None] = None
    file_version: str | None
    file_size: int | None
    file_hash: str | None
    zip: str | None = None
    scrape_date: datetime | None = None
    mapping_version: int | None = None
    status: FileStatus
    attempts: int
    next_attempt_at: datetime | None
    error_code: str | None
    discard_reason: Personal[str | None] = None
    first_seen_at: datetime
    processed_at: datetime | None
    duration_ms: int | None
    source_deleted_at: datetime | None
    patient_count: int = 0
    therapist_count: int = 0


class ImportPage(Page[ImportEntry]):
    """A page of files, newest first."""


class AttemptOut(Answer):
    """An attempt at the file; one without an end is running, or its process died."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    status: AttemptStatus
    code: str | None


class FindingOut(Answer):
    """What a file breaks or departs from; `record_index` is null for the file as a whole.

    Remarks of one code, of more than twenty records, are one: `records` is their number. A pointer may hold a foreign
    key's name, which somebody may have put a value into.
    """

    record_index: int | None
    pointer: Personal[str] = ""
    code: str
    records: int


class OutcomeOut(Answer):
    """What became of a record, and by which rule."""

    record_index: int
    entity_id: int | None
    outcome: RecordOutcome
    code: str | None
    rule: str | None


class ChangedFieldOut(Answer):
    """A field of a row that the file changed; values are in the row's history."""

    entity_id: int
    field: str


class ImportReviewOut(Answer):
    """A review of a record of the file."""

    id: int
    kind: ReviewKind
    state: ReviewState
    record_index: int | None


class ActionOut(Answer):
    """What a person did with the file."""

    action: Action
    actor: str
    reason: Personal[str | None] = None
    at: datetime


class ImportOut(ImportEntry):
    """A file with all that is known of it, at most a thousand entries a list; `next_step` is a sentence."""

    next_step: str
    attempts_made: list[AttemptOut]
    findings: list[FindingOut]
    outcomes: list[OutcomeOut]
    changed_fields: list[ChangedFieldOut]
    reviews: list[ImportReviewOut]
    actions: list[ActionOut]


class RecentImport(Answer):
    """A file that was dealt with, without its name."""

    id: int
    status: FileStatus
    error_code: str | None
    processed_at: datetime
    patient_count: int = 0
    therapist_count: int = 0


class ImportStatusOut(Answer):
    """How the import is doing. Today is the calendar day in Germany."""

    running: bool
    last_check: datetime | None
    next_check: datetime | None
    files_processed_today: int
    files_failed_today: int
    total_processed: int
    total_failed: int
    last_error: str | None
    last_error_time: datetime | None
    recent_imports: list[RecentImport]


class DiscardIn(Input):
    """Why the file is not to be imported: somebody will want to know it."""

    reason: Said
    delete_source: Switch = False


NUMBER = "The file's number, without its letter."
ROUTES = Endpoints("imports", number=NUMBER)
_ONE = "/<int:import_id>"


def read_import_status() -> object:
    """How this service's import is doing, from the database."""
    service = current_service()
    with transaction(service.engine) as connection:
        snapshot = read_snapshot(connection, service.kernel)
    return import_status(snapshot, service.interval_seconds, service.kernel.service_name)


def import_of(import_id: int) -> ImportOut:
    """The file, with all that is known of it. Raises `NotFound`."""
    service = current_service()
    with transaction(service.engine) as connection:
        return ImportOut.model_validate(show_import(connection, service.kernel, import_id).as_json())


@ROUTES.add("GET", "", Role.LOOK)
def _list(query: ImportQuery) -> ImportPage:
    """Files that the import knows, newest first."""
    service = current_service()
    if query.status is not None and query.status not in set(FileStatus):
        return ImportPage.of_nothing()
    with transaction(service.engine) as connection:
        rows, total = list_imports(
            connection, service.kernel, status=query.status, offset=query.offset, limit=query.limit
        )
    note_list()
    return ImportPage.of(rows, query, total)


@ROUTES.add("GET", _ONE, Role.LOOK, errors=(404,))
def _show(import_id: int) -> ImportOut:
    """One file: findings, outcomes, changed fields, what happens next."""
    return import_of(import_id)


@ROUTES.add("POST", "/run", Role.OPERATE, status=202)
def _run() -> MessageOut:
    """Asks for a pass now."""
    service = current_service()
    with transaction(service.engine) as connection:
        mend.run_now(connection, service.kernel, actor())
    return MessageOut(message="A pass begins as soon as the importer is free")


@ROUTES.add("POST", f"{_ONE}/retry", Role.OPERATE, errors=(404, 409))
def _retry(import_id: int) -> ImportEntry:
    """Makes a failed file due at once."""
    service = current_service()
    with transaction(service.engine) as connection:
        mend.retry(connection, service.kernel, [import_id], actor())
        return _entry(connection, import_id)


@ROUTES.add("POST", f"{_ONE}/discard", Role.OPERATE, errors=(404, 409))
def _discard(import_id: int, body: DiscardIn) -> ImportEntry:
    """The file is never imported; its copy stays, its source too unless `delete_source`."""
    service = current_service()
    with transaction(service.engine) as connection:
        mend.discard(connection, service.kernel, import_id, actor(), body.reason, delete_source=body.delete_source)
        return _entry(connection, import_id)


def _entry(connection: Connection, import_id: int) -> ImportEntry:
    return ImportEntry.model_validate(ledger.find(connection, current_service().kernel, import_id))
