"""Statements that run for every file or record: compiled once, and executed by the driver itself.

SQLAlchemy compiles such a statement from its cache and wraps its result each time, which costs more than the statement.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from psycopg import Cursor
from psycopg.rows import RowFactory, dict_row, namedtuple_row
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Connection

from shared.database.driver import driver_of

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


class Statement:
    """A statement with named parameters, in the transaction of the connection that it is called with.

    Written as SQL (parameters as `:name`) or put together by SQLAlchemy. Values go to the driver as they are: JSON has
    to be text already. Rows are named tuples, or dictionaries where `as_dicts`.
    """

    def __init__(self, statement: str | sa.ClauseElement, *, as_dicts: bool = False) -> None:
        clause = sa.text(statement) if isinstance(statement, str) else statement
        compiled = clause.compile(dialect=_DIALECT)
        self._text = str(compiled)
        # What the statement says itself, such as a word in a condition.
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._rows: RowFactory[Any] = dict_row if as_dicts else namedtuple_row

    def __call__(self, connection: Connection, **values: object) -> Cursor[Any]:
        cursor = driver_of(connection).cursor(row_factory=self._rows)
        return cursor.execute(self._text, {**self._fixed, **values})

    def one(self, connection: Connection, **values: object) -> Any:
        """The only row."""
        (row,) = self(connection, **values)
        return row


class KernelStatement:
    """SQL on tables that each service has in its own schema, written as `{schema}`; compiled once for each service."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._in_schema = lru_cache(maxsize=8)(self._compiled)

    def of(self, schema: str) -> Statement:
        """The statement on this schema's tables."""
        return self._in_schema(schema)

    def _compiled(self, schema: str) -> Statement:
        return Statement(self._text.replace("{schema}", schema))
