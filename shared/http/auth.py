"""Who calls: bearer tokens with roles, and what each view asks for."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from flask import Flask, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from shared.core.tokens import ApiToken, Role, find_token
from shared.http import limits
from shared.http.anonymous import anonymous_caller
from shared.http.service import current_service

P = ParamSpec("P")
R = TypeVar("R")

DEVELOPMENT = ApiToken("development", Role.OPERATE, "-")
EVERYBODY = None
"""What a view asks for that needs no sign-in."""
_MARK = "needed_role"


def needs(role: Role | None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Says of a view who may call it: this role and above, or everybody. Who lets people in heeds it."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def marked(*args: P.args, **kwargs: P.kwargs) -> R:
            return view(*args, **kwargs)

        setattr(marked, _MARK, role)
        return marked

    return decorate


def is_declared(view: Callable[..., Any]) -> bool:
    """Whether the view says who may call it."""
    return hasattr(view, _MARK)


def needed_role(view: Callable[..., Any]) -> Role | None:
    """The least role of the view's callers, None for everybody."""
    return cast("Role | None", getattr(view, _MARK))


def refuse_undeclared(app: Flask) -> None:
    """Refuses a view that does not say who may call it: forgetting that must not open a door."""

    @app.before_request
    def refuse() -> None:
        if request.endpoint is not None and not is_declared(app.view_functions[request.endpoint]):
            raise Forbidden


def admit(role: Role) -> ApiToken:
    """The caller, if of at least this role: 401 without a valid token, 403 with too small a role, 429 where too many
    wrong ones came from this address."""
    found = _authenticate()
    g.caller = found
    if found.role < role:
        limits.count("role")
        raise Forbidden(f"This needs the role {role.name.lower()}")
    return found


def actor() -> str:
    """The caller of the request in hand, as the history names them."""
    caller: ApiToken = g.caller
    return f"api:{caller.name}"


def present_token(token: str) -> ApiToken | None:
    """Whose token this is, None for a wrong one, which counts. Raises `TooManyRequests`."""
    limits.require_patience(token)
    found = find_token(current_service().serving.tokens, token)
    if found is None:
        limits.note_wrong_token(token)
    return found


def _authenticate() -> ApiToken:
    if current_service().serving.api_auth == "off":
        return DEVELOPMENT
    given = request.authorization
    if given is not None and given.type == "bearer" and given.token:
        found = present_token(given.token)
        if found is not None:
            return found
    elif "Authorization" in request.headers:
        limits.count("header")
    elif (anonymous := anonymous_caller()) is not None:
        return anonymous
    else:
        limits.count("missing")
    raise Unauthorized("A valid API token is required", www_authenticate=WWWAuthenticate("bearer"))
