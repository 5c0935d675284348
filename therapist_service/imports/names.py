"""When two spellings of a name or an address may mean the same: pure comparisons of texts and their keys."""

import re
from functools import lru_cache

from shared.text.keys import compact_key, name_key_part

_NAME_PART = re.compile(r"[^\s.\-‐‑–]+\.?")
_MOST_PARTS = 6
"""More are no name, and comparing them could take for ever."""
_STREET_ENDING = re.compile(r"str(?:\.\s*|(?=\s|$))")
_RANGE = re.compile(r"(?<=\d)\s*[-–/+]\s*(?=\d)")

# The same names and titles come again and again, from row to row and from week to week.
last_name_key = lru_cache(maxsize=16_384)(name_key_part)
first_name_key = lru_cache(maxsize=16_384)(compact_key)


@lru_cache(maxsize=16_384)
def first_name_parts(name: str | None) -> tuple[str, ...]:
    """The keys of a first name's parts; an abbreviation ("Th.", "A") ends in a dot."""
    parts = []
    for part in _NAME_PART.findall(name or ""):
        key = compact_key(part)
        if key:
            parts.append(f"{key}." if part.endswith(".") or len(part) == 1 else key)
    return tuple(parts[:_MOST_PARTS])


def contradict(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two first names cannot be one person's: a part of the shorter one has no counterpart in the longer.

    "Anna", "Anna Maria" and "A." do not contradict each other, nor do "Hans-Peter", "Peter" and "H.-P.". A missing one
    contradicts nothing.
    """
    shorter, longer = sorted((one, other), key=len)
    return not _all_have_counterparts(shorter, longer) and "".join(one) != "".join(other)


def _all_have_counterparts(parts: tuple[str, ...], among: tuple[str, ...]) -> bool:
    if not parts:
        return True
    return any(
        _is_counterpart(parts[0], other) and _all_have_counterparts(parts[1:], among[:position] + among[position + 1 :])
        for position, other in enumerate(among)
    )


def _is_counterpart(one: str, other: str) -> bool:
    return one == other or _abbreviates(one, other) or _abbreviates(other, one)


def _abbreviates(one: str, other: str) -> bool:
    return one.endswith(".") and other.startswith(one[:-1])


def is_compound(one: str | None, other: str | None) -> bool:
    """Whether last names, as keys, differ only in separators, or one consists of parts of the other.

    "Berg" is no part of "Bergmann".
    """
    if one is None or other is None:
        return False
    if one.replace(" ", "") == other.replace(" ", ""):
        return True
    parts, others = set(one.split()), set(other.split())
    return parts <= others or others <= parts


def street_key(street: str | None) -> str | None:
    """The street with its number: "Haupt-Str. 15 a" is "Hauptstraße 15a", but "1-5" is not "15"."""
    if not street:
        return None
    return compact_key(_RANGE.sub("bis", _STREET_ENDING.sub("strasse ", street.casefold())))
