"""Failures as pages: what happened and what to do, in the console's look, without any inside of the program."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from shared.console.access import RoleNeeded, who_may
from shared.console.language import meaning
from shared.console.sign_in import cookie_was_refused, is_plain_http
from shared.core.errors import CuravaniError, DatabaseNotMigrated, NotAllowedError, NotFound, TransientError
from shared.core.logs import get_logger
from shared.words.codes import Code

log = get_logger(__name__)

_PAGES: dict[int, tuple[LazyString, LazyString]] = {
    400: (lazy_gettext("This request is not valid"), lazy_gettext("Please go back and try again.")),
    403: (lazy_gettext("Your access does not cover this"), lazy_gettext("Please ask somebody who may.")),
    404: (
        lazy_gettext("There is no such page"),
        lazy_gettext("The address may be mistyped, or what it led to has been deleted since."),
    ),
    409: (
        lazy_gettext("This is not possible any more"),
        lazy_gettext("Somebody may have been faster. Please look at the entry again."),
    ),
    413: (lazy_gettext("That is too much"), lazy_gettext("The text is too long. Please shorten it.")),
    429: (
        lazy_gettext("Too many attempts"),
        lazy_gettext("Signing in failed too often from this address. Please wait a minute, then try again."),
    ),
    500: (
        lazy_gettext("Something went wrong"),
        lazy_gettext("A fault in the program; nothing is half done. The log holds the place. Please try again."),
    ),
    503: (
        lazy_gettext("Not available at the moment"),
        lazy_gettext("The database does not answer. Nothing is lost; please try again in a few minutes."),
    ),
}


def add_failure_pages(console: Blueprint) -> None:
    """Makes every failure in the console a page."""
    console.register_error_handler(CSRFError, _forged)
    console.register_error_handler(NotFound, lambda _error: _page(404))
    console.register_error_handler(NotAllowedError, lambda _error: _page(409))
    console.register_error_handler(RoleNeeded, _too_small)
    console.register_error_handler(TransientError, _unavailable)
    console.register_error_handler(DatabaseNotMigrated, _unavailable)
    console.register_error_handler(HTTPException, _http)
    console.register_error_handler(Exception, _bug)


def _http(error: HTTPException) -> ResponseReturnValue:
    # A redirect of the router, or an answer that a view prepared.
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()
    return _page(error.code or 500)


def _too_small(error: RoleNeeded) -> ResponseReturnValue:
    return _page(403, gettext("You are signed in, but this is for these: %(names)s.", names=who_may(error.role)))


def _unavailable(error: CuravaniError) -> ResponseReturnValue:
    log.warning("request_failed", code=error.code)
    return _page(503, meaning(error.code))


def _forged(_error: CSRFError) -> ResponseReturnValue:
    """A form without its token: a session that has ended, a browser without the cookie, or another site's doing."""
    log.warning("form_refused")
    refused = cookie_was_refused()
    return render_template("console/csrf.html", plain_http=is_plain_http(), cookie_refused=refused), 400


def _bug(error: Exception) -> ResponseReturnValue:
    log.error("request_crashed", code=Code.INTERNAL_ERROR, exc_info=error)
    return _page(500)


def _page(status: int, explanation: str | None = None) -> ResponseReturnValue:
    heading, text = _PAGES.get(status, _PAGES[500 if status >= 500 else 400])
    page = render_template("console/error.html", heading=heading, text=explanation or text, status=status)
    headers = {"Retry-After": "60"} if status in (429, 503) else {}
    return page, status, headers
