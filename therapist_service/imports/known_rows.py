"""Rows that a scrape's records may belong to, fetched in sets: one light look for what is unchanged, one full one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from therapist_service.imports.identity import Known, Listed, traits_of
from therapist_service.imports.mapping import MAPPED_FIELDS, MappedRecord
from therapist_service.models import therapeuten

_IDENTIFYING = ("vorname", "nachname", "strasse", "plz", "titel", "email")

# All but the raw record, which is large, only kept as evidence, and compared with nothing.
_COMPARED = tuple(column for column in therapeuten.c if column.name != "source_raw")

Row = dict[str, Any]


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
    """Full rows, locked, that share an id or a postal code with some records, indexed for the rules of identity."""

    def __init__(self, connection: Connection, import_id: int, area: str, records: Sequence[MappedRecord]) -> None:
        self.rows = _fetch(connection, area, records)
        self.claimed = {row_id for row_id, row in self.rows.items() if row["source_import_id"] == import_id}
        self._by_id: dict[tuple[str, str], list[Known]] = defaultdict(list)
        self._by_name: dict[tuple[str, str, str], list[Known]] = defaultdict(list)
        for row in self.rows.values():
            self._add(_known(row))

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
        return [_known(row) for row in self.rows.values() if row["source_zip"] == zip_code]

    def _add(self, known: Known) -> None:
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


def _fetch(connection: Connection, area: str, records: Sequence[MappedRecord]) -> dict[int, Row]:
    columns = therapeuten.c
    ids = _array({record.external_id for record in records})
    zips = _array({record.fields["plz"] for record in records})
    statement = (
        sa.select(*_COMPARED)
        .where(
            sa.or_(
                sa.and_(columns.source_area == area, columns.external_id == sa.any_(ids)),
                columns.plz == sa.any_(zips),
                columns.source_plz == sa.any_(zips),
            )
        )
        .order_by(columns.id)
        .with_for_update()
    )
    return {row["id"]: dict(row) for row in connection.execute(statement).mappings()}


def _array(values: Iterable[str | None]) -> sa.BindParameter[Any]:
    return sa.literal(sorted(value for value in values if value is not None), sa.ARRAY(sa.Text))


def _known(row: Row) -> Known:
    source = row["source_record"]
    current = traits_of(row)
    # Where staff changed nothing that identifies, one look is enough.
    same = source is None or all(row[name] == source.get(name) for name in _IDENTIFYING)
    return Known(
        row_id=row["id"],
        area=row["source_area"],
        external_id=row["external_id"],
        current=current,
        source=None if same else traits_of({name: source.get(name) for name in MAPPED_FIELDS}),
    )
