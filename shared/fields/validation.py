"""Validation for API and imports alike: the field types of the schemas, and their faults as findings without values.

Pydantic's own lax mode takes 0 for a date and text with NUL characters; these types take neither.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from shared.core.errors import Finding, RejectedError
from shared.text.keys import clean_text
from shared.text.strict_json import escaped, is_storable, unstorable_pointers

M = TypeVar("M", bound=BaseModel)

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
FREE_TEXT = 10_000
REMARK = 1000
_OUR_CODES = {"missing": "missing", "invalid_type": "invalid_type", "extra_forbidden": "unknown_field"}


class InvalidInput(RejectedError):
    """The input breaks the schema. `message` is the first fault as a sentence; it quotes nothing but enum words."""

    def __init__(self, message: str, findings: list[Finding]) -> None:
        super().__init__("validation_failed", findings)
        self.message = message


class Input(BaseModel):
    """Base of what callers send. Unknown keys are ignored: the imports report them, older callers may send them."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


def validate(model: type[M], data: Mapping[str, Any], pointer: str = "") -> M:
    """The validated model. Raises `InvalidInput`, its pointers below `pointer`."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        findings = [Finding(f"{pointer}{_pointer(fault['loc'])}", _code(fault)) for fault in faults]
        raise InvalidInput(_message(faults[0]), findings) from None


def one_of(vocabulary: type[StrEnum], label: str) -> BeforeValidator:
    """Takes only words of `vocabulary`; the message names the field as `label` and lists the valid ones."""

    def read(value: object) -> str:
        if value is None:
            raise _missing()
        if isinstance(value, str) and value in set(vocabulary):
            return str(value)
        context = {"label": label, "value": _shown(value), "valid": ", ".join(vocabulary)}
        raise PydanticCustomError("invalid_value", "Invalid {label} '{value}'. Valid values: {valid}", context)

    return BeforeValidator(read)


def one_of_or_none(vocabulary: type[StrEnum], label: str) -> BeforeValidator:
    """The same, where null blanks the field."""
    read = one_of(vocabulary, label).func
    return BeforeValidator(lambda value: None if value is None else read(value))  # type: ignore[call-arg]


def one_of_or(vocabulary: type[StrEnum], label: str, default: StrEnum) -> BeforeValidator:
    """The same, where null sets the field back to `default`."""
    read = one_of(vocabulary, label).func
    return BeforeValidator(lambda value: default.value if value is None else read(value))  # type: ignore[call-arg]


def words_schema(vocabulary: type[StrEnum], *, nullable: bool = False) -> WithJsonSchema:
    """The JSON Schema of a field that takes these words."""
    schema: dict[str, Any] = {"type": "string", "enum": [str(value) for value in vocabulary]}
    return _nullable(schema) if nullable else WithJsonSchema(schema)


def _text_reader(longest: int, *, required: bool = False, lines: bool = False) -> Callable[[object], str | None]:
    def read(value: object) -> str | None:
        if value is None:
            cleaned = ""
        elif isinstance(value, str):
            _refuse_unstorable(value)
            cleaned = unicodedata.normalize("NFC", value).strip() if lines else clean_text(value)
        else:
            raise PydanticCustomError("invalid_type", "Field {field} must be a text")
        if not cleaned and required:
            raise _missing()
        if len(cleaned) > longest:
            context = {"longest": longest}
            raise PydanticCustomError("too_long", "Field {field} is longer than {longest} characters", context)
        return cleaned or None

    return read


def _refuse_unstorable(value: str) -> None:
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "Field {field} contains a NUL character")
    if not is_storable(value):
        raise PydanticCustomError("invalid_character", "Field {field} contains a broken character")


def _date(value: object) -> date | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("invalid_date", "Invalid date format for {field}. Use YYYY-MM-DD")


def _flag(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise PydanticCustomError("invalid_boolean", "Field {field} must be true or false")


def _email(value: object) -> str | None:
    cleaned = _text_reader(255)(value)
    if cleaned is None:
        return None
    try:
        # Whether mail arrives is not for a form check to say: internal and test domains pass.
        validate_email(cleaned, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except EmailNotValidError:
        raise PydanticCustomError("invalid_email", "Field {field} is not a valid e-mail address") from None
    return cleaned


def _object(value: object) -> dict[str, Any]:
    # PHP writes an empty object as an empty list.
    if value is None or value in ([], ""):
        return {}
    if not isinstance(value, dict):
        raise PydanticCustomError("invalid_type", "Field {field} must be an object")
    _refuse_unstorable_inside(value)
    return value


def _list(value: object) -> list[Any]:
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise PydanticCustomError("invalid_type", "Field {field} must be a list")
    _refuse_unstorable_inside(value)
    return value


def _refuse_unstorable_inside(value: object) -> None:
    if unstorable_pointers(value):
        raise PydanticCustomError("invalid_character", "Field {field} contains a broken character")


def _age(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError("invalid_type", "Field {field} must be a whole number")
    if not 0 <= value <= 120:
        raise PydanticCustomError("out_of_range", "Field {field} must be between 0 and 120")
    return value


def _flag_or(default: bool) -> Callable[[object], bool]:
    return lambda value: default if value is None else bool(_flag(value))


def _nullable(schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, {"type": "null"}]})


def _text_schema(longest: int) -> WithJsonSchema:
    return _nullable({"type": "string", "maxLength": longest})


# Texts of at most so many characters, white space cleaned; null or empty blanks them.
Text10 = Annotated[str | None, BeforeValidator(_text_reader(10)), _text_schema(10)]
Text50 = Annotated[str | None, BeforeValidator(_text_reader(50)), _text_schema(50)]
Text100 = Annotated[str | None, BeforeValidator(_text_reader(100)), _text_schema(100)]
Text255 = Annotated[str | None, BeforeValidator(_text_reader(255)), _text_schema(255)]
FreeText = Annotated[str | None, BeforeValidator(_text_reader(FREE_TEXT, lines=True)), _text_schema(FREE_TEXT)]
"""A text that keeps its line breaks."""
Name = Annotated[
    str,
    BeforeValidator(_text_reader(100, required=True)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100}),
]
"""A text that has to be there."""
Comment = Annotated[str | None, BeforeValidator(_text_reader(REMARK, lines=True)), _text_schema(REMARK)]
"""What somebody says about what they do, if they want to."""
Reason = Annotated[
    str,
    BeforeValidator(_text_reader(REMARK, required=True, lines=True)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": REMARK}),
]
"""The same where it has to be said."""
Day = Annotated[date | None, BeforeValidator(_date), _nullable({"type": "string", "format": "date"})]
"""A calendar day, `YYYY-MM-DD`; null or empty blanks it."""
Flag = Annotated[bool | None, BeforeValidator(_flag), _nullable({"type": "boolean"})]
"""A JSON boolean, or null for unknown."""
FlagOff = Annotated[bool, BeforeValidator(_flag_or(default=False)), _nullable({"type": "boolean"})]
"""A JSON boolean; null sets it back to false."""
Email = Annotated[str | None, BeforeValidator(_email), _nullable({"type": "string", "maxLength": 255})]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_object), _nullable({"type": "object"})]
"""An object; null or an empty list means an empty one."""
JsonList = Annotated[list[Any], BeforeValidator(_list), _nullable({"type": "array", "items": {}})]
"""A list; null means an empty one."""
Age = Annotated[int | None, BeforeValidator(_age), _nullable({"type": "integer", "minimum": 0, "maximum": 120})]


def optional(default: Any = None) -> Any:
    """A field that may be left out."""
    if isinstance(default, (dict, list)):
        return Field(default_factory=type(default))
    # A name has no default that a caller could send: the base of the model that requires it only leaves it out.
    return Field(default=default, json_schema_extra=_without_default if default == "" else None)


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


def _missing() -> PydanticCustomError:
    return PydanticCustomError("missing", "Missing required field: {field}")


def _shown(value: object) -> str:
    if isinstance(value, str):
        return "".join(letter if letter.isprintable() else "?" for letter in value[:50])
    return "null" if value is None else type(value).__name__


def _pointer(path: tuple[int | str, ...]) -> str:
    return "".join(f"/{escaped(str(step))}" for step in path)


def _code(fault: Any) -> str:
    kind = str(fault["type"])
    return _OUR_CODES.get(kind, kind)


def _message(fault: Any) -> str:
    field = ".".join(str(step) for step in fault["loc"]) or "body"
    if fault["type"] == "missing":
        return f"Missing required field: {field}"
    return str(fault["msg"]).replace("{field}", field)
