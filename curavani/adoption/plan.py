"""What taking a database over would change, and what stands in its way. Reads, and changes nothing."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from curavani.adoption import catalog
from curavani.adoption.catalog import FoundTable
from curavani.adoption.rules import JOINED, Found, Rule, rule_for
from patient_service import models as patient_models
from patient_service.keys import following_keys as patient_keys
from patient_service.patient import PATIENT
from shared.database.revision import SCHEMAS, VERSION_TABLE
from shared.fields.declaration import Field, Fields, Row, RowNumber, Values
from therapist_service import models as therapist_models
from therapist_service.keys import following_keys as therapist_keys
from therapist_service.therapist import THERAPIST

Action = Literal["kept", "converted", "added", "left alone"]


@dataclass(frozen=True, slots=True)
class People:
    """One of the two tables: what it becomes, and which columns follow from a row's others."""

    table: sa.Table
    fields: Fields
    keys: Callable[[Row], Values]

    @property
    def schema(self) -> str:
        return str(self.table.schema)

    @property
    def name(self) -> str:
        """With its schema."""
        return self.table.fullname


PEOPLE: Final = (
    People(patient_models.patienten, PATIENT, patient_keys),
    People(therapist_models.therapeuten, THERAPIST, therapist_keys),
)


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One column: what is done with it, in how many rows its value changes, and how many do not fit."""

    name: str
    action: Action
    before: str
    after: str
    rule: Rule | None = None
    changed: int = 0
    misfits: int = 0
    needs: str = ""


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table."""

    people: People
    rows: int
    size_bytes: int
    columns: tuple[ColumnPlan, ...]

    def rules(self) -> dict[str, Rule]:
        """The columns that are kept or converted, with their rules."""
        return {column.name: column.rule for column in self.columns if column.rule is not None}

    def reduced(self) -> list[str]:
        """The lists of which the platform had kept one word only."""
        return [name for name, rule in self.rules().items() if rule.reduced]

    def left_alone(self) -> list[str]:
        """The columns that we have no place for."""
        return [column.name for column in self.columns if column.action == "left alone"]


@dataclass(slots=True)
class Plan:
    """Both tables, what stands in the way (`obstacles`), and what one should know (`remarks`)."""

    revision: str | None
    tables: list[TablePlan] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float | None = None
    """How long both tables would be locked, measured on a copy of the rows; None where that was not measured."""

    def as_json(self) -> dict[str, object]:
        return {
            "platform_revision": self.revision,
            "tables": {table.people.name: _table_json(table) for table in self.tables},
            "obstacles": self.obstacles,
            "remarks": self.remarks,
            "seconds_locked": None if self.seconds is None else math.ceil(self.seconds * 10) / 10,
        }


def _table_json(table: TablePlan) -> dict[str, object]:
    columns = [
        {
            "column": it.name, "action": it.action, "before": it.before, "after": it.after,
            "becomes": it.rule.says if it.rule else "", "changed": it.changed, "misfits": it.misfits, "needs": it.needs,
        }
        for it in table.columns
    ]  # fmt: skip
    return {"rows": table.rows, "bytes": table.size_bytes, "columns": columns}


def read_plan(connection: Connection) -> Plan:
    """The plan for this database, whose tables are known not to be ours."""
    plan = Plan(_platform_revision(connection))
    plan.obstacles += _half_ours(connection)
    rights = catalog.missing_rights(connection, SCHEMAS)
    plan.obstacles += [f"This role may not {right}. Run it as the owner of the database." for right in rights]
    if rights:
        return plan
    prepare_session(connection)
    for people in PEOPLE:
        found = catalog.read_table(connection, people.schema, people.table.name)
        if found is None:
            plan.obstacles.append(f"{people.name}: there is no such table.")
            continue
        plan.obstacles += _in_the_way(people, found)
        table = _plan_table(connection, people, found)
        plan.tables.append(table)
        plan.obstacles += _misfits(table)
        plan.remarks += _remarks(table)
    sessions = catalog.other_sessions(connection)
    if sessions:
        names = ", ".join(sorted(set(sessions)))
        plan.remarks.append(f"{len(sessions)} other sessions are connected ({names}): stop those programs first.")
    return plan


def prepare_session(connection: Connection) -> None:
    """Makes what the rules' expressions rely on, for this session: a function, and one way to write dates."""
    connection.exec_driver_sql("SET LOCAL datestyle = 'ISO'")
    connection.exec_driver_sql(_JOINED_TEXT)


_JOINED_TEXT = f"""
    CREATE OR REPLACE FUNCTION {JOINED}(jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
      SELECT string_agg(part, ', ' ORDER BY place)
      FROM jsonb_array_elements_text(CASE jsonb_typeof($1) WHEN 'array' THEN $1 ELSE '[]' END)
        WITH ORDINALITY AS parts(part, place)
      WHERE part <> '' $$
"""


def _platform_revision(connection: Connection) -> str | None:
    if connection.execute(sa.text("SELECT to_regclass('public.alembic_version')")).scalar() is None:
        return None
    return connection.execute(sa.text("SELECT version_num FROM public.alembic_version LIMIT 1")).scalar()


