"""What is wrong with the brokers as a whole, by the client library's own name of the error."""

from typing import Final

from shared.words.codes import Code

_ALL_DOWN = "_ALL_BROKERS_DOWN"
"""Follows every other error, and hides what is wrong with them."""
_LOGIN = frozenset(
    {"_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "ILLEGAL_SASL_STATE"}
)
_ADDRESS = "_RESOLVE"
_TLS = "_SSL"
_RIGHTS = "_AUTHORIZATION_FAILED"

BROKER_TROUBLES: Final = frozenset(
    {
        Code.BROKER_UNAVAILABLE,
        Code.BROKER_ADDRESS_UNKNOWN,
        Code.BROKER_TLS_FAILED,
        Code.BROKER_LOGIN_REFUSED,
        Code.BROKER_FORBIDDEN,
    }
)
"""Troubles of the brokers, and not of one topic or event."""


def broker_trouble(reason: str | None) -> Code:
    """What the last error says of the brokers: whatever is not known better is the network or the brokers' absence."""
    if reason is None:
        return Code.BROKER_UNAVAILABLE
    if reason == _ADDRESS:
        return Code.BROKER_ADDRESS_UNKNOWN
    if reason == _TLS:
        return Code.BROKER_TLS_FAILED
    if reason in _LOGIN:
        return Code.BROKER_LOGIN_REFUSED
    return Code.BROKER_FORBIDDEN if reason.endswith(_RIGHTS) else Code.BROKER_UNAVAILABLE


def more_telling(known: str | None, found: str) -> str | None:
    """Which of two errors of one client says more: that one of several brokers is away hides no refused password."""
    if found == _ALL_DOWN or (known is not None and broker_trouble(found) is Code.BROKER_UNAVAILABLE):
        return known
    return found
