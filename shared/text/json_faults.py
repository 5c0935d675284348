"""Where JSON that is refused goes wrong: the line and column that a person has to look at."""

import json
import re
from dataclasses import dataclass

from shared.text.strict_json import MAX_DEPTH, finite, refuse_constant

_TEXT = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rf"(?P<key>{_TEXT})(?=\s*:)|{_TEXT}|[{{}}\[\]]|[^\s{{}}\[\]:,\"]+")
_OPENING, _CLOSING = ("{", "["), ("}", "]")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; line and column count from 1, the column in characters."""

    line: int
    column: int


def text_of(data: bytes) -> str:
    """The text of a file for a person to read: what is not UTF-8 shows as U+FFFD."""
    return data.decode("utf-8-sig", "replace")


def fault_of(data: bytes) -> Position:
    """The place at which `parse_document` stumbles over `data`. The beginning, where it does not, or not at a place."""
    text = text_of(data)
    return _position(text, min(_fault(data, text), len(text)))


def _fault(data: bytes, text: str) -> int:
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return len(text_of(data[: error.start]))
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos
    except (ValueError, RecursionError):
        pass  # a number of thousands of digits, or a nesting that the parser itself gives up on: the tokens show it
    return _faulty_token(text)


def _faulty_token(text: str) -> int:
    """The first token that strict reading refuses, in a text that is JSON otherwise."""
    levels: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        if _is_refused(token, levels):
            return token.start()
    return 0


def _is_refused(token: re.Match[str], levels: list[set[str]]) -> bool:
    """`levels` are the keys so far of each object and list that is open at the token."""
    word = token[0]
    if not levels and word != "{":
        return True
    if word in _CLOSING:
        levels.pop()
        return False
    if word in _OPENING:
        levels.append(set())
        return len(levels) > MAX_DEPTH
    if token["key"]:
        key = json.loads(word)
        known = key in levels[-1]
        levels[-1].add(key)
        return known
    return not word.startswith('"') and not _is_finite(word)


def _is_finite(word: str) -> bool:
    try:
        json.loads(word, parse_constant=refuse_constant, parse_float=finite)
    except ValueError:
        return False
    return True


def _position(text: str, offset: int) -> Position:
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