def _half_ours(connection: Connection) -> Iterable[str]:
    """Tables and types of ours beside the platform's tables: somebody has begun something, and we do not guess what."""
    begun = catalog.things_in(connection, "public") & {VERSION_TABLE}
    found = {f"public.{name}" for name in begun}
    for people in PEOPLE:
        metadata = people.table.metadata
        types = {column.type.name for column in people.table.columns if isinstance(column.type, sa.Enum)}
        ours = {table.name for table in metadata.tables.values()} | {str(name) for name in types}
        there = catalog.things_in(connection, people.schema) & (ours - {people.table.name})
        found |= {f"{people.schema}.{name}" for name in there}
    if found:
        yield (
            f"Half of this database is ours already: {', '.join(sorted(found))}."
            " Restore the platform's dump into an empty database, and adopt that one."
        )


def _in_the_way(people: People, found: FoundTable) -> Iterable[str]:
    if not found.is_plain:
        yield f"{people.name} is no plain table (a view, partitions, row security): unknown to us."
    if not found.may_alter:
        yield f"This role may not alter {people.name}. Run it as the owner of the table."
    if found.primary_key != ("id",):
        yield f"{people.name}: its primary key is not the column id."
    for hindrance in found.hindrances:
        yield f"{people.name}: {hindrance} depends on it, and is unknown to us. Remove it first."
    known = {declared.name for declared in people.fields}
    for name in found.required:
        if name not in known:
            yield f"{people.name}.{name}: unknown to us, must not be empty and has no default. Give it a default first."


def _misfits(table: TablePlan) -> Iterable[str]:
    for column in table.columns:
        if column.misfits:
            place = f"{table.people.name}.{column.name}"
            yield f"{place}: {column.misfits} rows do not fit. Needed: {column.needs}. Correct them first."


def _remarks(table: TablePlan) -> Iterable[str]:
    left = table.left_alone()
    if left:
        yield f"{table.people.name}: we have no place for {', '.join(left)}; they stay as they are."
    needed = table.size_bytes * 3
    yield f"{table.people.name}: the disk of the database needs about {needed / 1e6:.0f} MB of room meanwhile."


def _plan_table(connection: Connection, people: People, found: FoundTable) -> TablePlan:
    declared = {field.name: field for field in people.fields}
    rules = {
        name: rule_for(declared[name], column, people.schema, found.columns)
        for name, column in found.columns.items()
        if name in declared
    }
    rows, counts = _count(connection, people, rules)
    columns = [_plan_column(column, rules, counts, rows) for column in found.columns.values()]
    columns += [_plan_new(people, field, rows) for field in people.fields if field.name not in found.columns]
    return TablePlan(people, rows, found.size_bytes, tuple(columns))


def _plan_column(
    found: Found, rules: Mapping[str, Rule | None], counts: Mapping[str, tuple[int, int, int]], rows: int
) -> ColumnPlan:
    if found.name not in rules:
        return ColumnPlan(found.name, "left alone", found.type, found.type)
    rule, (changed, misfits, given) = rules[found.name], counts[found.name]
    if rule is None:
        # Of an empty column nothing could get lost, but its type is none that we know how to change all the same.
        return ColumnPlan(
            found.name, "left alone", found.type, "unknown", misfits=given or max(rows, 1), needs="another type"
        )
    action: Action = "converted" if rule.rewritten else "kept"
    return ColumnPlan(found.name, action, found.type, rule.type, rule, changed, misfits, rule.needs)


def _plan_new(people: People, field: Field, rows: int) -> ColumnPlan:
    column = people.table.c[field.name]
    lacks_default = not field.nullable and column.server_default is None and not isinstance(field.kind, RowNumber)
    after = str(column.type)
    return ColumnPlan(
        field.name, "added", "", after, misfits=rows if lacks_default else 0, needs="a column that the platform has"
    )


def _count(
    connection: Connection, people: People, rules: Mapping[str, Rule | None]
) -> tuple[int, dict[str, tuple[int, int, int]]]:
    """How many rows there are, and of each column in how many its text changes, it does not fit, or anything stands."""
    wanted = ["count(*)", *(part for name, rule in rules.items() for part in _counted(name, rule))]
    numbers = iter(connection.exec_driver_sql(f"SELECT {', '.join(wanted)} FROM {people.name}").one())
    rows = int(next(numbers))
    return rows, {name: (int(next(numbers)), int(next(numbers)), int(next(numbers))) for name in rules}


def _counted(name: str, rule: Rule | None) -> tuple[str, str, str]:
    """In how many rows the column's text changes, in how many it does not fit, and in how many anything stands."""
    if rule is None:
        return "0", "0", f"count({name})"
    misfit = f"coalesce(({rule.misfit}), false)" if rule.misfit else "false"
    # What does not fit may not even be computed.
    differs = f"CASE WHEN NOT {misfit} THEN {name}::text IS DISTINCT FROM ({rule.value})::text END"
    changed = f"count(*) FILTER (WHERE {differs})" if rule.rewritten else "0"
    return changed, f"count(*) FILTER (WHERE {misfit})" if rule.misfit else "0", "0"
