"""What one scraped record says, in our columns: validation and mapping without looking at any database.

Every value is mapped, known and left out, or reported: an unknown salutation is no "Frau", the name "Null" is a name.
Tens of thousands of records pass here within one run, so the ordinary one takes the short way through each check.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import TypedDict

import orjson
from email_validator import EmailNotValidError, validate_email

from shared.core.errors import Finding, RejectedError
from shared.text.keys import clean_text
from shared.text.strict_json import is_storable, unstorable_pointers
from shared.words.codes import Code
from shared.words.vocabulary import Anrede, Geschlecht
from therapist_service.imports.record_reader import Reader, step
from therapist_service.imports.repairs import decoded, with_house_number, without_titles
from therapist_service.imports.traits import Traits, traits_of

MAPPING_VERSION = 2
"""Part of every record's hash: a file read under another version is compared anew instead of counting as unchanged."""

_GENDER = {
    Anrede.HERR.value: Geschlecht.MAENNLICH.value,
    Anrede.FRAU.value: Geschlecht.WEIBLICH.value,
}
_WEEKDAYS = {
    "monday": "montag",
    "tuesday": "dienstag",
    "wednesday": "mittwoch",
    "thursday": "donnerstag",
    "friday": "freitag",
    "saturday": "samstag",
    "sunday": "sonntag",
    "sonnabend": "samstag",
}
_WEEKDAYS |= {german: german for german in _WEEKDAYS.values()}
_PROCEDURES = (
    ("Verhaltenstherapie", re.compile(r"verhaltenstherap", re.IGNORECASE)),
    ("tiefenpsychologisch_fundierte_Psychotherapie", re.compile(r"tiefenpsychologisch", re.IGNORECASE)),
    ("analytische_Psychotherapie", re.compile(r"\banalytisch|psychoanalyse", re.IGNORECASE)),
    ("Systemische_Therapie", re.compile(r"\bsystemisch", re.IGNORECASE)),
)
_PROCEDURE_ORDER = {name: position for position, (name, _) in enumerate(_PROCEDURES)}
_ZIP = re.compile(r"[0-9]{5}")
_HYPHEN_SPACE = re.compile(r"(?<=\S)(?:\s+-\s*|-\s+)(?=\S)")
# Addresses that need no second look. The short list of endings keeps reserved ones such as `.test` out.
_PLAIN_EMAIL = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?\.)+(?:de|com|net|org|eu|info)"
)
_NUL_ESCAPE = rb"\u0000"
_ID_LENGTH = 255  # the id is indexed, and an index entry has a limit of its own
_TITLE_LENGTH = 50


class Claim(StrEnum):
    """What the source says has happened to a record; something to be checked, not to be obeyed."""

    NEW = "new"
    MODIFIED = "modified"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


_CLAIMS = {claim.value: claim for claim in Claim}


class SourceFields(TypedDict):
    """The mapped columns: what the source describes of a therapist."""

    anrede: str | None
    geschlecht: str
    titel: str | None
    vorname: str | None
    nachname: str | None
    strasse: str | None
    plz: str | None
    ort: str | None
    telefon: str | None
    fax: str | None
    email: str | None
    webseite: str | None
    telefonische_erreichbarkeit: dict[str, list[str]]
    fremdsprachen: list[str]
    psychotherapieverfahren: list[str]


@dataclass(frozen=True)
class MappedRecord:
    """A valid record. `fields` has every mapped column, with None, {} or [] where the source is empty.

    `hash` is a SHA-256 over the mapped columns that the order of a list does not change.
    """

    index: int
    external_id: str | None
    claim: Claim
    fields: SourceFields
    raw: dict[str, object]
    findings: tuple[Finding, ...]
    hash: str

    @cached_property
    def traits(self) -> Traits:
        """What the record is compared by, computed once."""
        return traits_of(self.fields)


