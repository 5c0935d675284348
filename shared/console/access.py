"""Who may see what in the console: nobody gets past the sign-in page unasked, and each view names its role."""

from flask import current_app, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import Forbidden

from shared.console import resume, sessions, words
from shared.core.tokens import ApiToken, Role
from shared.http import limits
from shared.http.auth import DEVELOPMENT, EVERYBODY, needed_role
from shared.http.service import current_service

REFRESH_HEADER = "X-Console-Refresh"
"""Sent by a page that updates itself: nobody asked for anything, so it does not keep the session alive. It is on record
like any other look."""


def admit() -> ResponseReturnValue | None:
    """Before each request: who it is, and whether they may; or off to the sign-in page."""
    role = needed_role(current_app.view_functions[str(request.endpoint)])
    if role is EVERYBODY:
        return None
    person = operator()
    if person is not None:
        g.caller = person
        require(role)
        return None
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method == "GET" and not session:
        # The browser keeps a strict cookie back when a link on another site (a mail in the browser) leads here.
        # Asking again from a page of our own brings it along.
        return render_template("console/again.html", address=_asked_for())
    if sessions.has_begun():
        typed = resume.typed_before_the_end()
        sessions.end()
        if typed:
            kept = resume.as_hidden(typed)
            return render_template("console/sign_in.html", problem=None, destination=_asked_for(), kept=kept), 401
        flash(gettext("Your session has ended. Please sign in again."), "info")
    return redirect(url_for("console.sign_in", next=_asked_for() if request.method == "GET" else None))


def operator() -> ApiToken | None:
    """The person who is signed in."""
    serving = current_service().serving
    if serving.api_auth == "off":
        return DEVELOPMENT
    return sessions.present(active=REFRESH_HEADER not in request.headers)


class RoleNeeded(Forbidden):
    """The person who is signed in has a smaller role than this."""

    def __init__(self, role: Role) -> None:
        super().__init__()
        self.role = role


def require(role: Role) -> None:
    """Raises `RoleNeeded` for people of a smaller role."""
    if not may(role):
        limits.count("role")
        raise RoleNeeded(role)


def may(role: Role) -> bool:
    """Whether the person who is signed in has at least this role."""
    return "caller" in g and g.caller.role >= role


def who_may(role: Role) -> str:
    """The names of those whose role is at least this one, to be asked by somebody of a smaller one."""
    tokens = current_service().serving.tokens
    names = ", ".join(sorted(token.name for token in tokens if token.role >= role))
    return names or gettext("whoever has the role “%(role)s”", role=words.role(role))


def _asked_for() -> str:
    return request.full_path.rstrip("?")
