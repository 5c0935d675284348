"""The one writer of people: what is created, changed and deleted, with its history, its events and who did it.

Everything happens in sets and in the caller's transaction. An event exists exactly where something changed. `actor` is
`import:ID`, `api:NAME` or `cli:NAME`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.copy import copy_rows
from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.events.outbox import write_events
from shared.fields.declaration import Row, Values
from shared.history.actions import record_for_each
from shared.history.changes import FieldChange, write_changes
from shared.people.announcements import Announcement, Announcer, deleted
from shared.people.table import PersonTable
from shared.words.statuses import Action

P = TypeVar("P")

_NOW = Statement("SELECT now()")


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of one locked row: `fields` are announced and kept in the history, `technical` ones are not.

    A technical column that `before` does not carry is written without being compared.
    """

    before: Row
    fields: Values
    technical: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A row before and afterwards, the names of the columns that differ, in the order they were given, and by whom."""

    before: Row
    after: dict[str, Any]
    written: list[str]
    actor: str


@dataclass(frozen=True)
class PersonWriter(Generic[P]):
    """Writes a service's people.

    `following` gives the columns that follow from the others, such as look-up keys; `event_of_change` says from a row
    before and afterwards which type of event tells of that, and what it says beside the person.
    """

    people: PersonTable[P]
    following: Callable[[Row], Values]
    event_of_change: Callable[[Row, Row], tuple[str, Values | None]]

    def create(self, connection: Connection, rows: Sequence[Values], actor: str) -> list[int]:
        """Inserts validated rows; returns their ids in the same order.

        All rows have the same columns, whichever; the others take the database's defaults.
        """
        if not rows:
            return []
        ids = self.reserve_ids(connection, len(rows))
        complete = ({**row, **self.following(row)} for row in rows)
        self.create_under(connection, dict(zip(ids, complete, strict=True)))
        record_for_each(connection, self.people.kernel, Action.CREATE, actor, ids)
        return ids

    def reserve_ids(self, connection: Connection, count: int) -> list[int]:
        """So many ids that nobody has yet."""
        return list(self._new_ids.one(connection, count=count)[0])

    def create_under(self, connection: Connection, rows: Mapping[int, Values]) -> None:
        """Inserts validated rows of the same columns, those that follow from others among them, under reserved ids.

        Who did it the caller keeps.
        """
        if not rows:
            return
        columns = tuple(next(iter(rows.values())))
        values = ((*[row[name] for name in columns], number) for number, row in rows.items())
        copy_rows(connection, self.people.table, (*columns, "id"), values)
        created = f"{self.people.kernel.service_name}.created"
        self._announce(connection, [Announcement(created, number) for number in rows])

    def update(self, connection: Connection, changes: Sequence[Change], actor: str) -> list[Row]:
        """Writes the changes of rows that the caller has locked; returns them as they are afterwards.

        Only columns that some change of the batch names are written. Values equal to the present ones are no change.
        """
        return self.update_all(connection, [(change, actor) for change in changes])

    def update_all(self, connection: Connection, changes: Sequence[tuple[Change, str]]) -> list[Row]:
        """The same of changes by several actors, each with its own."""
        planned = [self._plan(change, actor) for change, actor in changes]
        content = frozenset(self.people.fields.content)
        changed = [plan for plan in planned if not content.isdisjoint(plan.written)]
        if changed:
            moment = _NOW.one(connection)[0]
            for plan in changed:
                plan.after["updated_at"] = moment
                plan.written.append("updated_at")
        self._write(connection, [plan for plan in planned if plan.written])
        history = [
            FieldChange(plan.before["id"], name, plan.before[name], plan.after[name], plan.actor)
            for plan in changed
            for name in plan.written
            if name in content
        ]
        write_changes(connection, self.people.kernel, history)
        self._announce(connection, [self._announcement(plan) for plan in changed])
        return [plan.after for plan in planned]

    def delete(self, connection: Connection, ids: Iterable[int], actor: str) -> None:
        """Removes the rows and announces it. The caller removes what refers to them first. Raises `NotFound`."""
        kernel, table = self.people.kernel, self.people.table
        gone = list(self.people.lock(connection, ids))
        connection.execute(sa.delete(table).where(table.c.id.in_(gone)))
        write_events(connection, kernel, [deleted(kernel, number) for number in gone])
        record_for_each(connection, kernel, Action.DELETE, actor, gone)

    def _plan(self, change: Change, actor: str) -> _Plan:
        before = change.before
        written = _differing(before, {**change.fields, **change.technical})
        after = {**before, **written}
        written |= _differing(before, self.following(after))
        return _Plan(before, {**after, **written}, list(written), actor)

    def _announcement(self, plan: _Plan) -> Announcement:
        event_type, details = self.event_of_change(plan.before, plan.after)
        return Announcement(event_type, plan.before["id"], details)

    def _write(self, connection: Connection, plans: Sequence[_Plan]) -> None:
        if not plans:
            return
        table, names = self.people.table.fullname, sorted({name for plan in plans for name in plan.written})
        # The table's own row type turns the JSON back into typed values: one statement, however many rows.
        statement = sa.text(
            f"UPDATE {table} AS present SET {', '.join(f'{name} = given.{name}' for name in names)}"
            f" FROM jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb)) AS given"
            " WHERE present.id = given.id"
        )
        given = json_text([{name: plan.after[name] for name in ("id", *names)} for plan in plans])
        connection.execute(statement, {"rows": given})

    @cached_property
    def _announce(self) -> Announcer:
        return Announcer(self.people)

    @cached_property
    def _new_ids(self) -> Statement:
        """So many fresh ids."""
        sequence = f"CAST(pg_get_serial_sequence('{self.people.table.fullname}', 'id') AS regclass)"
        return Statement(f"SELECT ARRAY(SELECT nextval(name) FROM generate_series(1, :count), {sequence} AS name)")


def _differing(before: Row, wanted: Values) -> dict[str, object]:
    return {name: value for name, value in wanted.items() if name not in before or before[name] != value}
