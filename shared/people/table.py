"""The people of a service as typed values, read from their table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import NotFound
from shared.database.statements import Statement
from shared.database.tables import KernelTables
from shared.fields.declaration import Fields, Values
from shared.people.listing import count, found_by, sought_in
from shared.text.keys import search_key

P = TypeVar("P")


def searched_key(fields: Fields, values: Values) -> str:
    """What a search looks in, of a person with these values."""
    return search_key(" ".join(str(values.get(name) or "") for name in fields.searched)) or ""


@dataclass(frozen=True)
class PersonTable(Generic[P]):
    """A service's table of people. `person` makes the typed value of a row, from its columns as keywords."""

    kernel: KernelTables
    table: sa.Table
    fields: Fields
    person: Callable[..., P]

    def get(self, connection: Connection, person_id: int) -> P:
        """The person. Raises `NotFound`."""
        (person,) = self._of(self._read(connection, ids=[person_id]), 1)
        return person

    def lock(self, connection: Connection, ids: Iterable[int]) -> dict[int, P]:
        """The people by id, locked in order of id against concurrent writers. Raises `NotFound` if one is missing."""
        wanted = sorted(set(ids))
        people = self._of(self._read_locked(connection, ids=wanted), len(wanted))
        return dict(zip(wanted, people, strict=True))

    def page(
        self,
        connection: Connection,
        conditions: Sequence[sa.ColumnElement[bool]],
        search: str | None,
        *,
        offset: int,
        limit: int,
    ) -> tuple[list[P], int]:
        """A page of the people who fulfil all conditions, newest first, and how many there are in all.

        Whoever is meant by `search` is among them. Raises `InvalidInput` for a search that is too long.
        """
        found = sa.and_(sa.true(), *conditions, *found_by(self.table, sought_in(search)))
        total = count(connection, self.table, [found])
        newest_first = (self.table.c.created_at.desc(), self.table.c.id.desc())
        page = sa.select(self.table).where(found).order_by(*newest_first).offset(offset).limit(limit)
        return [self.person(**row) for row in connection.execute(page).mappings()], total

    def _of(self, rows: Iterable[Values], wanted: int) -> list[P]:
        people = [self.person(**row) for row in rows]
        if len(people) < wanted:
            raise NotFound(f"{self.kernel.service_name.capitalize()} not found")
        return people

    @cached_property
    def _read(self) -> Statement:
        return Statement(self._select(), as_dicts=True)

    @cached_property
    def _read_locked(self) -> Statement:
        return Statement(self._select().with_for_update(), as_dicts=True)

    def _select(self) -> sa.Select[tuple[object, ...]]:
        number = self.table.c.id
        ids = sa.bindparam("ids", type_=sa.ARRAY(sa.Integer))
        return sa.select(self.table).where(number == sa.any_(ids)).order_by(number)
