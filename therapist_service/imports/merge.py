"""Three-way merge of one therapist: what the source said last, what it says now, and what the row holds.

The source may change what only the source has changed. Everything staff changed stays; where both did, a person
decides. Only the mapped columns are looked at, so what belongs to staff cannot be touched from here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from shared.text.keys import clean_text, phone_key
from shared.words.vocabulary import Geschlecht
from therapist_service.therapist import MAPPED_FIELDS

_WHITE_SPACE = re.compile(r"\s+")
_PHONES = frozenset({"telefon", "fax"})


@dataclass(frozen=True, slots=True)
class Conflict:
    """A column that staff and source changed differently: the row keeps `staff`, somebody looks at `source`."""

    field: str
    staff: object
    source: object


@dataclass(frozen=True, slots=True)
class Merge:
    """What to write into the row, what to ask a person, and what counts as the source's last word from now on.

    With `new_base` stored, the same record merged again changes nothing and asks nothing.
    """

    changes: dict[str, object]
    conflicts: tuple[Conflict, ...]
    new_base: dict[str, object]


def merge(base: Mapping[str, object] | None, theirs: Mapping[str, object], ours: Mapping[str, object]) -> Merge:
    """Merges the mapped columns; all three carry them under their own names.

    `base` is None for a row that no import has written yet: what it holds is then staff's, and only gaps are filled.
    An empty value of the source erases nothing, and the base keeps the last value that was not empty. What differs in
    white space, in the order of a list or in the notation of a telephone number only is the same.
    """
    changes: dict[str, object] = {}
    conflicts: list[Conflict] = []
    new_base: dict[str, object] = {}
    for field in MAPPED_FIELDS:
        last, now, present = (base or {}).get(field), theirs.get(field), ours.get(field)
        if _is_empty(field, now, theirs):
            new_base[field] = last if base and last is not None else now
            continue
        new_base[field] = now
        if now in (last, present) or _same(field, now, last) or _same(field, now, present):
            continue
        untouched = _same(field, present, last) if not _is_empty(field, last) else _is_empty(field, present)
        if untouched:
            changes[field] = now
        else:
            conflicts.append(Conflict(field, present, now))
    return Merge(changes, tuple(conflicts), new_base)


def agrees(field: str, one: object, other: object) -> bool:
    """Whether two values of a column differ in nothing but notation."""
    return one == other or _same(field, one, other)


def _is_empty(field: str, value: object, theirs: Mapping[str, object] | None = None) -> bool:
    """Whether the value says nothing. Without a salutation the source's gender is no statement either."""
    if field == "geschlecht":
        return value in (None, "", Geschlecht.KEINE_ANGABE) or (theirs is not None and not theirs.get("anrede"))
    return value is None or value in ("", [], {})


def _same(field: str, one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    if field in _PHONES:
        return _same_phone(str(one), str(other))
    times = field == "telefonische_erreichbarkeit"
    return one == other or _canonical(one, spaceless=times) == _canonical(other, spaceless=times)


def _same_phone(one: str, other: str) -> bool:
    # The library behind the key is slow, and most numbers are written as they were last time.
    if clean_text(one) == clean_text(other):
        return True
    key = phone_key(one)
    return key is not None and key == phone_key(other)


def _canonical(value: object, *, spaceless: bool) -> object:
    """The value without white space and order that mean nothing; times ("9 - 12") need no white space at all."""
    if isinstance(value, str):
        return _WHITE_SPACE.sub("", value) if spaceless else clean_text(value)
    if isinstance(value, list):
        return sorted((_canonical(item, spaceless=spaceless) for item in value), key=orjson.dumps)
    if isinstance(value, dict):
        return {key: _canonical(item, spaceless=spaceless) for key, item in value.items()}
    return value
