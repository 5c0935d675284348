"""What a registration file says: strict parsing and validation into values, without looking at any database.

A value of the form is mapped, ignored with a finding, or refused with one; nothing gets a silent default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from patient_service.imports.duplicates import Person
from patient_service.imports.file_names import parse_name
from patient_service.patient import PATIENT, SELF_REPORTED
from patient_service.schemas import PatientCreate
from shared.core.errors import Finding, RejectedError
from shared.fields.declaration import Row, Values
from shared.fields.validation import InvalidInput, validate
from shared.text.keys import email_key, name_key
from shared.text.strict_json import escaped, parse_document, unstorable_pointers
from shared.words.codes import Code

_NOT_FOR_THE_FORM = frozenset(field.name for field in PATIENT.announced) - SELF_REPORTED
"""Fields of a patient that the form must not write; a file that carries one is imported without it."""
FORM_NAMES = {"hat_ptv11": "psychotherapeutische_sprechstunde"}
"""The form's name for the consultation that precedes a therapy."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The evidence of consent: the whole section, and what one has to be able to prove."""

    document: Mapping[str, object]
    given_at: datetime
    ip_address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Registration:
    """A valid registration. `patient` has every field of a new patient, `given` names those that the form filled;
    `person` is who it is about.
    """

    patient: Values
    given: frozenset[str]
    person: Person
    consent: Consent
    token: str | None
    registered_at: datetime | None
    findings: tuple[Finding, ...]


def parse_registration(data: bytes, object_name: str) -> Registration:
    """The registration in `data`. Raises `RejectedError` with the code and findings that say why not."""
    document = parse_document(data)
    _refuse_unstorable(document)
    patient_data = _section(document, "patient_data")
    consent_metadata = _section(document, "consent_metadata")
    token = _text(document, "registration_token", "/registration_token")
    name_token = parse_name(object_name).token
    if token and name_token and token.casefold() != name_token.casefold():
        raise RejectedError(Code.TOKEN_MISMATCH, [Finding("/registration_token", Code.TOKEN_MISMATCH)])
    remarks = [*_name_remarks(name_token, token), *_field_remarks(patient_data)]
    patient, given = _patient(patient_data)
    consent = _consent(consent_metadata)
    registered_at, timestamp_remarks = _registered_at(document)
    return Registration(
        patient=patient,
        given=given,
        person=_person(patient),
        consent=consent,
        token=token,
        registered_at=registered_at,
        findings=(*remarks, *timestamp_remarks),
    )


def _refuse_unstorable(document: Mapping[str, object]) -> None:
    pointers = unstorable_pointers(document)
    if pointers:
        raise RejectedError(Code.VALIDATION_FAILED, [Finding(pointer, Code.NUL_CHARACTER) for pointer in pointers])


def _section(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = document.get(name)
    if not isinstance(section, dict):
        raise RejectedError(Code.MISSING_SECTION, [Finding(f"/{name}", Code.MISSING_SECTION)])
    return section


def _name_remarks(name_token: str | None, token: str | None) -> list[Finding]:
    remarks = [] if name_token else [Finding("", Code.UNPARSABLE_NAME)]
    return remarks if token else [*remarks, Finding("/registration_token", Code.MISSING_TOKEN)]


def _field_remarks(patient_data: Mapping[str, object]) -> list[Finding]:
    remarks = []
    for name in patient_data:
        pointer = f"/patient_data/{escaped(name)}"
        if name in _NOT_FOR_THE_FORM:
            remarks.append(Finding(pointer, Code.STAFF_FIELD_IGNORED))
        elif name not in SELF_REPORTED and name not in FORM_NAMES:
            remarks.append(Finding(pointer, Code.UNKNOWN_FIELD))
    return remarks


def _patient(patient_data: Mapping[str, object]) -> tuple[Row, frozenset[str]]:
    """Every field of a new patient, and the names of those that the form filled."""
    values = {name: value for name, value in patient_data.items() if name in SELF_REPORTED and not _blank(value)}
    renamed = {}
    for form_name, name in FORM_NAMES.items():
        if name not in values and not _blank(patient_data.get(form_name)):
            values[name] = patient_data[form_name]
            renamed[name] = form_name
    try:
        patient = validate(PatientCreate, values, pointer="/patient_data")
    except InvalidInput as error:
        raise RejectedError(Code.VALIDATION_FAILED, [_as_in_form(f, renamed) for f in error.findings]) from None
    return patient.model_dump(), frozenset(patient.model_fields_set)


def _person(patient: Row) -> Person:
    key = name_key(patient["vorname"], patient["nachname"])
    return Person(key, email_key(patient["email"]), patient["geburtsdatum"])


def _as_in_form(finding: Finding, renamed: Mapping[str, str]) -> Finding:
    """The finding under the name that the form used."""
    parent, _, name = finding.pointer.rpartition("/")
    return Finding(f"{parent}/{renamed.get(name, name)}", finding.code, finding.record_index)


def _consent(metadata: Mapping[str, object]) -> Consent:
    given_at = _timestamp(_text(metadata, "timestamp_utc", "/consent_metadata/timestamp_utc"))
    if given_at is None:
        code = Code.MISSING if _blank(metadata.get("timestamp_utc")) else Code.INVALID_TIMESTAMP
        raise RejectedError(Code.VALIDATION_FAILED, [Finding("/consent_metadata/timestamp_utc", code)])
    return Consent(
        document=metadata,
        given_at=given_at,
        ip_address=_text(metadata, "ip_address", "/consent_metadata/ip_address"),
        user_agent=_text(metadata, "user_agent", "/consent_metadata/user_agent"),
    )


def _registered_at(document: Mapping[str, object]) -> tuple[datetime | None, list[Finding]]:
    """The form's own time stamp. It proves nothing that the consent does not, so a bad one is only remarked on."""
    raw = document.get("registration_timestamp")
    moment = _timestamp(raw) if isinstance(raw, str) else None
    if moment is None and not _blank(raw):
        return None, [Finding("/registration_timestamp", Code.INVALID_TIMESTAMP)]
    return moment, []


def _timestamp(text: str | None) -> datetime | None:
    """A point in time; one without a zone is UTC, as the form writes it."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(section: Mapping[str, object], name: str, pointer: str) -> str | None:
    value = section.get(name)
    if _blank(value):
        return None
    if not isinstance(value, str):
        raise RejectedError(Code.VALIDATION_FAILED, [Finding(pointer, Code.INVALID_TYPE)])
    return value.strip()


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
