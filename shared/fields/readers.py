"""What each kind of field takes as input, and what becomes of it. Pydantic's own lax mode takes 0 for a date and text
with NUL characters; these readers take neither.

A reader returns None for a value that says nothing, and raises `PydanticCustomError` for one that it does not take; the
message names the field as `{field}`, and quotes nothing but a wrong word.
"""

import json
import re
from collections.abc import Callable
from datetime import date

from email_validator import EmailNotValidError, validate_email
from pydantic_core import PydanticCustomError

from shared.fields.declaration import Age, Day, Email, Field, Flag, FreeText, JsonList, JsonObject, Text, Word
from shared.text.keys import clean_text, composed
from shared.text.strict_json import is_storable, unstorable_pointers
from shared.words.codes import Code

Reader = Callable[[object], object]

LONGEST_JSON = 20_000
"""So many characters a list or an object may have as JSON."""
_LONGEST_WORD = 200
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def reader_of(field: Field) -> Reader:
    """The reader of the field's kind. Raises `TypeError` for one that nobody sends."""
    match field.kind:
        case Text(longest=int(longest)):
            return lambda value: text(value, longest)
        case FreeText(longest=longest):
            return lambda value: text(value, longest, lines=True)
        case Email(longest=longest):
            return lambda value: _email(value, longest)
        case Word() as kind:
            return lambda value: _word(value, kind, field.name)
        case Age(highest=highest):
            return lambda value: _age(value, highest)
    return _OTHERS[type(field.kind)]


def missing() -> PydanticCustomError:
    """Nothing, where something has to be."""
    return PydanticCustomError(Code.MISSING, "Missing required field: {field}")


def _word(value: object, kind: Word, name: str) -> str | None:
    """The message names the field as the kind says, and lists the valid words."""
    if value is None:
        return None
    # White space and invisible characters come from forms and copied text; another word is never meant by them.
    if isinstance(value, str) and len(value) <= _LONGEST_WORD and (word := clean_text(value)) in set(kind.vocabulary):
        return word
    context = {"label": kind.said_as or name, "value": _shown(value), "valid": ", ".join(kind.vocabulary)}
    raise PydanticCustomError(Code.INVALID_VALUE, "Invalid {label} '{value}'. Valid values: {valid}", context)


def text(value: object, longest: int, *, lines: bool = False) -> str | None:
    """White space is cleaned, but for the line breaks of a text of several lines; an empty one says nothing."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise PydanticCustomError(Code.INVALID_TYPE, "Field {field} must be a text")
    if "\x00" in value:
        raise PydanticCustomError(Code.NUL_CHARACTER, "Field {field} contains a NUL character")
    if not is_storable(value):
        raise PydanticCustomError(Code.INVALID_CHARACTER, "Field {field} contains a broken character")
    # Before anything is computed from it; some letters are written as several characters, and white space goes.
    if len(value) > 4 * longest:
        raise _too_long(longest)
    cleaned = composed(value).strip() if lines else clean_text(value)
    if len(cleaned) > longest:
        raise _too_long(longest)
    return cleaned or None


def _too_long(longest: int) -> PydanticCustomError:
    context = {"longest": longest}
    return PydanticCustomError(Code.TOO_LONG, "Field {field} is longer than {longest} characters", context)


def _email(value: object, longest: int) -> str | None:
    cleaned = text(value, longest)
    if cleaned is None:
        return None
    try:
        # Whether mail arrives is not for a form check to say: internal and test domains pass.
        validate_email(cleaned, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except EmailNotValidError:
        raise PydanticCustomError(Code.INVALID_EMAIL, "Field {field} is not a valid e-mail address") from None
    return cleaned


def day(value: object) -> date | None:
    """A calendar day, written YYYY-MM-DD."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError(Code.INVALID_DATE, "Invalid date format for {field}. Use YYYY-MM-DD")


def flag(value: object) -> bool | None:
    """A JSON boolean, and no word for one."""
    if value is None or isinstance(value, bool):
        return value
    raise PydanticCustomError(Code.INVALID_BOOLEAN, "Field {field} must be true or false")


def _object(value: object) -> dict[str, object] | None:
    # PHP writes an empty object as an empty list.
    if value is None or value in ([], ""):
        return None
    if not isinstance(value, dict):
        raise PydanticCustomError(Code.INVALID_TYPE, "Field {field} must be an object")
    _refuse_unstorable(value)
    _refuse_long(value)
    return value


def _list(value: object) -> list[object] | None:
    if value is None or value == "":
        return None
    if not isinstance(value, list):
        raise PydanticCustomError(Code.INVALID_TYPE, "Field {field} must be a list")
    _refuse_unstorable(value)
    _refuse_long(value)
    return value


def _refuse_unstorable(value: object) -> None:
    if unstorable_pointers(value):
        raise PydanticCustomError(Code.INVALID_CHARACTER, "Field {field} contains a broken character")


def _refuse_long(value: object) -> None:
    if len(json.dumps(value, ensure_ascii=False)) > LONGEST_JSON:
        raise _too_long(LONGEST_JSON)


def _age(value: object, highest: int) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError(Code.INVALID_TYPE, "Field {field} must be a whole number")
    if not 0 <= value <= highest:
        raise PydanticCustomError(Code.OUT_OF_RANGE, f"Field {{field}} must be between 0 and {highest}")
    return value


_OTHERS: dict[type[object], Reader] = {Day: day, Flag: flag, JsonObject: _object, JsonList: _list}


def _shown(value: object) -> str:
    if isinstance(value, str):
        return "".join(letter if letter.isprintable() else "?" for letter in value[:50])
    return "null" if value is None else type(value).__name__
