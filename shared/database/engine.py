"""The engine, and the one place where PostgreSQL's errors become ours."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from psycopg.rows import TupleRow
from sqlalchemy.engine import Connection, Engine, make_url

from shared.core.errors import (
    CuravaniError,
    DatabaseForbidden,
    DatabaseFull,
    DatabaseNotMigrated,
    DatabaseReadOnly,
    DatabaseUnavailable,
    RightMissing,
    TryAgain,
)
from shared.database.json_text import json_text

# A server that vanished without closing the connection (power, network) must be noticed within seconds,
# on both sides: the client to report it, the server to set the dead process's locks free.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_SESSION = {
    "TimeZone": "UTC",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # Our statements find a few rows, which the planner cannot know of a table just filled; to start helpers for them
    # would take longer than they do.
    "max_parallel_workers_per_gather": "0",
    # Limits that the server or the role sets for people's own queries would cut off waiting for a lock, a pass over
    # many files, or the session that holds the import's lock, again and again at the same place.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "10min",
}
# Not every version of PostgreSQL knows every one. Statements, where startup parameters would do: poolers refuse those.
_SETTLE = """
    SELECT set_config(name, wanted ->> name, false)
    FROM pg_settings, (SELECT %s::jsonb) AS given(wanted) WHERE wanted ? name
"""


def create_engine(url: str, *, application_name: str, pool_size: int = 10) -> Engine:
    """An engine for `postgresql://…`. Opens no connection yet. Statements' parameters never reach logs or errors."""
    engine = sa.create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        json_serializer=json_text,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        connect_args={
            "connect_timeout": 5,
            "application_name": application_name,
            "tcp_user_timeout": 10_000,
            **_KEEPALIVES,
        },
    )
    sa.event.listen(engine, "connect", _settle)
    return engine


def _settle(driver: psycopg.Connection[TupleRow], _record: object) -> None:
    try:
        driver.autocommit = True
        driver.execute(_SETTLE, [json_text(_SESSION)])
        driver.autocommit = False
    except BaseException:
        # The pool does not know the connection yet, and nobody else would close it.
        driver.close()
        raise


def require_writable(connection: Connection) -> None:
    """Raises `DatabaseReadOnly` where the server takes no writes."""
    if connection.execute(sa.text("SELECT current_setting('transaction_read_only')")).scalar_one() == "on":
        raise DatabaseReadOnly


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that commits at the end and rolls back on any exception.

    Raises `DatabaseUnavailable` where the database cannot be reached or drops the connection.
    """
    with translated_errors(), engine.begin() as connection:
        yield connection


@contextmanager
def translated_errors() -> Iterator[None]:
    """Lets PostgreSQL's own failures out as ours. Faults of our statements stay what they are: bugs."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise DatabaseUnavailable from error
    except sa.exc.DBAPIError as error:
        failure = _failure(error.orig, is_lost=error.connection_invalidated)
        if failure is None:
            raise
        # The driver's text may quote a row (DETAIL) or the address with its user: it is not passed on.
        raise failure from None
    except psycopg.Error as error:
        failure = _failure(error, is_lost=False)
        if failure is None:
            raise
        raise failure from None


_BY_STATE: Mapping[str, type[CuravaniError]] = {
    "42P01": DatabaseNotMigrated,
    "3F000": DatabaseNotMigrated,
    "25006": DatabaseReadOnly,
    "53100": DatabaseFull,
    "42501": RightMissing,
}
_FORBIDDEN = "28"
_REFUSED_LOGIN = re.compile(
    r"FATAL:.*(authentication failed|pg_hba\.conf|role .* does not exist|permission denied|not permitted to log in)",
    re.DOTALL,
)
"""Of a login that was refused the client library gives no SQLSTATE, only the server's text."""
_OUTAGES = ("08", "53", "57P")
"""The connection, the server's resources, and a server that starts or shuts down."""
_AGAIN = "40"


def _failure(error: BaseException | None, *, is_lost: bool) -> CuravaniError | None:
    """What an error of the driver is to us, None for a bug.

    Decided by SQLSTATE, or by the connection's being lost. The driver's classes will not do: an index limit and a
    cancelled statement are `OperationalError` as well, and those are the statement's own.
    """
    state = (error.sqlstate or "") if isinstance(error, psycopg.Error) else ""
    if state in _BY_STATE:
        return _BY_STATE[state]()
    if state.startswith(_AGAIN):
        return TryAgain()
    if state.startswith(_FORBIDDEN) or (not state and _REFUSED_LOGIN.search(str(error))):
        return DatabaseForbidden()
    # Without a state the server said nothing: it was not there, or has gone.
    unanswered = not state and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return DatabaseUnavailable() if is_lost or unanswered or state.startswith(_OUTAGES) else None
