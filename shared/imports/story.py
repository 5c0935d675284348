"""One file's story in portions that a page can show, however many records the file has."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.database.tables import KernelTables

_PLACES = 50


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of one code: how many, and where the first of them are (JSON pointers)."""

    code: str
    number: int
    places: Sequence[str]


def finding_groups(connection: Connection, kernel: KernelTables, import_id: int) -> list[FindingGroup]:
    """The findings of the latest attempt by code, the most frequent first."""
    columns = kernel.import_findings.c
    rank = sa.func.row_number().over(partition_by=columns.code, order_by=columns.id)
    ranked = (
        sa.select(columns.code, columns.pointer, columns.records, rank.label("rank"))
        .where(columns.import_id == import_id)
        .subquery()
    )
    places = sa.func.array_agg(ranked.c.pointer).filter(ranked.c.rank <= _PLACES)
    number = sa.func.sum(ranked.c.records)
    statement = sa.select(ranked.c.code, number, places).group_by(ranked.c.code).order_by(number.desc(), ranked.c.code)
    return [FindingGroup(code, many, list(where)) for code, many, where in connection.execute(statement)]


def outcomes(
    connection: Connection, kernel: KernelTables, import_id: int, *, offset: int, limit: int
) -> tuple[list[RowMapping], int]:
    """A page of the records' outcomes in the file's order, all but `unchanged`, and how many there are."""
    table = kernel.import_outcomes
    of_file = table.c.import_id == import_id
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(of_file)).scalar_one()
    page = sa.select(table).where(of_file).order_by(table.c.record_index, table.c.id).offset(offset).limit(limit)
    return list(connection.execute(page).mappings()), total


def changes(
    connection: Connection, kernel: KernelTables, import_id: int, *, limit: int
) -> tuple[list[RowMapping], int]:
    """The first fields that this file changed, with their values, and how many there are."""
    table = kernel.field_changes
    by_file = table.c.changed_by == f"import:{import_id}"
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(by_file)).scalar_one()
    page = sa.select(table).where(by_file).order_by(table.c.entity_id, table.c.id).limit(limit)
    return list(connection.execute(page).mappings()), total


def reviews(connection: Connection, kernel: KernelTables, import_id: int) -> Sequence[RowMapping]:
    """The reviews that this file opened, without their details."""
    columns = kernel.reviews.c
    shown = (columns.id, columns.kind, columns.state, columns.created_at, columns.decided_by, columns.decided_at)
    statement = sa.select(*shown).where(columns.import_id == import_id).order_by(columns.id)
    return connection.execute(statement).mappings().all()


def actions(connection: Connection, kernel: KernelTables, import_id: int) -> Sequence[RowMapping]:
    """What people did with the file, oldest first."""
    columns = kernel.operator_actions.c
    statement = sa.select(columns.action, columns.actor, columns.reason, columns.at)
    return connection.execute(statement.where(columns.import_id == import_id).order_by(columns.id)).mappings().all()


def codes_in_use(connection: Connection, kernel: KernelTables) -> list[str]:
    """The codes that files have ended with, in alphabetical order."""
    column = kernel.import_tracking.c.error_code
    return list(connection.execute(sa.select(column).where(column.is_not(None)).distinct().order_by(column)).scalars())
