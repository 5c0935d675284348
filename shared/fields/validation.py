"""Validation for API and imports alike: faults are findings without values."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from shared.core.errors import Finding, RejectedError
from shared.text.strict_json import escaped
from shared.words.codes import Code, describe

M = TypeVar("M", bound=BaseModel)

_OUR_CODES = {
    "missing": Code.MISSING,
    "invalid_type": Code.INVALID_TYPE,
    "extra_forbidden": Code.UNKNOWN_FIELD,
}


class InvalidInput(RejectedError):
    """The input breaks the schema. `message` is the first fault as a sentence; it quotes nothing but enum words."""

    def __init__(self, message: str, findings: list[Finding]) -> None:
        super().__init__(Code.VALIDATION_FAILED, findings)
        self.message = message


class Input(BaseModel):
    """Base of what callers send. Unknown keys are ignored: the imports report them, older callers may send them."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


def validate(model: type[M], data: Mapping[str, object], pointer: str = "") -> M:
    """The validated model. Raises `InvalidInput`, its pointers below `pointer`."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        findings = [Finding(f"{pointer}{_pointer(fault['loc'])}", _code(fault)) for fault in faults]
        raise InvalidInput(_message(faults[0]), findings) from None


def _pointer(path: tuple[int | str, ...]) -> str:
    return "".join(f"/{escaped(str(step))}" for step in path)


def _code(fault: ErrorDetails) -> Code:
    kind = fault["type"]
    return _OUR_CODES.get(kind) or describe(kind)


def _message(fault: ErrorDetails) -> str:
    field = ".".join(str(step) for step in fault["loc"]) or "body"
    if fault["type"] == "missing":
        return f"Missing required field: {field}"
    return fault["msg"].replace("{field}", field)
