"""Signing in with an API token, signing out, and choosing the language."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import NotFound

from shared.console import resume, sessions
from shared.console.access import operator
from shared.console.language import LANGUAGES
from shared.core.logs import get_logger
from shared.core.tokens import Role
from shared.http.auth import EVERYBODY, needs, present_token

log = get_logger(__name__)

_LONGEST_TOKEN = 1000


def add_sign_in(console: Blueprint) -> None:
    """The pages that need no session, and the way out."""
    for_all = needs(EVERYBODY)
    console.get("/sign-in", endpoint="sign_in")(for_all(_show))
    console.post("/sign-in", endpoint="enter")(for_all(_enter))
    console.post("/sign-out", endpoint="sign_out")(needs(Role.LOOK)(_leave))
    console.post("/language", endpoint="language")(for_all(_choose_language))


def _show() -> ResponseReturnValue:
    if operator() is not None:
        return redirect(_destination())
    return _page()


def _enter() -> ResponseReturnValue:
    presented = request.form.get("token", "").strip()[:_LONGEST_TOKEN]
    token = present_token(presented)
    if token is None:
        return _page(gettext("There is no such access key. Please check it, or ask for one.")), 401
    sessions.begin(token)
    log.info("console_signed_in", caller=token.name, role=token.role.name.lower())
    typed = resume.carried()
    return resume.way_back(_destination(), typed) if typed else redirect(_destination())


def _leave() -> ResponseReturnValue:
    sessions.end()
    flash(gettext("You are signed out."), "info")
    return redirect(url_for("console.sign_in"))


def _choose_language() -> ResponseReturnValue:
    chosen = request.form.get("language", "")
    if chosen not in LANGUAGES:
        raise NotFound
    sessions.choose_language(chosen)
    return redirect(_destination())


def _page(problem: str | None = None) -> str:
    kept = resume.as_hidden(resume.carried())
    return render_template("console/sign_in.html", problem=problem, destination=_destination(), kept=kept)


def _destination() -> str:
    """Where to go afterwards: a page of the console, never an address of somebody else's."""
    wanted = request.values.get("next", "")
    parts = urlsplit(wanted)
    is_ours = not parts.scheme and not parts.netloc and wanted.startswith("/console") and "\\" not in wanted
    return wanted if is_ours and wanted.isprintable() else url_for("console.index")


def cookie_was_refused() -> bool:
    """Whether the browser sent a form without the cookie that came with it: it takes no cookie from this address."""
    return not session


def is_plain_http() -> bool:
    """Whether the browser itself says that it talks plain HTTP to another machine, where it takes no secure cookie."""
    origin = urlsplit(request.headers.get("Origin", ""))
    return origin.scheme == "http" and not _is_this_machine(origin.hostname or "")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
