"""What somebody typed while their session ran out: carried through the sign-in page and shown again.

It is kept in the pages alone, and never saved by itself: the form comes back as it was filled in.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import current_app, render_template, request
from flask_wtf.csrf import CSRFError

P = ParamSpec("P")
R = TypeVar("R")

_MARK = "keeps_typed"
_KEPT = "kept."
_AGAIN = "again"
_FORGERY_MARK = "csrf_token"

Typed = list[tuple[str, str]]


def keeps_typed(view: Callable[P, R]) -> Callable[P, R]:
    """Says of a view that takes a form that it heeds `is_shown_again`."""
    setattr(view, _MARK, True)
    return view


def is_shown_again() -> bool:
    """Whether the form in hand was filled in before the session ran out, and is only to be shown."""
    return request.form.get(_AGAIN) == "yes"


def typed_before_the_end() -> Typed:
    """What the request without a session carries; nothing unless it is a form of ours whose view shows it again.

    To be asked before the session is forgotten: a form of another site's making has no token of this browser's.
    """
    view = current_app.view_functions[str(request.endpoint)]
    if request.method != "POST" or not hasattr(view, _MARK):
        return []
    try:
        current_app.extensions["csrf"].protect()
    except CSRFError:
        return []
    return [(name, value) for name, value in request.form.items(multi=True) if name not in (_FORGERY_MARK, _AGAIN)]


def carried() -> Typed:
    """What the sign-in page in hand carries along."""
    pairs = request.form.items(multi=True)
    return [(name.removeprefix(_KEPT), value) for name, value in pairs if name.startswith(_KEPT)]


def as_hidden(typed: Typed) -> Typed:
    """The inputs by which the sign-in page carries it."""
    return [(f"{_KEPT}{name}", value) for name, value in typed]


def way_back(address: str, typed: Typed) -> str:
    """The page that leads back to the form, signed in."""
    return render_template("console/resume.html", address=address, typed=[*typed, (_AGAIN, "yes")])
