"""Refused callers: counted, logged by their network, and made to wait where they try tokens."""

import hmac
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import cast

from flask import current_app, request
from werkzeug.exceptions import TooManyRequests

from shared.core.logs import get_logger
from shared.database.engine import transaction
from shared.history.refusals import BLOCKED_SECONDS, is_blocked, note_refusal
from shared.http.service import current_service

log = get_logger(__name__)

_UNKNOWN = "unknown"
_BEGINNING = 8


def caller_address() -> str:
    """Whom the limits count: an IPv4 address, or the IPv6 network (/64) that one household or office has."""
    found = _address()
    if isinstance(found, IPv6Address):
        return str(ip_network(f"{found}/64", strict=False))
    return str(found) if found is not None else _UNKNOWN


def caller_network() -> str:
    """The address as the log may have it, shortened so that it names nobody: /24, of IPv6 /48."""
    found = _address()
    if found is None:
        return _UNKNOWN
    return str(ip_network(f"{found}/{48 if isinstance(found, IPv6Address) else 24}", strict=False))


def require_patience(token: str) -> None:
    """Raises `TooManyRequests` where this address tried too many wrong tokens, whichever token comes now; or just now a
    wrong one, while too many are tried that begin like this one.
    """
    service = current_service()
    with transaction(service.engine) as connection:
        blocked = is_blocked(connection, service.kernel, caller_address(), _beginning(token))
    if blocked:
        count("patience")
        raise TooManyRequests("Too many wrong tokens", retry_after=BLOCKED_SECONDS)


def note_wrong_token(token: str) -> None:
    """Counts a wrong token against this address, and for how it begins."""
    service = current_service()
    with transaction(service.engine) as connection:
        note_refusal(connection, service.kernel, caller_address(), _beginning(token))
    count("token")


def count(reason: str) -> None:
    """Puts a refusal into the metrics and the log: why, from which network, and nothing of the token."""
    current_service().metrics.refusal(reason)
    log.warning("caller_refused", reason=reason, network=caller_network())


def _beginning(token: str) -> str:
    """How the token begins, as the database may have it: keyed with what stands in no database."""
    told = f"beginning {token[:_BEGINNING]}".encode("utf-8", "surrogateescape")
    return f"beginning {hmac.new(cast('bytes', current_app.secret_key), told, 'sha256').hexdigest()}"


def _address() -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return None
    # Of an IPv4 caller at a socket for both, the address that everybody else sees.
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
