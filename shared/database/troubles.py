"""What an error of PostgreSQL is to us, by its SQLSTATE; where the client library gives none, by the server's words."""

import re
from collections.abc import Mapping

from shared.core.errors import (
    CuravaniError,
    DatabaseForbidden,
    DatabaseFull,
    DatabaseNotMigrated,
    DatabaseReadOnly,
    DatabaseUnavailable,
    PoolerInTransactionMode,
    RightMissing,
    TryAgain,
)
from shared.words.codes import Code

_BY_STATE: Mapping[str, type[CuravaniError]] = {
    "42P01": DatabaseNotMigrated,
    "3F000": DatabaseNotMigrated,
    "25006": DatabaseReadOnly,
    "53100": DatabaseFull,
}
_DETAILS: Mapping[str, Code] = {
    "53300": Code.TOO_MANY_CONNECTIONS,
    "57P01": Code.SERVER_SHUTS_DOWN,
    "57P02": Code.SERVER_SHUTS_DOWN,
    "57P03": Code.SERVER_SHUTS_DOWN,
    "3D000": Code.DATABASE_UNKNOWN,
}
_RIGHT = "42501"
_LOGIN = "28"
_OUTAGES = ("08", "53", "57P", "3D000")
"""The connection, the server's resources, a server that starts or shuts down, and a database that is not there."""
_AGAIN = "40"
_STATEMENT_POOLING = "pooling mode"

# Of a login that fails the client library gives no SQLSTATE, only the server's text.
_LOGIN_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), state)
    for pattern, state in (
        (r"FATAL:.*permission denied for database", _RIGHT),
        (r"FATAL:.*(authentication failed|pg_hba\.conf|role .* does not exist|not permitted to log in)", "28000"),
        (r"FATAL:.*permission denied", "28000"),
        (r"(FATAL|ERROR):.*(too many clients|too many connections|connection slots are|no more connections)", "53300"),
        (r"FATAL:.*the database system is (shutting down|starting up|in recovery|not yet accepting)", "57P03"),
        (r"FATAL:.*database .* does not exist", "3D000"),
    )
)


def failure_of(state: str, text: str, *, is_unanswered: bool, is_lost: bool) -> CuravaniError | None:
    """What an error is to us, None for a bug.

    `is_unanswered`: the driver failed without a word of the server's. `is_lost`: the connection is gone. The driver's
    classes alone will not do: an index limit and a cancelled statement are operational as well, and are the statement's
    own.
    """
    state = state or _state_of_login(text)
    if state in _BY_STATE:
        return _BY_STATE[state]()
    if state == _RIGHT:
        # At the login it is the whole database's, else one statement's.
        kind = DatabaseForbidden if is_unanswered else RightMissing
        return kind(detail=Code.RIGHT_MISSING)
    if state.startswith("08") and _STATEMENT_POOLING in text:
        return PoolerInTransactionMode()
    failure = {_AGAIN: TryAgain(), _LOGIN: DatabaseForbidden(detail=Code.LOGIN_REFUSED)}.get(state[:2])
    if failure is not None:
        return failure
    if is_lost or is_unanswered or state.startswith(_OUTAGES):
        unreachable = Code.SERVER_UNREACHABLE if is_unanswered and not state else None
        return DatabaseUnavailable(detail=_DETAILS.get(state, unreachable))
    return None


def is_out_of_connections(text: str) -> bool:
    """Whether a login failed for want of a free connection, which may be there in a moment."""
    return _state_of_login(text) == "53300"


def _state_of_login(text: str) -> str:
    return next((state for pattern, state in _LOGIN_TEXTS if pattern.search(text)), "")
