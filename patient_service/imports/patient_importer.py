"""One registration into the database: patient, consent, history, event and ledger in the caller's transaction."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.imports.duplicates import Candidate, Match, Person, decide
from patient_service.imports.file_names import parse_name
from patient_service.imports.file_processor import RegistrationFile
from patient_service.imports.newness import UNFILLED, fills_only, is_older, newest_registration
from patient_service.imports.person_locks import lock_person
from patient_service.imports.registration import Registration
from patient_service.imports.tombstones import digests_of, is_erased, name_token_digest, person_digests
from patient_service.imports.traces import Said, read_said
from patient_service.models import kernel, patient_consents, patienten
from patient_service.patient import Patient
from patient_service.restrictions import PatientRestricted, require_free
from patient_service.use_cases import create_patient, get_patient, update_patients
from shared.core.errors import Finding, RejectedError
from shared.database.copy import copy_rows
from shared.database.driver import together
from shared.database.statements import Statement
from shared.fields.declaration import Values
from shared.imports.records import Outcome, write_findings, write_outcomes
from shared.imports.source import Settlement
from shared.reviews.reviews import open_reviews
from shared.reviews.values import DuplicateDetail, NewReview
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say of imports.

    `update_known` false leaves a patient alone who is known already; `contracts_signed` is what a registration says of
    a patient that it makes: the form carries the contracts.
    """

    update_known: bool = True
    contracts_signed: bool = True


def import_registration(
    connection: Connection,
    import_id: int,
    file: RegistrationFile,
    registration: Registration,
    policy: Policy,
    *,
    rule: str | None = None,
) -> Settlement:
    """Imports the registration; returns how its file is to be settled, in the same transaction.

    `rule` stands in the outcome instead of the rule that found the patient. Raises `RejectedError`
    (`erased_registration`) for a person whose data was erased; then nothing is to be committed.
    """
    erased, known, candidates = _lock_and_look(connection, file, registration)
    if erased:
        raise RejectedError(Code.ERASED_REGISTRATION)
    if known:
        return Settlement(FileStatus.SKIPPED, Code.DUPLICATE_CONTENT, {RecordOutcome.UNCHANGED: 1})
    match = decide(registration.person, candidates)
    if match.patient_id is None:
        with together(connection):
            outcome = _create(connection, import_id, registration, match, policy)
            _keep(connection, import_id, file, registration, replace(outcome, rule=rule or outcome.rule))
        findings = _ask(connection, import_id, int(outcome.entity_id or 0), match)
    else:
        outcome, findings = _recognise(connection, import_id, registration, match, policy)
        _keep(connection, import_id, file, registration, replace(outcome, rule=rule or outcome.rule))
    write_findings(connection, kernel, import_id, [*registration.findings, *findings])
    if outcome.outcome == RecordOutcome.SKIPPED:
        return Settlement(FileStatus.SKIPPED, outcome.code, {outcome.outcome: 1})
    return Settlement(FileStatus.SUCCESS, None, {outcome.outcome: 1})


def _lock_and_look(
    connection: Connection, file: RegistrationFile, registration: Registration
) -> tuple[bool, bool, list[Candidate]]:
    """Locks the person; then whether they were erased, whether the file was imported before, and whom it may mean."""
    person = registration.person
    looked_up = _look_up_values(connection, _said(registration), file.sha256, registration.order.upload.at)
    with together(connection):
        lock_person(connection, person.name_key, person.email_key, [registration.token])
        # Each sees what was committed while the locks were waited for: an erasure may have ended just before.
        seen_before = _SEEN_BEFORE(connection, **looked_up)
        candidates = _CANDIDATES(
            connection, name_key=person.name_key, email_key=person.email_key, token=registration.token
        )
    erased, known = seen_before.fetchone() or (False, False)
    return erased, known, [_candidate(*row) for row in candidates]


def _create(
    connection: Connection, import_id: int, registration: Registration, match: Match, policy: Policy
) -> Outcome:
    signed = {"vertraege_unterschrieben": policy.contracts_signed}
    patient_id = create_patient(connection, {**registration.patient, **signed}, f"import:{import_id}")
    code = Code.POSSIBLE_DUPLICATE if match.similar else None
    return Outcome(0, RecordOutcome.NEW, patient_id, code, match.rule)


def _recognise(
    connection: Connection, import_id: int, registration: Registration, match: Match, policy: Policy
) -> tuple[Outcome, list[Finding]]:
    if not policy.update_known:
        return Outcome(0, RecordOutcome.SKIPPED, match.patient_id, Code.DUPLICATE_PATIENT, match.rule), []
    return _update(connection, f"import:{import_id}", registration, match)


def _update(
    connection: Connection, actor: str, registration: Registration, match: Match
) -> tuple[Outcome, list[Finding]]:
    patient_id = int(match.patient_id or 0)
    before = get_patient(connection, patient_id)
    try:
        require_free(connection, [patient_id])
    except PatientRestricted as restricted:
        raise RejectedError(restricted.code) from None
    changes = _changes(before, registration)
    findings = []
    if is_older(registration.order, newest_registration(connection, patient_id)):
        changes = fills_only(connection, before, changes)
        findings.append(Finding("", Code.OLDER_REGISTRATION))
    after = update_patients(connection, {patient_id: changes}, actor)[patient_id]
    if before.geburtsdatum and after.geburtsdatum != before.geburtsdatum:
        findings.append(Finding("/patient_data/geburtsdatum", Code.BIRTH_DATE_CHANGED))
    outcome = RecordOutcome.UNCHANGED if after.updated_at == before.updated_at else RecordOutcome.UPDATED
    return Outcome(0, outcome, patient_id, None, match.rule), findings


