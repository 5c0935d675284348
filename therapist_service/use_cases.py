"""What can be done to therapists, whoever asks: the HTTP API, the import, a decision in a review.

Every function works on a batch in the caller's transaction, in sets, and writes the history and the events of what it
changed with it. An event exists exactly where something changed. `actor` is `import:ID` or `api:NAME`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.core.errors import NotFound
from shared.database.copy import copy_rows
from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.events.outbox import write_events
from shared.history.changes import FieldChange, write_changes
from shared.text.keys import search_key, search_words
from therapist_service import events
from therapist_service.imports.identity import look_up_keys
from therapist_service.models import kernel, therapeuten

Row = Mapping[str, Any]

_COLUMNS = tuple(column.name for column in therapeuten.c)
_SEARCHED = ("vorname", "nachname", "email", "plz", "ort", "telefon")


@dataclass(frozen=True, slots=True)
class TherapistChange:
    """What is to become of one locked row: `fields` are announced and kept in the history, `technical` ones are not.

    A technical column that `before` does not carry is written without being compared.
    """

    before: Row
    fields: Row
    technical: Row = field(default_factory=dict)


def create_therapists(connection: Connection, rows: Sequence[Row], actor: str) -> list[int]:
    """Inserts validated rows; returns their ids in the same order.

    All rows have the same columns, whichever; the others take the database's defaults.
    """
    del actor  # a creation leaves no field changes; its import or caller is on record elsewhere
    if not rows:
        return []
    moment, ids = _new_ids(connection, len(rows))
    complete = [_complete(row, number, moment) for row, number in zip(rows, ids, strict=True)]
    columns = tuple(complete[0])
    copy_rows(connection, therapeuten, columns, ([row[name] for name in columns] for row in complete))
    events.announce(connection, [("therapist.created", number) for number in ids])
    return ids


def update_therapists(connection: Connection, changes: Sequence[TherapistChange], actor: str) -> list[Row]:
    """Writes the changes of rows that the caller has locked (`lock_therapists`); returns them as they are afterwards.

    Only columns that some change of the batch names are written. Values equal to the present ones are no change.
    """
    if not changes:
        return []
    moment = _moment(connection)
    planned = [_plan(change, moment) for change in changes]
    changed = [after for _, after, written in planned if written]
    if changed:
        _write(connection, changed, {name for *_, written in planned for name in written})
    history: list[FieldChange] = []
    announcements: list[tuple[str, int]] = []
    for before, after, written in planned:
        announced = [name for name in written if name in _ANNOUNCED]
        history += [FieldChange(before["id"], name, before[name], after[name], actor) for name in announced]
        announcements += [(events.type_of_change(before, after), before["id"])] if announced else []
    write_changes(connection, kernel, history)
    events.announce(connection, announcements)
    return [after for _, after, _ in planned]


def delete_therapist(connection: Connection, therapist_id: int, actor: str) -> None:
    """Removes the row and announces it. Raises `NotFound`."""
    del actor
    lock_therapists(connection, [therapist_id])
    connection.execute(sa.delete(therapeuten).where(therapeuten.c.id == therapist_id))
    write_events(connection, kernel, [events.deleted(therapist_id)])


def get_therapist(connection: Connection, therapist_id: int) -> RowMapping:
    """The row. Raises `NotFound`."""
    row = connection.execute(sa.select(therapeuten).where(therapeuten.c.id == therapist_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("Therapist not found")
    return row


def lock_therapists(connection: Connection, ids: Iterable[int]) -> dict[int, RowMapping]:
    """The rows, locked in order of id against concurrent writers. Raises `NotFound` if one is missing."""
    wanted = sorted(set(ids))
    statement = sa.select(therapeuten).where(therapeuten.c.id.in_(wanted)).order_by(therapeuten.c.id).with_for_update()
    rows = {row["id"]: row for row in connection.execute(statement).mappings()}
    if len(rows) < len(wanted):
        raise NotFound("Therapist not found")
    return rows


def list_therapists(
    connection: Connection,
    *,
    status: str | None = None,
    potenziell_verfuegbar: bool | None = None,
    search: str | None = None,
    plz_prefix: str | None = None,
    offset: int,
    limit: int,
) -> tuple[list[RowMapping], int]:
    """A page of therapists, newest first, and how many there are in all. Every word of `search` has to occur."""
    columns = therapeuten.c
    words = search_words(search)
    conditions = [columns.search_key.contains(word, autoescape=True) for word in words]
    if status is not None:
        conditions.append(columns.status == status)
    if potenziell_verfuegbar is not None:
        conditions.append(columns.potenziell_verfuegbar == potenziell_verfuegbar)
    if plz_prefix:
        conditions.append(columns.plz.startswith(plz_prefix, autoescape=True))
    total = connection.execute(sa.select(sa.func.count()).select_from(therapeuten).where(*conditions)).scalar_one()
    newest_first = (columns.created_at.desc(), columns.id.desc())
    page = sa.select(therapeuten).where(*conditions).order_by(*newest_first).offset(offset).limit(limit)
    return list(connection.execute(page).mappings()), total


def _complete(row: Row, number: int, moment: datetime) -> dict[str, Any]:
    keys = look_up_keys(row, row.get("source_record"))
    times = {"created_at": moment, "updated_at": moment}
    return {**row, "id": number, **times, "search_key": _search_key(row), **keys}


def _plan(change: TherapistChange, moment: datetime) -> tuple[Row, Row, dict[str, Any]]:
    """The row before, the row afterwards, and the columns that differ."""
    before = change.before
    wanted = {**change.fields, **change.technical}
    written = {name: value for name, value in wanted.items() if name not in before or before[name] != value}
    after = {**before, **written}
    if any(name in _ANNOUNCED for name in written):
        written["updated_at"] = after["updated_at"] = moment
        written["search_key"] = after["search_key"] = _search_key(after)
    if not _IDENTIFYING.isdisjoint(written):
        keys = look_up_keys(after, after["source_record"])
        written, after = {**written, **keys}, {**after, **keys}
    return before, after, written


def _write(connection: Connection, rows: Sequence[Row], columns: set[str]) -> None:
    names = sorted(columns)
    # The table's own row type turns the JSON back into typed values: one statement, however many rows.
    statement = sa.text(
        f"UPDATE {therapeuten.fullname} AS present SET {', '.join(f'{name} = given.{name}' for name in names)}"
        f" FROM jsonb_populate_recordset(NULL::{therapeuten.fullname}, CAST(:rows AS jsonb)) AS given"
        " WHERE present.id = given.id"
    )
    given = json_text([{name: row[name] for name in ("id", *names)} for row in rows])
    connection.execute(statement, {"rows": given})


_IDENTIFYING = frozenset({"vorname", "nachname", "plz", "source_record"})


def _search_key(row: Row) -> str:
    return search_key(" ".join(row.get(name) or "" for name in _SEARCHED)) or ""


def _moment(connection: Connection) -> datetime:
    """The transaction's time, so that all that it writes carries the same one."""
    moment: datetime = _NOW.one(connection)[0]
    return moment


def _new_ids(connection: Connection, count: int) -> tuple[datetime, list[int]]:
    """The transaction's time and so many fresh ids."""
    moment, ids = _NEW_IDS.one(connection, count=count)
    return moment, ids


_NOW = Statement(sa.text("SELECT now()"))
_NEW_IDS = Statement(
    sa.text(f"""
    SELECT now(), ARRAY(
      SELECT nextval(name) FROM generate_series(1, :count),
        CAST(pg_get_serial_sequence('{therapeuten.fullname}', 'id') AS regclass) AS name
    )""")
)


# What the API returns is what its readers are told about; the rest is the importer's own book-keeping.
_ANNOUNCED = frozenset(_COLUMNS[: _COLUMNS.index("created_at")]) - {"id"}
