"""Who calls: bearer tokens with roles."""

from flask import g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from shared.core.tokens import ApiToken, Role, find_token
from shared.http.anonymous import anonymous_caller
from shared.http.service import current_service

DEVELOPMENT = ApiToken("development", Role.OPERATE, "-")


def admit(role: Role) -> ApiToken:
    """The caller, if of at least this role: 401 without a valid token, 403 with too small a role."""
    found = _authenticate()
    if found.role < role:
        raise Forbidden(f"This needs the role {role.name.lower()}")
    g.caller = found
    return found


def actor() -> str:
    """The caller of the request in hand, as the history names them."""
    caller: ApiToken = g.caller
    return f"api:{caller.name}"


def _authenticate() -> ApiToken:
    serving = current_service().serving
    if serving.api_auth == "off":
        return DEVELOPMENT
    given = request.authorization
    if given is not None and given.type == "bearer" and given.token:
        found = find_token(serving.tokens, given.token)
        if found is not None:
            return found
    anonymous = anonymous_caller()
    if anonymous is not None:
        return anonymous
    raise Unauthorized("A valid API token is required", www_authenticate=WWWAuthenticate("bearer"))
