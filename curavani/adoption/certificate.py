"""Proof that nothing was lost: a checksum of every column, of what it held, what it has to hold, and what it holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from curavani.adoption.plan import TablePlan


@dataclass(frozen=True, slots=True)
class Count:
    """A table's rows: how many, the lowest and highest id, and a checksum of each column by its name."""

    rows: int
    lowest: int | None
    highest: int | None
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """One table before and after, and what its kept columns had to hold afterwards."""

    plan: TablePlan
    before: Count
    wanted: Count
    after: Count
    next_id: int

    def differences(self) -> Iterator[str]:
        """Where the table is not what it has to be, in words."""
        name, wanted, after = self.plan.people.name, self.wanted, self.after
        if (wanted.rows, wanted.lowest, wanted.highest) != (after.rows, after.lowest, after.highest):
            yield f"{name}: {wanted.rows} rows have become {after.rows}"
        for column, checksum in wanted.columns.items():
            if after.columns.get(column) != checksum:
                yield f"{name}.{column}: the values are not those that were planned"
        if self.next_id <= (after.highest or 0):
            yield f"{name}: the next id would be {self.next_id}, which is taken"

    def as_json(self) -> dict[str, object]:
        changed = {column.name: column.changed for column in self.plan.columns}
        return {
            "rows_before": self.before.rows,
            "rows_after": self.after.rows,
            "ids": {"lowest": self.after.lowest, "highest": self.after.highest, "next": self.next_id},
            "columns": {
                name: {"before": checksum, "after": self.after.columns[name], "changed": changed[name]}
                for name, checksum in self.before.columns.items()
            },
            "left_alone": self.plan.left_alone(),
        }


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was taken over, from which revision of the platform, and how long its tables were locked."""

    adopted_at: datetime
    platform_revision: str | None
    revision: str
    seconds_locked: float
    proofs: tuple[Proof, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "adopted_at": self.adopted_at.isoformat(),
            "platform_revision": self.platform_revision,
            "revision": self.revision,
            "seconds_locked": round(self.seconds_locked, 2),
            "tables": {proof.plan.people.name: proof.as_json() for proof in self.proofs},
        }


def count_before(connection: Connection, plan: TablePlan) -> tuple[Count, Count]:
    """What the columns hold, and what they have to hold afterwards: all values are read once."""
    names = {column.name: _quoted(column.name) for column in plan.columns if column.action != "added"}
    converted = {name: rule.value for name, rule in plan.rules().items() if rule.rewritten}
    found = _count(connection, plan, [*names.items(), *converted.items()])
    before = dict(zip(names, found.checksums, strict=False))
    wanted = before | dict(zip(converted, found.checksums[len(names) :], strict=True))
    return found.of(before), found.of(wanted)


def count_after(connection: Connection, plan: TablePlan) -> Count:
    """What those columns hold now."""
    names = {column.name: _quoted(column.name) for column in plan.columns if column.action != "added"}
    found = _count(connection, plan, list(names.items()))
    return found.of(dict(zip(names, found.checksums, strict=True)))


@dataclass(frozen=True, slots=True)
class _Found:
    rows: int
    lowest: int | None
    highest: int | None
    checksums: Sequence[str]

    def of(self, columns: Mapping[str, str]) -> Count:
        return Count(self.rows, self.lowest, self.highest, columns)


def _count(connection: Connection, plan: TablePlan, values: Sequence[tuple[str, str]]) -> _Found:
    checksums = [f"coalesce(bit_xor({_checksum(value)}), 0)" for _, value in values]
    statement = f"SELECT count(*), min(id), max(id), {', '.join(checksums)} FROM {plan.people.name}"
    rows, lowest, highest, *found = connection.exec_driver_sql(statement).one()
    return _Found(rows, lowest, highest, [f"{checksum & 0xFFFF_FFFF_FFFF_FFFF:016x}" for checksum in found])


def _checksum(value: str) -> str:
    """Of one row: a hash of the value's text and the row's id; nothing differs from an empty text."""
    return f"hashtextextended(coalesce('=' || ({value})::text, ''), id)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
