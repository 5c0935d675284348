"""Rows that a scrape's records may belong to, fetched in sets: light looks at many, a full one at the few meant."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
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

    Rows that this file has claimed already, and those marked as gone, are not among them.
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
    """Rows that share an id or a postal code with some records, as the rules of identity see them.

    They are not locked: `lock_matched` brings the few that are meant, as they are by then.
    """

    def __init__(self, connection: Connection, import_id: int, area: str, records: Sequence[MappedRecord]) -> None:
        rows = _look_up(connection, area, records)
        self.claimed = {row["id"] for row in rows if row["source_import_id"] == import_id}
        self._by_zip: dict[str, list[Known]] = defaultdict(list)
        self._by_id: dict[tuple[str, str], list[Known]] = defaultdict(list)
        self._by_name: dict[tuple[str, str, str], list[Known]] = defaultdict(list)
        for row in rows:
            self._add(_known(row), row["source_zip"])

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

    def _add(self, known: Known, source_zip: str | None) -> None:
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


def lock_matched(connection: Connection, ids: Collection[int]) -> dict[int, Row]:
    """The full rows, locked; one that somebody has deleted meanwhile is missing."""
    if not ids:
        return {}
    meant = therapeuten.c.id == sa.any_(sa.literal(sorted(ids), sa.ARRAY(sa.Integer)))
    statement = sa.select(*_COMPARED).where(meant).order_by(therapeuten.c.id).with_for_update()
    return {row["id"]: dict(row) for row in connection.execute(statement).mappings()}


def mark_seen(connection: Connection, ids: Sequence[int], import_id: int, zip_code: str, moment: datetime) -> None:
    """The file lists these rows' people as they are."""
    if ids:
        values = {"ids": list(ids), "import_id": import_id, "zip": zip_code, "moment": moment}
        connection.execute(_MARK_SEEN, values)


_MARK_SEEN = sa.text(
    f"UPDATE {therapeuten.fullname} SET source_seen_at = :moment, source_zip = :zip, source_import_id = :import_id"
    " WHERE id = ANY(:ids)"
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


def _known(row: RowMapping) -> Known:
    said = {name: row[_said(name)] for name in _IDENTIFYING}
    # Where staff changed nothing that identifies, one look is enough.
    differs = row["is_sourced"] and any(row[name] != value for name, value in said.items())
    return Known(
        row_id=row["id"],
        area=row["source_area"],
        external_id=row["external_id"],
        current=traits_of({name: row[name] for name in _IDENTIFYING}),
        source=traits_of(said) if differs else None,
    )
