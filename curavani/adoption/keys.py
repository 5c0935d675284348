"""Look-up keys of adopted people: computed here, because no database has them, and written in one statement."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from curavani.adoption.plan import People
from shared.database.copy import copy_rows
from shared.fields.declaration import Row

_BATCH = 5000
_ALSO_READ = ("vorname", "nachname", "plz", "email")


def fill_keys(connection: Connection, people: People, table: str, *, reduced: Sequence[str] = ()) -> None:
    """Gives every row of the table its keys.

    The columns of `reduced` hold less than the source once said: they are noted as its last word, so that its next one
    is taken.
    """
    read = sorted({*people.fields.searched, *_ALSO_READ})
    names = ["id", *people.keys(dict.fromkeys(read, ""))]
    columns = [sa.Column(name, people.table.c[name].type) for name in names]
    computed = sa.Table("adopted_keys", sa.MetaData(), *columns, prefixes=["TEMPORARY"])
    computed.create(connection)
    for batch in _batches(connection, table, read):
        given = [{"id": row["id"], **people.keys(row)} for row in batch]
        copy_rows(connection, computed, names, ([row[name] for name in names] for row in given))
    written = [f"{name} = given.{name}" for name in names if name != "id"]
    if reduced:
        base = ", ".join(f"'{name}', present.{name}" for name in reduced)
        written.append(f"source_record = jsonb_build_object({base})")
    connection.exec_driver_sql(
        f"UPDATE {table} AS present SET {', '.join(written)} FROM {computed.name} AS given WHERE present.id = given.id"
    )
    computed.drop(connection)


def _batches(connection: Connection, table: str, names: Sequence[str]) -> Iterator[Sequence[Row]]:
    statement = sa.text(f"SELECT id, {', '.join(names)} FROM {table} WHERE id > :last ORDER BY id LIMIT {_BATCH}")
    last = 0
    while rows := connection.execute(statement, {"last": last}).mappings().all():
        yield [dict(row) for row in rows]
        last = rows[-1]["id"]
