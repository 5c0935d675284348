"""What a registration file says: strict parsing and validation into values, without looking at any database.

A value of the form is mapped, ignored with a finding, or refused with one; nothing gets a silent default.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from patient_service.imports.duplicates import Person
from patient_service.imports.envelope import unwrap
from patient_service.imports.file_names import LEAST_TOKEN, parse_name, stands_for
from patient_service.patient import PATIENT, SELF_REPORTED
from patient_service.schemas import PatientCreate
from shared.core.errors import Finding, RejectedError
from shared.fields.declaration import Row, Values
from shared.fields.validation import InvalidInput, validate
from shared.text.keys import composed, email_key, name_key, trimmed
from shared.text.strict_json import escaped, unstorable_pointers
from shared.words.codes import Code

_NOT_FOR_THE_FORM = frozenset(field.name for field in PATIENT.announced) - SELF_REPORTED
"""Fields of a patient that the form must not write; a file that carries one is imported without it."""
FORM_NAMES = {"hat_ptv11": "psychotherapeutische_sprechstunde"}
"""The form's name for the consultation that precedes a therapy."""

_PAST_DAYS = ("geburtsdatum", "letzte_sitzung_vorherige_psychotherapie")
_FIRST_DAY = date(1900, 1, 1)
LONGEST_TOKEN = 255
_LONGEST_EVIDENCE = 100_000
"""No server takes a request with a longer header, which is where a browser says who it is."""
MOST_FINDINGS = 100
"""Of one code in one file."""
# RFC 3339, and as the form writes it: a blank between day and time, and no zone.
_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:[0-5]\d:)(60|[0-5]\d)((\.\d+)?([Zz]|[+-]\d{2}:[0-5]\d)?)", re.ASCII
)
_FORM_BEGAN = datetime(2000, 1, 1, tzinfo=UTC)
"""No consent was given on the website before."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The evidence of consent: the whole section, and what one has to be able to prove."""

    document: Mapping[str, object]
    given_at: datetime
    ip_address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True, order=True)
class Upload:
    """When a registration came into the bucket; the generation tells apart what came within the same millisecond."""

    at: datetime
    generation: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Order:
    """Which of two registrations is the newer one: made later, or made at the same time and uploaded later.

    `moment` is the first that can be true of the form's own time, the consent's and the upload's.
    """

    moment: datetime
    upload: Upload


@dataclass(frozen=True, slots=True)
class Registration:
    """A valid registration. `patient` has every field of a new patient, `given` names those that the form filled;
    `person` is who it is about. One without `consent` was entered by hand from a file that nobody can read.
    """

    patient: Values
    given: frozenset[str]
    person: Person
    consent: Consent | None
    token: str | None
    registered_at: datetime | None
    order: Order
    findings: tuple[Finding, ...]


def parse_registration(
    data: bytes, object_name: str, upload: Upload, signature_key: bytes | None = None
) -> Registration:
    """The registration in `data`, which came by `upload`.

    It may be wrapped; with a key, its signature is checked. Raises `RejectedError` with the code and findings that say
    why not. All pointers are from the root of the file.
    """
    found = unwrap(data, signature_key)
    _refuse_unstorable(found.whole)
    try:
        registration = _read(found.document, object_name, upload)
    except RejectedError as error:
        raise RejectedError(error.code, _summed_up(_below(found.pointer, error.findings))) from None
    return replace(registration, findings=_summed_up(_below(found.pointer, registration.findings)))


