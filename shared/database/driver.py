"""The driver's own connection, for what SQLAlchemy lacks or does too slowly: COPY, notifications, autocommit."""

from typing import cast

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy.engine import Connection


def driver_of(connection: Connection) -> psycopg.Connection[TupleRow]:
    """What lies below SQLAlchemy's connection, and so works in the same transaction."""
    # SQLAlchemy gives it as the connection of any driver; the settings allow PostgreSQL by psycopg only.
    return cast("psycopg.Connection[TupleRow]", connection.connection.driver_connection)
