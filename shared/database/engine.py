"""The engine, and the one place where PostgreSQL's errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url

from shared.core.errors import DatabaseNotMigrated, DatabaseUnavailable
from shared.database.json_text import json_text

# A server that vanished without closing the connection (power, network) must be noticed within seconds,
# on both sides: the client to report it, the server to set the dead process's locks free.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
# Our statements find a few rows, which the planner cannot know of a table just filled; to start helpers for them would
# take longer than they do.
_NO_HELPERS = "-c max_parallel_workers_per_gather=0"
_SESSION = "-c timezone=UTC -c idle_in_transaction_session_timeout=10min"
_SERVER_KEEPALIVES = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"


def create_engine(url: str, *, application_name: str, pool_size: int = 10) -> Engine:
    """An engine for `postgresql://…`. Opens no connection yet. Statements' parameters never reach logs or errors."""
    return sa.create_engine(
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
            "options": f"{_SERVER_KEEPALIVES} {_NO_HELPERS} {_SESSION}",
            **_KEEPALIVES,
        },
    )


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
        if isinstance(error.orig, (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)):
            raise DatabaseNotMigrated from None
        if _is_outage(error):
            # The driver's text may quote a row (DETAIL) or the address with its user: it is not passed on.
            raise DatabaseUnavailable from None
        raise
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise DatabaseNotMigrated from None
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise DatabaseUnavailable from None


def _is_outage(error: sa.exc.DBAPIError) -> bool:
    return error.connection_invalidated or isinstance(error.orig, (psycopg.OperationalError, psycopg.InterfaceError))
