"""Puts the console together and onto a service's application."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Flask, Response
from flask_wtf.csrf import CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.exceptions import NotFound

from shared.console import context, words
from shared.console.access import admit
from shared.console.accesses import accesses_section
from shared.console.corrections import Correcting
from shared.console.failures import add_failure_pages
from shared.console.help import add_help
from shared.console.imports import imports_section
from shared.console.language import install_languages
from shared.console.overview import add_overview
from shared.console.search import add_search
from shared.console.sections import Section
from shared.console.sessions import configure_sessions
from shared.console.sign_in import add_sign_in
from shared.core.tokens import Role
from shared.http.auth import EVERYBODY, needs
from shared.http.service import Service

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def install_console(
    app: Flask, service: Service, sections: Sequence[Section] = (), correcting: Correcting | None = None
) -> None:
    """Serves the console: overview, imports, and the given sections, in this order in the navigation.

    `correcting` is how the service's files are corrected, where they can be.
    """
    configure_sessions(app, service)
    install_languages(app)
    # A misspelt name in a template is a bug, not an empty place on the page.
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.finalize = _visible
    app.jinja_env.globals.update(page_numbers=words.page_numbers, has_endless_word=words.has_endless_word)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    shown = [imports_section(correcting), *sections, accesses_section()]
    app.register_blueprint(_console(_protection(app), shown, correcting))
    # Flask makes this view itself.
    views: dict[str, Any] = app.view_functions
    views["console.static"] = needs(EVERYBODY)(views["console.static"])


_DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_MARKS = {
    ord(mark): f"⟨U+{ord(mark):04X}⟩"
    for mark in "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
}


def _visible(value: object) -> object:
    """Makes marks that turn the direction of text visible: a name must not look like another one."""
    return value.translate(_MARKS) if isinstance(value, str) else value


def _protection(app: Flask) -> CSRFProtect:
    """Tokens in forms. The API is left out: it knows its callers by a header, which no other site can make them send.

    No check of the referrer: behind a proxy its host need not be the one we see, and the cookie is strict anyway.
    """
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_SSL_STRICT=False, WTF_CSRF_TIME_LIMIT=None)
    return CSRFProtect(app)


def _console(protection: CSRFProtect, sections: Sequence[Section], correcting: Correcting | None) -> Blueprint:
    console = Blueprint("console", __name__, url_prefix="/console", template_folder="templates", static_folder="static")
    console.before_request(admit)
    console.before_request(protection.protect)
    console.after_request(_seal)
    add_failure_pages(console)
    context.add_context(console, sections)
    add_sign_in(console)
    add_overview(console, correcting)
    add_help(console)
    for people in (section.people for section in sections if section.people is not None):
        add_search(console, people, correcting)
    for section in sections:
        console.register_blueprint(section.routes, url_prefix=section.address)
    console.route("/<path:_address>", methods=["GET", "POST"], endpoint="nowhere")(needs(Role.LOOK)(_nowhere))
    return console


def _nowhere(_address: str) -> Response:
    """Catches what no page answers to, so that its 404 is the console's own page."""
    raise NotFound


def _seal(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["X-Frame-Options"] = "DENY"
    # The browser names its origin with a form only where it may name a referrer at all.
    response.headers["Referrer-Policy"] = "same-origin"
    return response
