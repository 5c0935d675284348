"""Reading requests: strict JSON bodies, forgiving paging."""

from dataclasses import dataclass
from typing import Any

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from shared.core.errors import Finding, RejectedError
from shared.fields.validation import InvalidInput
from shared.text.strict_json import parse_document
from shared.words.codes import Code

_LARGEST = 2**31 - 1
MAX_BODY_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Paging:
    """A page of a list; numbers outside the range are brought into it."""

    page: int
    limit: int

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


FIRST_PAGE = Paging(1, 20)


def has_body() -> bool:
    """Whether the request carries anything, for endpoints that need nothing."""
    return bool(request.get_data())


def json_body() -> dict[str, Any]:
    """The request's JSON object. Raises `InvalidInput` for anything else, `UnsupportedMediaType` for another type."""
    if not request.is_json:
        raise UnsupportedMediaType("Send application/json")
    try:
        return parse_document(request.get_data())
    except RejectedError:
        # The parser's own codes speak of files, and of what their sender has to do.
        message = "The body must be one JSON object in UTF-8, without duplicate keys"
        raise InvalidInput(message, [Finding("", Code.INVALID_JSON)]) from None


def paging() -> Paging:
    """`page` and `limit` of the query; what is no number counts as not given."""
    page = min(max(_number("page", FIRST_PAGE.page), 1), _LARGEST // 100)
    return Paging(page, min(max(_number("limit", FIRST_PAGE.limit), 1), 100))


def flag(name: str) -> bool | None:
    """A yes-or-no of the query; anything but true or false counts as not given."""
    return {"true": True, "1": True, "false": False, "0": False}.get(request.args.get(name, "").strip().lower())


def word(name: str) -> str | None:
    """A text of the query; empty counts as not given. NUL never matches anything, and PostgreSQL refuses it."""
    return request.args.get(name, "").replace("\x00", "").strip() or None


def _number(name: str, default: int) -> int:
    try:
        return int(request.args.get(name, default))
    except ValueError:
        return default
