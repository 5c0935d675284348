"""Rows that a scrape's records may belong to, fetched in sets: light looks at many, a full one at the few meant.

The looks lock nothing, so that staff can work while a file is imported. What is decided on them is therefore checked
again once the rows that are meant are locked.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.statements import Statement
from shared.fields.declaration import Row
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Known, Listed, look_up_keys, record_keys, traits_of
from therapist_service.imports.mapping import MappedRecord
from therapist_service.models import therapeuten

_IDENTIFYING = ("vorname", "nachname", "strasse", "plz", "titel", "email")

# All but the raw record, which is large, only kept as evidence, and compared with nothing.
_COMPARED = tuple(column for column in therapeuten.c if column.name != "source_raw")


def _said(name: str) -> str:
    """Under which name a looked-up row carries what the source said last."""
    return f"said_{name}"


def _one_of(column: str, parameter: str) -> sa.ColumnElement[bool]:
    return therapeuten.c[column] == sa.any_(sa.bindparam(parameter, type_=sa.ARRAY(sa.Text)))


# Each key by itself: of a fresh table the planner expects so many rows for all of them together that it would read it
# from end to end.
_BY_ANY_KEY = sa.union_all(
    *[
        sa.select(therapeuten.c.id).where(resembles)
        for resembles in (
            sa.and_(therapeuten.c.source_area == sa.bindparam("area"), _one_of("external_id", "ids")),
            _one_of("last_key", "keys"),
            _one_of("first_key", "keys"),
            therapeuten.c.other_keys.overlap(sa.bindparam("keys", type_=sa.ARRAY(sa.Text))),
            # Written by a version of the program that knew no keys.
            therapeuten.c.last_key.is_(None),
        )
    ]
)
_RESEMBLING = Statement(
    sa.select(
        *[therapeuten.c[name] for name in ("id", "external_id", "source_area", "source_zip", "source_import_id")],
        *[therapeuten.c[name] for name in _IDENTIFYING],
        *[therapeuten.c[name] for name in ("last_key", "first_key", "other_keys")],
        therapeuten.c.source_record.has_key("nachname").label("is_sourced"),
        *[therapeuten.c.source_record[name].astext.label(_said(name)) for name in _IDENTIFYING],
    )
    .where(therapeuten.c.id == sa.func.any(sa.func.array(_BY_ANY_KEY.scalar_subquery())))
    .order_by(therapeuten.c.id),
    as_dicts=True,
)
_LOCKED = Statement(
    sa.select(*_COMPARED)
    .where(therapeuten.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Integer))))
    .order_by(therapeuten.c.id)
    .with_for_update(),
    as_dicts=True,
)


def mark_unchanged(
    connection: Connection, import_id: int, envelope: Envelope, records: Sequence[MappedRecord]
) -> dict[int, int]:
    """Marks the rows as listed whose source record is the very same under the same id: nothing to compare there.

    Returns the rows' ids by the records' index. Rows that this file has claimed already are not among them, nor are
    those marked as gone, nor those that a later scrape has listed.
    """
    # Two records that look the same are no case for a short cut, nor are two rows that do.
    by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
    for record in records:
        if record.external_id is not None:
            by_key[record.external_id, record.hash].append(record.index)
    single = {key: indexes[0] for key, indexes in by_key.items() if len(indexes) == 1}
    if not single:
        return {}
    marked = _MARK_UNCHANGED(
        connection,
        ids=[external_id for external_id, _ in single],
        hashes=[content for _, content in single],
        import_id=import_id,
        area=envelope.area,
        zip=envelope.zip,
        moment=envelope.scrape_moment,
        next_day=datetime.combine(envelope.scrape_day + timedelta(days=1), time(), UTC),
    )
    return {single[external_id, content]: row_id for row_id, external_id, content in marked}


# Rows are found by arrays of ids, never by a join: fresh rows have no statistics yet, and a join would be planned as if
# an area had a handful of them, reading the whole area for every file. For the same reason the second look at the area
# is worded so that no index serves it.
_MARK_UNCHANGED = Statement("""
    WITH alike AS MATERIALIZED (
      SELECT min(id) AS id FROM therapist_service.therapeuten
      WHERE source_area = :area AND external_id = ANY(CAST(:ids AS text[]))
        AND source_hash = ANY(CAST(:hashes AS text[]))
      GROUP BY external_id, source_hash HAVING count(*) = 1
    )
    UPDATE therapist_service.therapeuten AS present
    SET source_seen_at = :moment, source_zip = :zip, source_import_id = :import_id
    WHERE present.id = ANY(ARRAY(SELECT id FROM alike))
      AND present.source_area IS NOT DISTINCT FROM :area
      AND (present.external_id, present.source_hash) IN (
        SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:hashes AS text[]))
      )
      AND present.source_removed_at IS NULL AND present.source_import_id IS DISTINCT FROM :import_id
      AND (present.source_seen_at IS NULL OR present.source_seen_at < :next_day)
    RETURNING present.id, present.external_id, present.source_hash