def _changes(before: Patient, registration: Registration) -> Values:
    """What the form filled. A name or address that differs only in its spelling stays as it is."""
    wanted = {name: registration.patient[name] for name in registration.given}
    wanted = {name: value for name, value in wanted.items() if value not in UNFILLED}
    if before.name_key == registration.person.name_key:
        wanted = {name: value for name, value in wanted.items() if name not in ("vorname", "nachname")}
    if before.email_key == registration.person.email_key:
        wanted.pop("email", None)
    return wanted


def _ask(connection: Connection, import_id: int, patient_id: int, match: Match) -> list[Finding]:
    """Opens the review whether the patient just made is one of those who resemble it."""
    if not match.similar:
        return []
    detail = DuplicateDetail(match.similar, match.rule)
    kind, other = ReviewKind.POSSIBLE_DUPLICATE, match.similar[0]
    open_reviews(connection, kernel, [NewReview(kind, import_id, 0, detail, entity_id=patient_id, other_id=other)])
    return [Finding("", Code.POSSIBLE_DUPLICATE)]


def _keep(
    connection: Connection, import_id: int, file: RegistrationFile, registration: Registration, outcome: Outcome
) -> None:
    """The evidence of the consent, and what became of the registration."""
    with together(connection):
        _keep_consent(connection, import_id, int(outcome.entity_id or 0), file, registration)
        write_outcomes(connection, kernel, import_id, [outcome])


def _keep_consent(
    connection: Connection, import_id: int, patient_id: int, file: RegistrationFile, registration: Registration
) -> None:
    consent = registration.consent
    if consent is None:
        return
    row = {
        "patient_id": patient_id,
        "registration_token": registration.token,
        "registration_timestamp": registration.registered_at,
        "given_at": consent.given_at,
        "moment": registration.order.moment,
        "ip_address": consent.ip_address,
        "user_agent": consent.user_agent,
        "document": dict(consent.document),
        "file_hash": file.sha256,
        "import_id": import_id,
    }
    copy_rows(connection, patient_consents, tuple(row), [tuple(row.values())])


def is_of_erased_person(
    connection: Connection, file: RegistrationFile, object_name: str, uploaded_at: datetime
) -> bool:
    """Whether a file that cannot be imported belongs to an erased person, as far as its content and name tell.

    An erasure at work comes first; one that comes later finds the copy.
    """
    named = parse_name(object_name).token
    said = read_said(file.data)
    said = replace(said, token=said.token or named)
    lock_person(connection, said.name_key or "", said.email_key, [said.token, named])
    looked_up = _look_up_values(connection, said, file.sha256, uploaded_at)
    if named is not None:
        looked_up["digests"].append(name_token_digest(connection, named)[1])
    erased, _ = _SEEN_BEFORE.one(connection, **looked_up)
    return bool(erased)


def _said(registration: Registration) -> Said:
    return Said(registration.token, registration.person.name_key, registration.person.email_key)


def _look_up_values(connection: Connection, said: Said, sha256: str, uploaded_at: datetime) -> dict[str, Any]:
    """What `_SEEN_BEFORE` asks for."""
    return {
        "token": said.token,
        "sha256": sha256,
        "digests": [digest for _, digest in digests_of(connection, said.token, sha256)],
        "people": [digest for _, digest in person_digests(connection, said.name_key or "", said.email_key)],
        "uploaded_at": uploaded_at,
    }


def _candidate(patient_id: int, name: str, email: str | None, born: date | None, owned_by: object) -> Candidate:
    return Candidate(patient_id, Person(name, email, born), owns_token=bool(owned_by))


_token = sa.bindparam("token", type_=sa.Text)
# Whether it is of an erased person, and whether the same bytes were imported before under any file name.
_SEEN_BEFORE = Statement(
    sa.select(
        is_erased,
        sa.exists().where(
            patient_consents.c.file_hash == sa.bindparam("sha256"),
            sa.or_(_token.is_(None), patient_consents.c.registration_token == _token),
        ),
    )
)


# An absent value equals nothing, in SQL as in the rule: empty is no address that two people share.
_owners = sa.select(patient_consents.c.patient_id).where(patient_consents.c.registration_token == _token)
# An array is looked up in the index, as the keys are; for `IN` beside them every patient would be read.
_owns = patienten.c.id == sa.any_(sa.func.array(_owners.scalar_subquery(), type_=sa.ARRAY(sa.Integer)))
_resembles = sa.or_(
    patienten.c.name_key == sa.bindparam("name_key"), patienten.c.email_key == sa.bindparam("email_key"), _owns
)
# Everybody who shares the name, the e-mail address or the token, locked against concurrent edits.
_CANDIDATES = Statement(
    sa.select(
        *[patienten.c[name] for name in ("id", "name_key", "email_key", "geburtsdatum")], _owns.label("owns_token")
    )
    .where(_resembles)
    .order_by(patienten.c.id)
    .with_for_update()
)
