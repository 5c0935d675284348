"""JSON read strictly: what two readers could understand differently is refused, and so is what could exhaust us."""

import json
import math
import re
from collections.abc import Iterator

from shared.core.errors import Finding, RejectedError
from shared.words.codes import Code

MAX_DEPTH = 50

_BOM = b"\xef\xbb\xbf"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_document(data: bytes) -> dict[str, object]:
    """The object in `data`; a byte order mark is accepted.

    Raises `RejectedError`: `empty_file`, or `invalid_json` for anything but UTF-8 with one object at the top, without
    duplicate keys, NaN or infinite numbers, at most `MAX_DEPTH` levels deep.
    """
    if not data.removeprefix(_BOM).strip():
        raise RejectedError(Code.EMPTY_FILE)
    try:
        document = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=object_without_duplicates,
            parse_constant=refuse_constant,
            parse_float=finite,
        )
    except (ValueError, RecursionError):
        # The parser gives up on a nesting that could exhaust it, long before memory would end.
        raise _invalid() from None
    if not isinstance(document, dict) or is_too_deep(document):
        raise _invalid()
    return document


def unstorable_pointers(document: object) -> list[str]:
    """Pointers of every text, or key, that PostgreSQL cannot hold: NUL characters and halves of surrogate pairs."""
    return list(_unstorable(document, ""))


def escaped(key: str) -> str:
    """A key as a step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def is_too_deep(value: object, *, outside: int = 0) -> bool:
    """Whether lists and objects, with `outside` levels of them around `value`, nest deeper than `MAX_DEPTH`."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH - outside):
        level = [
            inner
            for container in level
            for inner in (container.values() if isinstance(container, dict) else container)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return bool(level)


def object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """For `object_pairs_hook`. Raises ValueError on a repeated key."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def refuse_constant(_name: str) -> float:
    """For `parse_constant`: NaN and Infinity are no JSON."""
    raise ValueError


def finite(text: str) -> float:
    """For `parse_float`: a number too large for a float would become infinite, silently."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold this text."""
    return _UNSTORABLE.search(text) is None


def printable(text: str) -> str:
    """The text with U+FFFD in the place of what `is_storable` refuses, for people to see."""
    return _UNSTORABLE.sub("\ufffd", text)


def _unstorable(value: object, pointer: str) -> Iterator[str]:
    if isinstance(value, str):
        if not is_storable(value):
            yield pointer
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not is_storable(key):
                yield pointer
            yield from _unstorable(inner, f"{pointer}/{escaped(key)}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unstorable(inner, f"{pointer}/{index}")


def _invalid() -> RejectedError:
    return RejectedError(Code.INVALID_JSON, [Finding("", Code.INVALID_JSON)])