def map_record(raw: object, index: int) -> MappedRecord:
    """The record at position `index` of the file's list.

    Raises `RejectedError("validation_failed")` with every fault found, the pointers from the document's root. A record
    needs a last name and a postal code; only one that claims `deleted` may lack everything but its id.
    """
    if not isinstance(raw, dict):
        raise RejectedError(Code.VALIDATION_FAILED, [Finding(f"/therapists/{index}", Code.INVALID_TYPE, index)])
    _refuse_characters(raw, index)
    reader = Reader(raw, index)
    external_id = reader.text(raw, "", "id", _ID_LENGTH)
    claim = _claim(reader)
    fields = _fields(reader, id_is_enough=claim is Claim.DELETED and external_id is not None)
    _salutation(reader, fields, silent=claim is Claim.DELETED)
    if reader.faults:
        raise RejectedError(Code.VALIDATION_FAILED, reader.faults)
    return MappedRecord(index, external_id, claim, fields, raw, tuple(reader.findings), _hash(fields))


def for_adults(record: MappedRecord) -> bool:
    """Whether any of the record's therapy methods is offered to adults, in the source's own words."""
    methods = record.raw.get("therapy_methods")
    return isinstance(methods, list) and any(
        "erwachsene" in clean_text(decoded(method)).casefold() for method in methods
    )


def _claim(reader: Reader) -> Claim:
    word = reader.text(reader.raw, "", "status", _ID_LENGTH)
    claim = _CLAIMS.get((word or "").casefold())
    if claim is None:
        reader.finding("/status", Code.UNKNOWN_STATUS)
        return Claim.MODIFIED
    return claim


def _fields(reader: Reader, *, id_is_enough: bool) -> SourceFields:
    text, basic, location = reader.text, reader.basic, reader.location
    first_name, in_first_name = _name(reader, "first_name")
    last_name, in_last_name = _name(reader, "last_name")
    fields: SourceFields = {
        "anrede": None,
        "geschlecht": Geschlecht.KEINE_ANGABE.value,
        "titel": text(basic, "/basic_info", "title", _TITLE_LENGTH) or in_first_name or in_last_name,
        "vorname": first_name,
        "nachname": last_name,
        "strasse": _street(reader),
        "plz": text(location, "/location", "postal_code", 255),
        "ort": text(location, "/location", "city", 100),
        "telefon": reader.number("phone"),
        "fax": reader.number("fax"),
        "email": _email(reader),
        "webseite": reader.address(),
        "telefonische_erreichbarkeit": _hours(reader),
        "fremdsprachen": reader.texts(reader.raw.get("languages"), "/languages"),
        "psychotherapieverfahren": _methods(reader),
    }
    _require(reader, fields, id_is_enough=id_is_enough)
    return fields


def _require(reader: Reader, fields: SourceFields, *, id_is_enough: bool) -> None:
    last_name, zip_code = fields["nachname"], fields["plz"]
    if zip_code is not None and not _ZIP.fullmatch(zip_code):
        reader.fault("/location/postal_code", Code.INVALID_ZIP)
    if id_is_enough:
        return
    if zip_code is None:
        reader.fault("/location/postal_code", Code.MISSING)
    # A dash or a dot stands for "no name" and would make every such record the same person.
    if last_name is None or not (last_name.isalpha() or any(character.isalpha() for character in last_name)):
        reader.fault("/basic_info/last_name", Code.MISSING)


def _name(reader: Reader, key: str) -> tuple[str | None, str | None]:
    """A name and the title in it. A name is repaired in titles before it and in white space around hyphens only:

    anything more could turn it into somebody else's.
    """
    name = reader.text(reader.basic, "/basic_info", key, 100)
    if name is None or not ("." in name or " " in name):
        return name, None
    name, title = without_titles(name)
    if title:
        reader.finding(f"/basic_info/{key}", Code.TITLE_IN_NAME)
        # Behind the title may stand that there is no name.
        name = reader.said(name, "/basic_info", key) or ""
    repaired = _HYPHEN_SPACE.sub("-", name)
    if repaired != name:
        reader.finding(f"/basic_info/{key}", Code.NAME_REPAIRED)
    return repaired or None, title if 0 < len(title) <= _TITLE_LENGTH else None


def _salutation(reader: Reader, fields: SourceFields, *, silent: bool) -> None:
    """Fills `anrede` and `geschlecht`; without a known salutation both stay open instead of being guessed."""
    word = reader.text(reader.basic, "/basic_info", "salutation", 255)
    gender = _GENDER.get(word or "")
    if gender is not None:
        fields["anrede"], fields["geschlecht"] = word, gender
    elif word is not None:
        reader.finding("/basic_info/salutation", Code.UNKNOWN_SALUTATION)
    elif not silent:
        reader.finding("/basic_info/salutation", Code.MISSING_SALUTATION)


