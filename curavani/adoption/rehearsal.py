"""The change, tried on a copy of the rows that only this session sees: how long it takes, and whether there is room."""

import time

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from curavani.adoption.certificate import count_after, count_before
from curavani.adoption.keys import fill_keys
from curavani.adoption.plan import Plan, TablePlan

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def rehearse(connection: Connection, plan: Plan) -> float:
    """Rewrites all rows into temporary tables, with keys, indexes and checksums; the seconds that took.

    The tables themselves are only read. The caller rolls back.
    """
    begun = time.monotonic()
    for table in plan.tables:
        _rehearse(connection, table)
    return time.monotonic() - begun


def _rehearse(connection: Connection, plan: TablePlan) -> None:
    people, rules = plan.people, plan.rules()
    copy = f"tried_{people.table.name}"
    values = [f"({rule.value})::{_there(rule.type)} AS {name}" for name, rule in rules.items()]
    values += [f"NULL::{_type(column)} AS {column.name}" for column in people.table.c if column.name not in rules]
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {copy} AS SELECT {', '.join(values)} FROM {people.name}")
    count_before(connection, plan)
    count_after(connection, plan)
    fill_keys(connection, people, copy)
    for index in people.table.indexes:
        columns = ", ".join(column.name for column in index.columns)
        using = index.dialect_options["postgresql"]["using"] or "btree"
        connection.exec_driver_sql(f"CREATE INDEX ON {copy} USING {using} ({columns})")


def _type(column: sa.Column[object]) -> str:
    return _there(column.type.compile(_DIALECT))


def _there(type_name: str) -> str:
    """Our enumerations are not there yet: their words are texts in the copy."""
    return "text" if "." in type_name else type_name
