"""Who looked at whom: one row for each look at and change of a person or file, which nobody can change afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.database.copy import copy_rows
from shared.database.tables import KernelTables
from shared.words.statuses import Access

_COLUMNS = ("actor", "action", "entity_id", "import_id", "route")
_DAYS = sa.text("SELECT set_config('curavani.access_log_days', :days, true)")


@dataclass(frozen=True, slots=True)
class Seen:
    """One person or file that somebody saw or changed; neither number: a list of persons."""

    action: Access
    entity_id: int | None = None
    import_id: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for in the record; None: whatever."""

    actor: str | None = None
    entity_id: int | None = None
    import_id: int | None = None
    since: datetime | None = None
    before: datetime | None = None


def record_accesses(connection: Connection, kernel: KernelTables, actor: str, route: str, seen: Sequence[Seen]) -> None:
    """Puts on record what `actor` saw by this route, or by this command."""
    rows = ((actor, one.action.value, one.entity_id, one.import_id, route) for one in seen)
    copy_rows(connection, kernel.access_log, _COLUMNS, rows)


def find_accesses(
    connection: Connection, kernel: KernelTables, wanted: Wanted, *, offset: int, limit: int
) -> tuple[Sequence[RowMapping], int]:
    """A page of the record, latest first, and how many rows there are in all."""
    table = kernel.access_log
    found = sa.select(table).where(*_conditions(table, wanted))
    total = connection.execute(sa.select(sa.func.count()).select_from(found.subquery())).scalar_one()
    rows = connection.execute(found.order_by(table.c.id.desc()).offset(offset).limit(limit)).mappings().all()
    return rows, total


def forget_accesses(connection: Connection, kernel: KernelTables, days: int) -> int:
    """Removes what is older than so many days, which alone the database allows; returns how many rows."""
    connection.execute(_DAYS, {"days": str(days)})
    table = kernel.access_log
    old = table.c.at < sa.func.now() - sa.func.make_interval(0, 0, 0, days)
    return connection.execute(sa.delete(table).where(old)).rowcount


def _conditions(table: sa.Table, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    column = table.c
    given = {column.actor: wanted.actor, column.entity_id: wanted.entity_id, column.import_id: wanted.import_id}
    conditions = [name == value for name, value in given.items() if value is not None]
    if wanted.since is not None:
        conditions.append(column.at >= wanted.since)
    if wanted.before is not None:
        conditions.append(column.at < wanted.before)
    return conditions
