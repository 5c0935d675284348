"""Which files that were never imported are a person's: what a name, a token and a kept copy tell. Pure rules.

An erasure takes what is certainly theirs. What may be, it leaves to a person: another one of the same name has a right
to their registration, too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from patient_service.imports.envelope import unwrap
from patient_service.imports.file_names import LEAST_TOKEN, parse_name, stands_for
from shared.core.errors import RejectedError
from shared.text.keys import composed, email_key, name_key, name_words
from shared.text.strict_json import is_storable

_LONGEST = 1020
"""Characters of a name, an address or a token: four times those of the longest, as letters may be written."""
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


class Trace(Enum):
    """How sure it is that a file is the person's."""

    CERTAIN = "certain"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class Sought:
    """Whose files are looked for: their tokens, their keys, and the words of their first and last name."""

    tokens: frozenset[str]
    name_key: str
    email_key: str | None
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says of whom it is about, as far as it can be read."""

    token: str | None = None
    name_key: str | None = None
    """None where a name is missing."""
    email_key: str | None = None


def trace(sought: Sought, object_name: str, data: bytes | None, *, mixed_up: bool) -> Trace | None:
    """Whether the file is the person's; None where nothing says so.

    `data` is its kept copy, if there is one. A file that is `mixed_up` names one person outside and another inside: it
    is never certain whose it is.
    """
    said = read_said(data or b"")
    name_token = parse_name(object_name).token
    is_named_theirs = name_token is not None and any(stands_for(name_token, token) for token in sought.tokens)
    is_theirs = said.token in sought.tokens or is_named_theirs or _same_person(sought, said)
    if is_theirs and not mixed_up:
        return Trace.CERTAIN
    if said.name_key is not None:
        may_be_theirs = said.name_key == sought.name_key
    else:
        text = _text(data or b"")
        may_be_theirs = _carries(sought, object_name) or _carries(sought, text) or _mentions(sought, text)
    return Trace.DOUBTFUL if is_theirs or may_be_theirs else None


def _same_person(sought: Sought, said: Said) -> bool:
    return said.email_key is not None and (said.name_key, said.email_key) == (sought.name_key, sought.email_key)


def read_said(data: bytes) -> Said:
    """Each part where it can be read. Of what has no name its text is what there is to go by."""
    try:
        document = unwrap(data, None).document
    except RejectedError:
        return Said()
    found = document.get("patient_data")
    patient = found if isinstance(found, dict) else {}
    vorname, nachname = _string(patient, "vorname"), _string(patient, "nachname")
    return Said(
        _string(document, "registration_token"),
        name_key(vorname, nachname) if vorname and nachname else None,
        email_key(_string(patient, "email")),
    )


def _string(section: Mapping[str, object], name: str) -> str | None:
    """As an import would take it; None for what is too long for any, or nothing that anybody could have registered."""
    value = section.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST or not is_storable(value):
        return None
    return composed(value).strip() or None


def _text(data: bytes) -> str:
    """The bytes as text in both encodings that senders use, JSON's escapes undone."""
    both = f"{data.decode('utf-8', 'replace')}\n{data.decode('latin-1')}"
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), both)


def _carries(sought: Sought, text: str) -> bool:
    return bool(sought.words) and sought.words <= name_words(text)


def _mentions(sought: Sought, text: str) -> bool:
    """Whether the address or a token of theirs stands in the text."""
    known = {token.casefold() for token in sought.tokens if len(token) >= LEAST_TOKEN}
    folded = text.casefold()
    return any(each in folded for each in (*known, sought.email_key) if each)
