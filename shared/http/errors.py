"""Failures as HTTP answers: `{"message": …}`, for validation with `errors`; never a value, a statement or a trace."""

from flask import Flask, Response, jsonify
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException

from shared.core.errors import (
    CopyGone,
    CuravaniError,
    DatabaseNotMigrated,
    NotAllowedError,
    NotFound,
    RejectedError,
    TransientError,
)
from shared.core.logs import get_logger
from shared.fields.validation import InvalidInput
from shared.http.communication import CommunicationUnavailable
from shared.words.codes import Code, describe

log = get_logger(__name__)


class ErrorDetail(BaseModel):
    """Where the input breaks which rule."""

    pointer: str
    code: str


class ErrorOut(BaseModel):
    """A failure; `errors` only where the input is at fault, `code` where a program has to tell the reasons apart."""

    message: str
    code: str | None = None
    errors: list[ErrorDetail] | None = None


Answer = tuple[Response, int]


def register_error_handlers(app: Flask) -> None:
    """Makes every failure an answer in the one form."""
    app.register_error_handler(RejectedError, _rejected)
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(NotAllowedError, _not_allowed)
    app.register_error_handler(CopyGone, _gone)
    app.register_error_handler(TransientError, _unavailable)
    app.register_error_handler(DatabaseNotMigrated, _unavailable)
    app.register_error_handler(CommunicationUnavailable, _bad_gateway)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def _rejected(error: RejectedError) -> Answer:
    message = error.message if isinstance(error, InvalidInput) else describe(error.code).english
    errors = [ErrorDetail(pointer=finding.pointer, code=finding.code) for finding in error.findings]
    return _answer(ErrorOut(message=message, errors=errors)), 400


def _not_found(error: NotFound) -> Answer:
    return _answer(ErrorOut(message=error.message)), 404


def _not_allowed(error: NotAllowedError) -> Answer:
    return _answer(ErrorOut(message=error.message, code=error.code)), 409


def _gone(error: CopyGone) -> Answer:
    return _answer(ErrorOut(message=describe(error.code).english, code=error.code)), 410


def _unavailable(error: CuravaniError) -> Answer:
    log.warning("request_failed", code=error.code, reason=error.detail)
    return _answer(ErrorOut(message=describe(error.code).english)), 503


def _bad_gateway(error: CommunicationUnavailable) -> Answer:
    log.warning("request_failed", code=error.code)
    return _answer(ErrorOut(message=describe(error.code).english)), 502


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    # The library's own sentence for an unknown address speaks to people at a browser's address line.
    answer = _answer(ErrorOut(message="Not found" if error.code == 404 else error.description or error.name))
    headers = [(name, value) for name, value in error.get_headers() if name.lower() != "content-type"]
    return answer, error.code or 500, headers


def _bug(error: Exception) -> Answer:
    code = error.code if isinstance(error, CuravaniError) else Code.INTERNAL_ERROR
    log.error("request_crashed", code=code, exc_info=error)
    return _answer(ErrorOut(message="Internal server error")), 500


def _answer(error: ErrorOut) -> Response:
    return jsonify(error.model_dump(exclude_none=True))
