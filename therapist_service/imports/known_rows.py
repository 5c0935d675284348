"""Rows that a scrape's records may belong to, fetched in sets: light looks at many, a full one at the few meant.

The looks lock nothing, so that staff can work while a file is imported. What is decided on them is therefore checked
again once the rows that are meant are locked.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.statements import Statement
from shared.fields.declaration import Row
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Known, Listed
from therapist_service.imports.mapping import MappedRecord
from therapist_service.imports.scrape_day import Day
from therapist_service.imports.traits import contact_keys, look_up_keys, name_keys, traits_of
from therapist_service.models import proposed_deletions, therapeuten

_IDENTIFYING = ("vorname", "nachname", "strasse", "plz", "titel", "email", "telefon")
_KEYS = ("last_key", "first_key", "mail_key", "line_key", "other_keys")
_OF_THE_DAY = ("source_zip", "source_day", "source_named_at", "source_removed_at")

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
            _one_of("mail_key", "contacts"),
            _one_of("line_key", "contacts"),
            therapeuten.c.other_keys.overlap(sa.bindparam("all_keys", type_=sa.ARRAY(sa.Text))),
            # Written by a version of the program that knew no keys.
            therapeuten.c.last_key.is_(None),
        )
    ]
)
_IS_DISMISSED = (
    sa.exists()
    .where(
        proposed_deletions.c.entity_id == therapeuten.c.id,
        proposed_deletions.c.scrape_day == sa.bindparam("day", type_=sa.Date),
    )
    .label("is_dismissed")
)
"""Whether a file of the day calls the row deleted, which is decided at the day's end."""

_RESEMBLING = Statement(
    sa.select(
        *[therapeuten.c[name] for name in ("id", "external_id", "source_area", "source_import_id")],
        *[therapeuten.c[name] for name in (*_IDENTIFYING, *_OF_THE_DAY, *_KEYS)],
        therapeuten.c.source_record.has_key("nachname").label("is_sourced"),
        _IS_DISMISSED,
        *[therapeuten.c.source_record[name].astext.label(_said(name)) for name in _IDENTIFYING],
    )
    .where(therapeuten.c.id == sa.func.any(sa.func.array(_BY_ANY_KEY.scalar_subquery())))
    .order_by(therapeuten.c.id),
    as_dicts=True,
)
_LOCKED = Statement(
    sa.select(*_COMPARED, _IS_DISMISSED)
    .where(therapeuten.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Integer))))
    .order_by(therapeuten.c.id)
    .with_for_update(),
    as_dicts=True,
)


@dataclass(frozen=True, slots=True)
class Marked:
    """A row that a record repeats: its id, the id that the source gives it, and the one it gave before."""

    row_id: int
    external_id: str | None
    was: str | None


def mark_unchanged(
    connection: Connection, import_id: int, envelope: Envelope, records: Sequence[MappedRecord]
) -> dict[int, Marked]:
    """Marks the rows as listed of which the source says the very same, under whatever id: nothing to compare there.

    Returns them by the records' index. Rows that this file has claimed already are not among them, nor are those marked
    as gone, nor those that a later scrape has listed.
    """
    # Two records that look the same are no case for a short cut, nor are two rows that do.
    by_hash: dict[str, list[MappedRecord]] = defaultdict(list)
    for record in records:
        by_hash[record.hash].append(record)
    single = {content: alike[0] for content, alike in by_hash.items() if len(alike) == 1}
    if not single:
        return {}
    traits = [traits_of(record.fields) for record in single.values()]
    marked = _MARK_UNCHANGED(
        connection,
        keys=[f"{each.zip}|{each.last}" for each in traits],
        hashes=list(single),
        ids=[record.external_id for record in single.values()],
        # Without a full name and a full address the same words may be said of two people.
        sure=[each.first is not None and each.numbered for each in traits],
        import_id=import_id,
        area=envelope.area,
        zip=envelope.zip,
        moment=envelope.scrape_moment,
        day=envelope.scrape_day,
        day_began=envelope.day_began,
    )
    return {single[content].index: Marked(row_id, external_id, was) for row_id, content, external_id, was in marked}


