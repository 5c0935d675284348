"""Statements that run for every file or record: compiled once, and executed by the driver itself.

SQLAlchemy compiles such a statement from its cache and wraps its result each time, which costs more than the statement.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from psycopg import Cursor
from psycopg.rows import dict_row, namedtuple_row
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Connection

from shared.database.tables import KernelTables

_DIALECT: Any = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Prepared:
    """A statement with named parameters, in the transaction of the connection that it is called with.

    Values go to the driver as they are: JSON has to be text already. Rows are named tuples, or dictionaries where
    `as_dicts`.
    """

    def __init__(self, statement: sa.Executable, *, as_dicts: bool = False) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        self._text = str(compiled)
        # What the statement says itself, such as a word in a condition.
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._rows: Any = dict_row if as_dicts else namedtuple_row

    def __call__(self, connection: Connection, **values: Any) -> Cursor[Any]:
        driver: Any = connection.connection.driver_connection
        cursor: Cursor[Any] = driver.cursor(row_factory=self._rows)
        return cursor.execute(self._text, {**self._fixed, **values})

    def one(self, connection: Connection, **values: Any) -> Any:
        """The only row."""
        (row,) = self(connection, **values)
        return row


def per_service(build: Callable[..., sa.Executable]) -> Callable[..., Prepared]:
    """Makes a function that builds a statement on a service's tables compile it once for each service."""

    @lru_cache(maxsize=64)
    def prepared(kernel: KernelTables, *wanted: str) -> Prepared:
        return Prepared(build(kernel, *wanted))

    return prepared
