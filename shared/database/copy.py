"""Many rows at once, by PostgreSQL's COPY."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection

from shared.database.json_text import json_text


def copy_rows(connection: Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
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
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_statement(table, columns)) as copy:
        count = 0
        for row in chain((first,), remaining):
            copy.write_row(_with_json_text(row, positions) if positions else row)
            count += 1
    return count


def _with_json_text(row: Sequence[Any], positions: Sequence[int]) -> list[Any]:
    values = list(row)
    for position in positions:
        if values[position] is not None:
            values[position] = json_text(values[position])
    return values


def _statement(table: sa.Table, columns: Sequence[str]) -> sql.Composed:
    path = (table.schema, table.name) if table.schema else (table.name,)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(*path), names)
