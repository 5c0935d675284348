"""The engine, and the one place where PostgreSQL's errors become ours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url

from shared.core.clock import set_clock
from shared.core.errors import CuravaniError, DatabaseReadOnly, DatabaseUnavailable
from shared.database.json_text import json_text
from shared.database.patience import PatientConnection
from shared.database.troubles import failure_of, is_out_of_connections
from shared.words.codes import Code

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
POOL_SIZE = 10
"""Connections that a process keeps; it may open as many again while all are in use."""
CONNECTION_PATIENCE_SECONDS = 10.0
"""So long a connection is waited for, one of this process's own or one of the server's, before it is an outage."""
_BETWEEN_TRIES_SECONDS = 0.2

# Not every version of PostgreSQL knows every one. Statements, where startup parameters would do: poolers refuse those.
_SETTLE = """
    SELECT set_config(name, wanted ->> name, false)
    FROM pg_settings, (SELECT %s::jsonb) AS given(wanted) WHERE wanted ? name
"""


def create_engine(url: str, *, application_name: str, pool_size: int = POOL_SIZE) -> Engine:
    """An engine for `postgresql://…`. Opens no connection yet. Statements' parameters never reach logs or errors."""
    engine = sa.create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        json_serializer=json_text,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=CONNECTION_PATIENCE_SECONDS,
        connect_args={
            "connect_timeout": 5,
            "application_name": application_name,
            "tcp_user_timeout": 10_000,
            **_KEEPALIVES,
        },
    )
    sa.event.listen(engine, "do_connect", _connect)
    sa.event.listen(engine, "connect", _settle)
    return engine


def _connect(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> PatientConnection:
    """Opens a connection. Where the server has none left, somebody else's may end in a moment: that is waited for."""
    deadline = time.monotonic() + CONNECTION_PATIENCE_SECONDS
    while True:
        try:
            return PatientConnection.connect(**parameters)
        except psycopg.OperationalError as error:
            if not is_out_of_connections(str(error)) or time.monotonic() > deadline:
                raise
        time.sleep(_BETWEEN_TRIES_SECONDS)


def _settle(driver: PatientConnection, _record: object) -> None:
    try:
        driver.autocommit = True
        driver.execute(_SETTLE, [json_text(_SESSION)])
        found = driver.execute("SELECT clock_timestamp(), pg_backend_pid()").fetchone()
        moment, driver.server_process = found or (None, None)
        driver.autocommit = False
        set_clock(moment)
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
        # All of this process's own are in use, and none came back in time.
        raise DatabaseUnavailable(detail=Code.TOO_MANY_CONNECTIONS) from error
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


def _failure(error: BaseException | None, *, is_lost: bool) -> CuravaniError | None:
    if not isinstance(error, psycopg.Error):
        return DatabaseUnavailable() if is_lost else None
    state = error.sqlstate or ""
    is_unanswered = not state and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return failure_of(state, str(error), is_unanswered=is_unanswered, is_lost=is_lost)
