"""Rows into a table: many at once by PostgreSQL's COPY, a single one by a prepared INSERT."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection

from shared.database.driver import driver_of
from shared.database.json_text import json_text


def copy_rows(connection: Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Appends the rows, values in the order of `columns`, in the connection's transaction; returns how many there were.

    Rows that are made while they are asked for are made while the server stores those before. No rows: does nothing.
    """
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None:
        return 0
    documents = [isinstance(table.c[name].type, JSONB) for name in columns]
    # The driver would send a list as an array; a JSON column takes its text.
    positions = [position for position, is_document in enumerate(documents) if is_document]
    driver = driver_of(connection)
    second = next(remaining, None)
    if second is None:
        # COPY is never prepared and takes three round trips; of one row that is most of the cost.
        driver.execute(_insert(table, tuple(columns)), _with_json_text(first, positions))
        return 1
    with driver.cursor() as cursor, cursor.copy(_copy(table, tuple(columns))) as copy:
        count = 0
        for row in chain((first, second), remaining):
            copy.write_row(_with_json_text(row, positions) if positions else row)
            count += 1
    return count


def _with_json_text(row: Sequence[object], positions: Sequence[int]) -> list[object]:
    values = list(row)
    for position in positions:
        if values[position] is not None:
            values[position] = json_text(values[position])
    return values


# The same few statements for every file; to put one together takes as long as to run it.
@lru_cache(maxsize=64)
def _copy(table: sa.Table, columns: tuple[str, ...]) -> bytes:
    return sql.SQL("COPY {} ({}) FROM STDIN").format(_name(table), _names(columns)).as_bytes()


@lru_cache(maxsize=64)
def _insert(table: sa.Table, columns: tuple[str, ...]) -> bytes:
    values = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(_name(table), _names(columns), values).as_bytes()


def _name(table: sa.Table) -> sql.Identifier:
    return sql.Identifier(table.schema, table.name) if table.schema else sql.Identifier(table.name)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