def _read(document: Mapping[str, object], object_name: str, upload: Upload) -> Registration:
    patient_data = _section(document, "patient_data")
    consent_metadata = _section(document, "consent_metadata")
    token = _text(document, "registration_token", "/registration_token", LONGEST_TOKEN)
    name_token = parse_name(object_name).token
    remarks = [*_name_remarks(name_token, token), *_field_remarks(patient_data)]
    patient, given = _patient(patient_data)
    consent = _consent(consent_metadata)
    registered_at, timestamp_remarks = _registered_at(document)
    moments = {"/registration_timestamp": registered_at, "/consent_metadata/timestamp_utc": consent.given_at}
    plausible = [moment for moment in moments.values() if moment and can_be_true(moment, upload.at)]
    remarks += [
        Finding(pointer, Code.IMPLAUSIBLE_DATE)
        for pointer, moment in moments.items()
        if moment and not can_be_true(moment, upload.at)
    ]
    remarks += _date_remarks(patient, upload)
    return Registration(
        patient=patient,
        given=given,
        person=_person(patient),
        consent=consent,
        token=token,
        registered_at=registered_at,
        order=Order(next(iter(plausible), upload.at), upload),
        findings=(*remarks, *timestamp_remarks),
    )


def registration_by_hand(values: Values, document: Mapping[str, object] | None, upload: Upload) -> Registration:
    """What a person entered for a file that came by `upload`, with the evidence that its document holds, if it has one
    that can be read. Raises `InvalidInput` for values that the API would refuse.
    """
    patient = validate(PatientCreate, values)
    consent, token, registered_at = _evidence(document or {})
    moments = [moment for moment in (registered_at, consent and consent.given_at) if moment]
    plausible = [moment for moment in moments if can_be_true(moment, upload.at)]
    return Registration(
        patient=patient.model_dump(),
        given=frozenset(patient.model_fields_set),
        person=_person(patient.model_dump()),
        consent=consent,
        token=token,
        registered_at=registered_at,
        order=Order(next(iter(plausible), upload.at), upload),
        findings=() if consent else (Finding("/consent_metadata", Code.CONSENT_UNREADABLE),),
    )


def _evidence(document: Mapping[str, object]) -> tuple[Consent | None, str | None, datetime | None]:
    """Consent, token and time, each where it can be read."""
    if unstorable_pointers(document):
        return None, None, None
    try:
        token = _text(document, "registration_token", "/registration_token", LONGEST_TOKEN)
    except RejectedError:
        token = None
    try:
        consent = _consent(_section(document, "consent_metadata"))
    except RejectedError:
        consent = None
    return consent, token, _registered_at(document)[0]


def can_be_true(moment: datetime, uploaded_at: datetime) -> bool:
    """Whether something of that time can have been uploaded then; a day is left for clocks and time zones."""
    return _FORM_BEGAN <= moment <= uploaded_at + timedelta(days=1)


def _refuse_unstorable(document: Mapping[str, object]) -> None:
    pointers = unstorable_pointers(document)
    if pointers:
        findings = [Finding(pointer, Code.NUL_CHARACTER) for pointer in pointers]
        raise RejectedError(Code.VALIDATION_FAILED, _summed_up(findings))


