"""Types of what callers send with their decisions. Texts and switches are read as those of people are."""

from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from shared.fields.readers import day, flag, missing, text
from shared.words.codes import Code

LONGEST_REMARK = 1000
_TEXT = {"type": "string", "maxLength": LONGEST_REMARK}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_NULL = {"type": "null"}


def _remark(value: object) -> str | None:
    return text(value, LONGEST_REMARK, lines=True)


def _said(value: object) -> str:
    remark = _remark(value)
    if remark is None:
        raise missing()
    return remark


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _number(value: object) -> object:
    if value is None or _is_number(value):
        return value
    raise PydanticCustomError(Code.INVALID_TYPE, "Field {field} must be a number")


def _numbers(value: object) -> object:
    if value is None or (isinstance(value, list) and all(map(_is_number, value))):
        return value
    raise PydanticCustomError(Code.INVALID_TYPE, "Field {field} must be a list of numbers")


def _document(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise PydanticCustomError(Code.INVALID_TYPE, "Field {field} must be an object")


Document = Annotated[dict[str, JsonValue], BeforeValidator(_document), WithJsonSchema({"type": "object"})]
"""Any JSON object."""
Said = Annotated[str, BeforeValidator(_said), WithJsonSchema(_TEXT | {"minLength": 1})]
"""A text that has to be there."""
Remark = Annotated[str | None, BeforeValidator(_remark), WithJsonSchema({"anyOf": [_TEXT, _NULL]})]
"""What somebody says about what they do, if they want to."""
Switch = Annotated[
    bool, BeforeValidator(lambda value: bool(flag(value))), WithJsonSchema({"anyOf": [{"type": "boolean"}, _NULL]})
]
"""A JSON boolean; null counts as false."""
CalendarDay = Annotated[
    date | None,
    BeforeValidator(day),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, _NULL]}),
]
"""A day, written YYYY-MM-DD."""
Number = Annotated[int | None, BeforeValidator(_number), WithJsonSchema({"anyOf": [_NUMBER, _NULL]})]
"""The number of a row."""
Numbers = Annotated[
    tuple[int, ...] | None,
    BeforeValidator(_numbers),
    WithJsonSchema({"anyOf": [{"type": "array", "items": _NUMBER}, _NULL]}),
]
"""Numbers of rows."""
