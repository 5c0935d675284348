"""Callers without a token: the platform's own services, which send none, from the networks that were named."""

from flask import request

from shared.core.networks import is_within
from shared.core.tokens import ApiToken, Role
from shared.http.service import current_service


def anonymous_caller() -> ApiToken | None:
    """The caller of the API who shows nothing at all, if that is allowed where they come from.

    Whoever sends an `Authorization` header, be it empty or wrong, wants to be somebody, and is not let in as nobody.
    """
    serving = current_service().serving
    if serving.anonymous_role is None or "Authorization" in request.headers:
        return None
    if not is_within(request.remote_addr, serving.anonymous_networks):
        return None
    return ApiToken("anonymous", Role[serving.anonymous_role.upper()], "-")