def _street(reader: Reader) -> str | None:
    street = reader.text(reader.location, "/location", "street", 255)
    number = reader.text(reader.location, "/location", "house_number", 255)
    if street is None or number is None:
        return street or number
    joined = with_house_number(street, number)
    if len(joined) > 255 >= max(len(street), len(number)):
        reader.fault("/location/street", Code.TOO_LONG)
    return joined


def _email(reader: Reader) -> str | None:
    email = reader.text(reader.contact, "/contact", "email", 255)
    if email is None or (len(email) <= 64 and _PLAIN_EMAIL.fullmatch(email)):
        return email
    try:
        validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        reader.finding("/contact/email", Code.INVALID_EMAIL_IGNORED)
        return None
    return email


def _hours(reader: Reader) -> dict[str, list[str]]:
    """Times by German weekday in lower case; a day that nobody knows is kept under its own name."""
    value = reader.raw.get("telephone_hours")
    if not value and (value is None or isinstance(value, dict | list)):
        return {}
    if not isinstance(value, dict):
        reader.fault("/telephone_hours", Code.INVALID_TYPE)
        return {}
    hours: dict[str, list[str]] = {}
    for day, times in value.items():
        path = f"/telephone_hours/{step(day)}"
        german = _WEEKDAYS.get(day) or _WEEKDAYS.get(clean_text(day).casefold())
        if german is None:
            reader.finding(path, Code.UNKNOWN_WEEKDAY)
            german = reader.repaired(day, path)
        cleaned = reader.texts([times] if isinstance(times, str) else times, path)
        if cleaned:
            hours[german] = list(dict.fromkeys([*hours[german], *cleaned])) if german in hours else cleaned
    return hours


def _methods(reader: Reader) -> list[str]:
    """The distinct procedures named in a fixed order, after them the texts that name none of those we know."""
    named: dict[str, None] = {}
    for position, text in enumerate(reader.texts(reader.raw.get("therapy_methods"), "/therapy_methods")):
        procedures = _procedures(text) if len(text) <= 200 else _find_procedures(text)
        if not procedures:
            reader.finding(f"/therapy_methods/{position}", Code.UNKNOWN_METHOD)
            procedures = (text,)
        for procedure in procedures:
            named[procedure] = None
    return sorted(named, key=_procedure_position) if len(named) > 1 else list(named)


def _procedure_position(name: str) -> tuple[int, str]:
    return _PROCEDURE_ORDER.get(name, len(_PROCEDURES)), name


def _find_procedures(text: str) -> tuple[str, ...]:
    return tuple(name for name, pattern in _PROCEDURES if pattern.search(text))


# The source uses a dozen sentences; the bound is for a source that does not.
_procedures = lru_cache(maxsize=256)(_find_procedures)


def _hash(fields: SourceFields) -> str:
    hours = fields["telefonische_erreichbarkeit"]
    canonical = fields | {"fremdsprachen": sorted(fields["fremdsprachen"])}
    if hours:
        canonical["telefonische_erreichbarkeit"] = {day: sorted(times) for day, times in hours.items()}
    return sha256(orjson.dumps([MAPPING_VERSION, canonical], option=orjson.OPT_SORT_KEYS)).hexdigest()


def _refuse_characters(raw: dict[str, object], index: int) -> None:
    """PostgreSQL stores neither NUL nor half a surrogate pair, wherever in the record it stands."""
    try:
        if _NUL_ESCAPE not in orjson.dumps(raw):
            return
    except orjson.JSONEncodeError:
        pass  # half a pair, or something harmless that the encoder cannot write, such as a huge number: look closely
    root = f"/therapists/{index}"
    pointers = [root + pointer for pointer in unstorable_pointers(raw)]
    if pointers:
        # Below a key that cannot be stored, neither can the pointer.
        storable = [pointer if is_storable(pointer) else root for pointer in pointers]
        raise RejectedError(
            Code.VALIDATION_FAILED, [Finding(pointer, Code.INVALID_CHARACTER, index) for pointer in storable]
        )