def _section(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = document.get(name)
    if not isinstance(section, dict):
        raise RejectedError(Code.MISSING_SECTION, [Finding(f"/{name}", Code.MISSING_SECTION)])
    return section


def _name_remarks(name_token: str | None, token: str | None) -> list[Finding]:
    remarks = [] if name_token else [Finding("", Code.UNPARSABLE_NAME)]
    if token is None:
        return [*remarks, Finding("/registration_token", Code.MISSING_TOKEN)]
    if name_token is None or name_token.casefold() == token.casefold():
        return remarks
    if len(name_token) < LEAST_TOKEN:
        return [Finding("", Code.SHORT_TOKEN)]
    if not stands_for(name_token, token):
        raise RejectedError(Code.TOKEN_MISMATCH, [Finding("/registration_token", Code.TOKEN_MISMATCH)])
    return remarks


def _date_remarks(patient: Row, upload: Upload) -> list[Finding]:
    """Days that lie behind everybody who registers, and do not."""
    latest = (upload.at + timedelta(days=1)).date()
    return [
        Finding(f"/patient_data/{name}", Code.IMPLAUSIBLE_DATE)
        for name in _PAST_DAYS
        if patient[name] is not None and not _FIRST_DAY <= patient[name] <= latest
    ]


def _below(pointer: str, findings: Iterable[Finding]) -> list[Finding]:
    return [replace(each, pointer=f"{pointer}{each.pointer}") if each.pointer else each for each in findings]


def _summed_up(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """No more findings of one code than a person can look at, and that there are more: a file may have a million."""
    met: Counter[Code] = Counter()
    kept = []
    for finding in findings:
        met[finding.code] += 1
        if met[finding.code] <= MOST_FINDINGS:
            kept.append(finding)
    are_left_out = any(number > MOST_FINDINGS for number in met.values())
    return (*kept, *([Finding("", Code.MORE_FINDINGS)] if are_left_out else []))


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
    if isinstance(values.get("symptome"), list):
        values["symptome"] = _joined(values["symptome"], "/patient_data/symptome")
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


def _joined(texts: object, pointer: str) -> str | None:
    """A list of texts as one. It is not measured here: the field's own reader does that before anything else."""
    found = texts if isinstance(texts, list) else []
    if not all(isinstance(each, str) for each in found):
        raise RejectedError(Code.VALIDATION_FAILED, [Finding(pointer, Code.INVALID_TYPE)])
    return ", ".join(text for each in found if (text := trimmed(each))) or None


def _person(patient: Row) -> Person:
    key = name_key(patient["vorname"], patient["nachname"])
    return Person(key, email_key(patient["email"]), patient["geburtsdatum"])


def _as_in_form(finding: Finding, renamed: Mapping[str, str]) -> Finding:
    """The finding under the name that the form used."""
    parent, _, name = finding.pointer.rpartition("/")
    return Finding(f"{parent}/{renamed.get(name, name)}", finding.code, finding.record_index)


def _consent(metadata: Mapping[str, object]) -> Consent:
    given_at = _timestamp(_text(metadata, "timestamp_utc", "/consent_metadata/timestamp_utc", _LONGEST_EVIDENCE))
    if given_at is None:
        code = Code.MISSING if _blank(metadata.get("timestamp_utc")) else Code.INVALID_TIMESTAMP
        raise RejectedError(Code.VALIDATION_FAILED, [Finding("/consent_metadata/timestamp_utc", code)])
    return Consent(
        document=metadata,
        given_at=given_at,
        ip_address=_text(metadata, "ip_address", "/consent_metadata/ip_address", _LONGEST_EVIDENCE),
        user_agent=_text(metadata, "user_agent", "/consent_metadata/user_agent", _LONGEST_EVIDENCE),
    )


def _registered_at(document: Mapping[str, object]) -> tuple[datetime | None, list[Finding]]:
    """The form's own time stamp. It proves nothing that the consent does not, so a bad one is only remarked on."""
    raw = document.get("registration_timestamp")
    moment = _timestamp(raw.strip()) if isinstance(raw, str) else None
    if moment is None and not _blank(raw):
        return None, [Finding("/registration_timestamp", Code.INVALID_TIMESTAMP)]
    return moment, []


def _timestamp(text: str | None) -> datetime | None:
    """A point in time; one without a zone is UTC, as the form writes it."""
    found = _TIMESTAMP.fullmatch(text or "")
    if found is None:
        return None
    # A second that is put in to keep the clocks right is none to Python.
    second = min(found[2], "59")
    try:
        moment = datetime.fromisoformat(f"{found[1]}{second}{found[3]}".upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(section: Mapping[str, object], name: str, pointer: str, longest: int) -> str | None:
    value = section.get(name)
    if _blank(value):
        return None
    if not isinstance(value, str):
        raise RejectedError(Code.VALIDATION_FAILED, [Finding(pointer, Code.INVALID_TYPE)])
    if len(value) > longest:
        raise RejectedError(Code.VALIDATION_FAILED, [Finding(pointer, Code.TOO_LONG)])
    return composed(value).strip() or None


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not trimmed(value))