# Rows are found by arrays of keys, never by a join: fresh rows have no statistics yet, and a join would be planned as
# if a postal code had a handful of them. An id belongs to the file that has the word, so only that one gives it.
_MARK_UNCHANGED = Statement("""
    WITH alike AS MATERIALIZED (
      SELECT min(id) AS id, min(external_id) AS was, min(source_area) AS area, source_hash
      FROM therapist_service.therapeuten
      WHERE last_key = ANY(CAST(:keys AS text[])) AND source_hash = ANY(CAST(:hashes AS text[]))
      GROUP BY source_hash HAVING count(*) = 1
    ), meant AS MATERIALIZED (
      SELECT alike.id, told.external_id, alike.was FROM alike
      JOIN unnest(CAST(:hashes AS text[]), CAST(:ids AS text[]), CAST(:sure AS boolean[]))
        AS told (hash, external_id, sure) ON told.hash = alike.source_hash
      WHERE told.sure OR (alike.area, alike.was) = (CAST(:area AS text), told.external_id)
    )
    UPDATE therapist_service.therapeuten AS present
    SET source_seen_at = CAST(:moment AS timestamptz), source_day = CAST(:day AS date),
      source_named_at = CAST(:day_began AS timestamptz),
      source_zip = CAST(:zip AS varchar), source_import_id = :import_id,
      (external_id, source_area, source_word_zip, source_word_at) = (
        SELECT
          CASE WHEN has_word THEN coalesce(meant.external_id, present.external_id) ELSE present.external_id END,
          CASE WHEN has_word AND meant.external_id IS NOT NULL THEN CAST(:area AS text) ELSE present.source_area END,
          CASE WHEN has_word THEN CAST(:zip AS varchar) ELSE present.source_word_zip END,
          CASE WHEN has_word THEN CAST(:day_began AS timestamptz) ELSE present.source_word_at END
        FROM (
          SELECT present.source_plz = CAST(:zip AS varchar)
            OR coalesce(present.source_word_zip = CAST(:zip AS varchar), true) AS has_word
        ) AS spoken
      )
    FROM meant
    WHERE present.id = ANY(ARRAY(SELECT id FROM meant)) AND present.id = meant.id
      AND present.source_removed_at IS NULL AND present.source_import_id IS DISTINCT FROM :import_id
      AND (present.source_day IS NULL OR present.source_day <= CAST(:day AS date))
    RETURNING present.id, present.source_hash, present.external_id, meant.was
""")


def take_ids(connection: Connection, import_id: int, envelope: Envelope, given: Sequence[str]) -> set[str]:
    """Takes ids that this file has given to others from the rows that carried them in its last scrape.

    Returns those ids. A row that this file lists has its own, which may be the same: an id may repeat.
    """
    taken = _TAKE_IDS(connection, ids=list(given), area=envelope.area, zip=envelope.zip, import_id=import_id)
    return {external_id for (external_id,) in taken}


_TAKE_IDS = Statement("""
    WITH former AS MATERIALIZED (
      SELECT id, external_id FROM therapist_service.therapeuten
      WHERE source_area = :area AND external_id = ANY(CAST(:ids AS text[])) AND source_zip = :zip
        AND source_import_id IS DISTINCT FROM :import_id
      FOR UPDATE
    )
    UPDATE therapist_service.therapeuten AS present SET external_id = NULL
    FROM former WHERE present.id = former.id
    RETURNING former.external_id
""")


class Candidates:
    """Rows that share an id, a contact, or a name under a postal code, with some people, as the rules of identity see
    them: with what the other files of a `day` say, where there is one.

    They are not locked yet.
    """

    def __init__(
        self, connection: Connection, import_id: int, area: str, people: Sequence[Listed], day: Day | None = None
    ) -> None:
        ids = sorted({person.external_id for person in people if person.external_id is not None})
        keys = sorted({key for person in people for key in name_keys(person.traits)})
        contacts = sorted({key for person in people for key in contact_keys(person.traits)})
        self._connection = connection
        self._day = day
        self._looked_at = {"day": day.envelope.scrape_day if day else None}
        meant = {"ids": ids, "keys": keys, "contacts": contacts, "all_keys": [*keys, *contacts]}
        found = _RESEMBLING(connection, area=area, **meant, **self._looked_at)
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
        """Those that any rule could find: the same id, a name under the same postal code, or the same contact."""
        traits = listed.traits
        found: set[int] = set()
        if listed.external_id is not None:
            found.update(self._by_id.get((listed.area, listed.external_id), ()))
        for key in (*name_keys(traits), *contact_keys(traits)):
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
        rows = {row["id"]: row for row in _LOCKED(self._connection, ids=sorted(ids), **self._looked_at)}
        as_looked_at = all(self._of(row, _said_last(row)) == self._as_known(row_id) for row_id, row in rows.items())
        return rows if as_looked_at and len(rows) == len(ids) else None

    def _as_known(self, row_id: int) -> Known:
        # Of a hundred neighbours a few are ever compared with a record.
        if row_id not in self._known:
            row = self._rows[row_id]
            said = {name: row[_said(name)] for name in _IDENTIFYING} if row["is_sourced"] else None
            self._known[row_id] = self._of(row, said)
        return self._known[row_id]

    def _of(self, row: Row, said: Row | None) -> Known:
        known = _known(row, said)
        return self._day.known(row, known) if self._day else known


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
    return {*(keys[name] for name in _KEYS[:-1]), *(keys["other_keys"] or ())} - {"", None}


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
