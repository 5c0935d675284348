"""Rows that a scrape's records may belong to, fetched in sets: light looks at many, a full one at the few meant.

The looks lock nothing, so that staff can work while a file is imported. What is decided on them is therefore checked
again once the rows that are meant are locked.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from therapist_service.imports.identity import Known, Listed, traits_of
from therapist_service.imports.mapping import MappedRecord
from therapist_service.models import therapeuten

_IDENTIFYING = ("vorname", "nachname", "strasse", "plz", "titel", "email")

# All but the raw record, which is large, only kept as evidence, and compared with nothing.
_COMPARED = tuple(column for column in therapeuten.c if column.name != "source_raw")

Row = dict[str, Any]


def _said(name: str) -> str:
    """Under which name a looked-up row carries what the source said last."""
    return f"said_{name}"


# A postal code has a hundred neighbours for each one that is meant: only what identifies is read of them.
_LOOKED_UP = (
    *[therapeuten.c[name] for name in ("id", "external_id", "source_area", "source_zip", "source_import_id")],
    *[therapeuten.c[name] for name in _IDENTIFYING],
    therapeuten.c.source_record.is_not(None).label("is_sourced"),
    *[therapeuten.c.source_record[name].astext.label(_said(name)) for name in _IDENTIFYING],
)


def unchanged_rows(
    connection: Connection, import_id: int, area: str, records: Sequence[MappedRecord]
) -> dict[int, RowMapping]:
    """By record index, the rows whose source record is the very same under the same id: nothing to compare there.

    Rows that this file has claimed already, and those marked as gone, are not among them. They are not locked:
    `mark_seen` has the last word.
    """
    columns = therapeuten.c
    ids = sorted({record.external_id for record in records if record.external_id is not None})
    if not ids:
        return {}
    light = (columns.id, columns.external_id, columns.source_hash, columns.source_seen_at, columns.source_zip)
    statement = sa.select(*light).where(
        columns.source_area == area,
        columns.external_id == sa.any_(sa.literal(ids, sa.ARRAY(sa.Text))),
        columns.source_removed_at.is_(None),
        columns.source_import_id.is_distinct_from(import_id),
    )
    by_record: dict[tuple[str, str], list[RowMapping]] = defaultdict(list)
    for row in connection.execute(statement).mappings():
        by_record[row["external_id"], row["source_hash"]].append(row)
    found: dict[int, RowMapping] = {}
    for record in records:
        rows = by_record.get((str(record.external_id), record.hash))
        # Two rows that look the same are no case for a short cut, nor are two records that do.
        if rows is not None and len(rows) == 1:
            found[record.index] = rows[0]
            by_record.pop((str(record.external_id), record.hash))
    return found


class Candidates:
    """Rows that share an id or a postal code with some records, as the rules of identity see them; not locked yet."""

    def __init__(self, connection: Connection, import_id: int, area: str, records: Sequence[MappedRecord]) -> None:
        rows = _look_up(connection, area, records)
        self.claimed = {row["id"] for row in rows if row["source_import_id"] == import_id}
        self._connection = connection
        self._looked_at: dict[int, Known] = {}
        self._by_zip: dict[str, list[Known]] = defaultdict(list)
        self._by_id: dict[tuple[str, str], list[Known]] = defaultdict(list)
        self._by_name: dict[tuple[str, str, str], list[Known]] = defaultdict(list)
        for row in rows:
            said = {name: row[_said(name)] for name in _IDENTIFYING} if row["is_sourced"] else None
            self._add(_known(dict(row), said), row["source_zip"])

    def of(self, listed: Listed) -> list[Known]:
        """Those that any rule could find: the same id, or the same last or first name under the same postal code."""
        traits = listed.traits
        found: dict[int, Known] = {}
        if listed.external_id is not None:
            found |= {known.row_id: known for known in self._by_id.get((listed.area, listed.external_id), ())}
        for trait, value in (("last", traits.last), ("first", traits.first)):
            if value and traits.zip:
                found |= {known.row_id: known for known in self._by_name.get((trait, value, traits.zip), ())}
        # A row without a first name is found by its last one, a renamed compound name by the first.
        return list(found.values())

    def last_seen_in(self, zip_code: str) -> list[Known]:
        """Those that the file of this postal code listed last."""
        return self._by_zip[zip_code]

    def lock(self, ids: Collection[int]) -> dict[int, Row] | None:
        """The full rows, locked; None if one of them was deleted or became somebody else since it was looked at."""
        if not ids:
            return {}
        meant = therapeuten.c.id == sa.any_(sa.literal(sorted(ids), sa.ARRAY(sa.Integer)))
        statement = sa.select(*_COMPARED).where(meant).order_by(therapeuten.c.id).with_for_update()
        rows = {row["id"]: dict(row) for row in self._connection.execute(statement).mappings()}
        looked_at = all(self._looked_at[row_id] == _known(row, row["source_record"]) for row_id, row in rows.items())
        return rows if looked_at and len(rows) == len(ids) else None

    def _add(self, known: Known, source_zip: str | None) -> None:
        self._looked_at[known.row_id] = known
        if source_zip is not None:
            self._by_zip[source_zip].append(known)
        if known.area is not None and known.external_id is not None:
            self._by_id[known.area, known.external_id].append(known)
        names = {
            (trait, value, zip_code)
            for version in known.versions()
            for zip_code in {other.zip for other in known.versions()}
            for trait, value in (("last", version.last), ("first", version.first))
            if value and zip_code
        }
        for name in names:
            self._by_name[name].append(known)


def listed(record: MappedRecord, area: str) -> Listed:
    """The record as the rules of identity see it."""
    return Listed(area, record.external_id, traits_of(record.fields))


def mark_seen(
    connection: Connection, rows: Iterable[RowMapping], import_id: int, zip_code: str, moment: datetime
) -> set[int]:
    """The file lists these people as they are. Returns the ids of the rows for which that still holds."""
    hashes = {row["id"]: row["source_hash"] for row in rows}
    if not hashes:
        return set()
    values = {"import_id": import_id, "zip": zip_code, "moment": moment}
    looked_at = {"ids": list(hashes), "hashes": list(hashes.values())}
    return set(connection.execute(_MARK_SEEN, values | looked_at).scalars())


_MARK_SEEN = sa.text(
    f"UPDATE {therapeuten.fullname} AS present"
    " SET source_seen_at = :moment, source_zip = :zip, source_import_id = :import_id"
    " FROM unnest(CAST(:ids AS integer[]), CAST(:hashes AS text[])) AS looked_at (id, hash)"
    " WHERE present.id = looked_at.id AND present.source_hash = looked_at.hash AND present.source_removed_at IS NULL"
    " RETURNING present.id"
)


def _look_up(connection: Connection, area: str, records: Sequence[MappedRecord]) -> Sequence[RowMapping]:
    columns = therapeuten.c
    ids = _array({record.external_id for record in records})
    zips = _array({record.fields["plz"] for record in records})
    statement = sa.select(*_LOOKED_UP).where(
        sa.or_(
            sa.and_(columns.source_area == area, columns.external_id == sa.any_(ids)),
            columns.plz == sa.any_(zips),
            columns.source_plz == sa.any_(zips),
        )
    )
    return connection.execute(statement.order_by(columns.id)).mappings().all()


def _array(values: Iterable[str | None]) -> sa.BindParameter[Any]:
    return sa.literal(sorted(value for value in values if value is not None), sa.ARRAY(sa.Text))


def _known(row: Row, said: Mapping[str, Any] | None) -> Known:
    """The row as the rules of identity see it; `said` is what the source said last."""
    # Where staff changed nothing that identifies, one look is enough.
    differs = said is not None and any(row[name] != said.get(name) for name in _IDENTIFYING)
    return Known(
        row_id=row["id"],
        area=row["source_area"],
        external_id=row["external_id"],
        current=traits_of({name: row[name] for name in _IDENTIFYING}),
        source=traits_of(said) if said is not None and differs else None,
    )
