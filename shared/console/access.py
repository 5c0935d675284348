"""Who may see what in the console: nobody gets past the sign-in page unasked, and each view names its role."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import Forbidden

from shared.console import sessions
from shared.core.logs import get_logger
from shared.core.tokens import ApiToken, Role
from shared.http.auth import DEVELOPMENT
from shared.http.service import current_service

log = get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

OPEN = frozenset({"console.sign_in", "console.enter", "console.language", "console.static"})
"""Endpoints for people who are not signed in."""
REFRESH_HEADER = "X-Console-Refresh"
"""Sent by a page that updates itself: nobody asked for anything, so it does not keep the session alive."""


def admit() -> ResponseReturnValue | None:
    """Before each request: who it is, or off to the sign-in page."""
    person = operator()
    if person is not None:
        g.caller = person
    if person is not None or request.endpoint in OPEN:
        return None
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method == "GET" and not session:
        # The browser keeps a strict cookie back when a link on another site (a mail in the browser) leads here.
        # Asking again from a page of our own brings it along.
        return render_template("console/again.html", address=_asked_for())
    if sessions.has_begun():
        sessions.end()
        flash(gettext("Your session has ended. Please sign in again."), "info")
    return redirect(url_for("console.sign_in", next=_asked_for() if request.method == "GET" else None))


def operator() -> ApiToken | None:
    """The person who is signed in."""
    serving = current_service().serving
    if serving.api_auth == "off":
        return DEVELOPMENT
    return sessions.present(serving.tokens, active=REFRESH_HEADER not in request.headers)


def needs(role: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuses a view to people of a smaller role."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            require(role)
            return view(*args, **kwargs)

        return guarded

    return decorate


def require(role: Role) -> None:
    """Raises `Forbidden` for people of a smaller role."""
    if not may(role):
        raise Forbidden


def may(role: Role) -> bool:
    """Whether the person who is signed in has at least this role."""
    return "caller" in g and g.caller.role >= role


def note_view(what: str, **about: int) -> None:
    """Leaves a log line that somebody looked at personal data: who, and at which number, nothing of the data.

    A page that updates itself is one look, not one every few seconds.
    """
    if REFRESH_HEADER not in request.headers:
        log.info("personal_data_viewed", place=what, caller=g.caller.name, role=g.caller.role.name.lower(), **about)


def _asked_for() -> str:
    return request.full_path.rstrip("?")
