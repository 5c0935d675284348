"""Who calls: bearer tokens with roles."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from shared.core.tokens import ApiToken, Role, find_token
from shared.http.service import current_service

P = ParamSpec("P")
R = TypeVar("R")

DEVELOPMENT = ApiToken("development", Role.OPERATE, "-")


def requires(role: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Lets only callers of at least this role in: 401 without a valid token, 403 with too small a role."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            caller = _authenticate()
            if caller.role < role:
                raise Forbidden(f"This needs the role {role.name.lower()}")
            g.caller = caller
            return view(*args, **kwargs)

        return guarded

    return decorate


def caller() -> ApiToken:
    """The caller of the request in hand."""
    found: ApiToken = g.caller
    return found


def actor() -> str:
    """The caller as the history names it."""
    return f"api:{caller().name}"


def _authenticate() -> ApiToken:
    serving = current_service().serving
    if serving.api_auth == "off":
        return DEVELOPMENT
    given = request.authorization
    if given is not None and given.type == "bearer" and given.token:
        found = find_token(serving.tokens, given.token)
        if found is not None:
            return found
    raise Unauthorized("A valid API token is required", www_authenticate=WWWAuthenticate("bearer"))
