"""The driver's own connection, for what SQLAlchemy lacks or does too slowly: COPY, notifications, autocommit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
from psycopg.pq import PipelineStatus
from psycopg.rows import TupleRow
from sqlalchemy.engine import Connection


def driver_of(connection: Connection) -> psycopg.Connection[TupleRow]:
    """What lies below SQLAlchemy's connection, and so works in the same transaction."""
    # SQLAlchemy gives it as the connection of any driver; the settings allow PostgreSQL by psycopg only.
    return cast("psycopg.Connection[TupleRow]", connection.connection.driver_connection)


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Sends the block's statements at once, in their order, and waits for all of them at its end: one round trip.

    Only for `Statement`s and single rows. Whose result is asked for within the block is waited for, with those before
    it. Blocks within the block go with it. An error is raised at the end.
    """
    driver = driver_of(connection)
    if driver.pgconn.pipeline_status != PipelineStatus.OFF:
        yield
        return
    with driver.pipeline():
        yield