""")


class Candidates:
    """Rows that share an id, or a name under a postal code, with some people, as the rules of identity see them.

    They are not locked yet.
    """

    def __init__(self, connection: Connection, import_id: int, area: str, people: Sequence[Listed]) -> None:
        ids = sorted({person.external_id for person in people if person.external_id is not None})
        keys = sorted({key for person in people for key in record_keys(person.traits)})
        found = _RESEMBLING(connection, area=area, ids=ids, keys=keys)
        self._connection = connection
        self._rows: dict[int, Row] = {row["id"]: row for row in found}
        self._known: dict[int, Known] = {}
        self._by_zip: dict[str | None, list[int]] = defaultdict(list)
        self._by_id: dict[tuple[str | None, str | None], list[int]] = defaultdict(list)
        self._by_key: dict[str, list[int]] = defaultdict(list)
        for row_id, row in self._rows.items():
            self._by_zip[row["source_zip"]].append(row_id)
            self._by_id[row["source_area"], row["external_id"]].append(row_id)
            for key in _keys(row):
                self._by_key[key].append(row_id)
        self.claimed = {row_id for row_id, row in self._rows.items() if row["source_import_id"] == import_id}

    def of(self, listed: Listed) -> list[Known]:
        """Those that any rule could find: the same id, or the same last or first name under the same postal code."""
        traits = listed.traits
        found: set[int] = set()
        if listed.external_id is not None:
            found.update(self._by_id.get((listed.area, listed.external_id), ()))
        for key in record_keys(traits):
            # A row without a first name is found by its last one, a renamed person by the first.
            found.update(self._by_key.get(key, ()))
        return [self._as_known(row_id) for row_id in sorted(found)]

    def last_seen_in(self, zip_code: str) -> list[Known]:
        """Those that the file of this postal code listed last."""
        return [self._as_known(row_id) for row_id in self._by_zip[zip_code]]

    def lock(self, ids: Collection[int]) -> dict[int, Row] | None:
        """The full rows, locked; None if one of them was deleted or became somebody else since it was looked at."""
        if not ids:
            return {}
        rows = {row["id"]: row for row in _LOCKED(self._connection, ids=sorted(ids))}
        as_looked_at = all(_known(row, _said_last(row)) == self._as_known(row_id) for row_id, row in rows.items())
        return rows if as_looked_at and len(rows) == len(ids) else None

    def _as_known(self, row_id: int) -> Known:
        # Of a hundred neighbours a few are ever compared with a record.
        if row_id not in self._known:
            row = self._rows[row_id]
            said = {name: row[_said(name)] for name in _IDENTIFYING} if row["is_sourced"] else None
            self._known[row_id] = _known(row, said)
        return self._known[row_id]


def listed(record: MappedRecord, area: str) -> Listed:
    """The record as the rules of identity see it."""
    return Listed(area, record.external_id, traits_of(record.fields))


def has_base(row: Row) -> bool:
    """Whether the source has described the row: of one that was taken over, only single fields may be known."""
    return "nachname" in (row["source_record"] or {})


def _said_last(row: Row) -> Row | None:
    return row["source_record"] if has_base(row) else None


def _keys(row: Row) -> set[str]:
    keys = row
    if row["last_key"] is None:
        keys = look_up_keys(row, {name: row[_said(name)] for name in _IDENTIFYING})
    return {keys["last_key"], keys["first_key"], *(keys["other_keys"] or ())}


def _known(row: Row, said: Row | None) -> Known:
    """The row as the rules of identity see it; `said` is what the source said last."""
    current = {name: row[name] for name in _IDENTIFYING}
    # Where staff changed nothing that identifies, one look is enough.
    differs = said is not None and any(value != said.get(name) for name, value in current.items())
    return Known(
        row_id=row["id"],
        area=row["source_area"],
        external_id=row["external_id"],
        current=traits_of(current),
        source=traits_of(said) if said is not None and differs else None,
    )
