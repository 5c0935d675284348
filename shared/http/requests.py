"""Reading requests through their models: strict JSON bodies, forgiving queries."""

from typing import Annotated, TypeVar

from flask import request
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from werkzeug.exceptions import UnsupportedMediaType

from shared.core.errors import Finding, RejectedError
from shared.fields.validation import InvalidInput, validate
from shared.text.strict_json import parse_document
from shared.words.codes import Code

M = TypeVar("M", bound=BaseModel)

MAX_BODY_BYTES = 2 * 1024 * 1024
_MOST = 1000
_LAST_PAGE = (2**31 - 1) // _MOST
_IS_TRUE = {"true": True, "1": True, "false": False, "0": False}


def has_body() -> bool:
    """Whether the request carries anything, for endpoints that need nothing."""
    return bool(request.get_data())


def read_body(model: type[M]) -> M:
    """The request's JSON object as `model`. Raises `InvalidInput`, or `UnsupportedMediaType` for another type."""
    if not request.is_json:
        raise UnsupportedMediaType("Send application/json")
    try:
        body = parse_document(request.get_data())
    except RejectedError:
        # The parser's own codes speak of files, and of what their sender has to do.
        message = "The body must be one JSON object in UTF-8, without duplicate keys"
        raise InvalidInput(message, [Finding("", Code.INVALID_JSON)]) from None
    return validate(model, body)


def read_query(model: type[M]) -> M:
    """The query as `model`, whose fields are forgiving; of a name that stands twice the first counts."""
    return model.model_validate({name: request.args[name] for name in model.model_fields if name in request.args})


def _within(lowest: int, highest: int, default: int) -> BeforeValidator:
    """A number brought into the range; what is no number counts as not given."""

    def read(value: object) -> int:
        try:
            return min(max(int(str(value)), lowest), highest)
        except ValueError:
            return default

    return BeforeValidator(read)


def _read_word(value: object) -> str | None:
    # NUL never matches anything, and PostgreSQL refuses it.
    return str(value).replace("\x00", "").strip() or None


def _read_yes_or_no(value: object) -> bool | None:
    return _IS_TRUE.get(str(value).strip().lower())


Word = Annotated[str | None, BeforeValidator(_read_word), WithJsonSchema({"type": "string"})]
"""A text of a query; empty counts as not given."""
YesOrNo = Annotated[bool | None, BeforeValidator(_read_yes_or_no), WithJsonSchema({"type": "boolean"})]
"""A yes-or-no of a query; anything but true or false counts as not given."""


class PageQuery(BaseModel):
    """Which page of a list."""

    page: Annotated[int, _within(1, _LAST_PAGE, 1)] = Field(1, description="From 1 on; smaller ones count as 1.")
    limit: Annotated[int, _within(1, _MOST, 20)] = Field(
        20, description=f"1 to {_MOST} entries a page; values outside are brought into the range."
    )

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit

    def pages(self, total: int) -> int:
        """How many pages so many entries fill; at least one."""
        return max(-(-total // self.limit), 1)


def paging() -> PageQuery:
    """The page that is asked for."""
    return read_query(PageQuery)


def word(name: str) -> str | None:
    """A text of the query; empty counts as not given."""
    return _read_word(request.args.get(name, ""))
