"""The rows that a batch of scrapes may be about, in memory: fetched and locked together, written together at the end.

What is decided about a record sees what the records before it have done, whichever file they stand in. A row of which
the source says the very same needs little more than its place in the lists; of the others all is known.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from functools import cached_property
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.clock import now
from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.fields.declaration import Row, Values
from shared.people.writer import Change
from therapist_service.imports.identity import Known, Listed
from therapist_service.imports.mapping import Claim, MappedRecord
from therapist_service.imports.names import first_name_key, last_name_key
from therapist_service.imports.removals import deactivated_by_import
from therapist_service.imports.traits import has_number, look_up_keys, traits_of
from therapist_service.keys import following_keys
from therapist_service.models import proposed_deletions, therapeuten
from therapist_service.therapist import THERAPIST, Therapist
from therapist_service.use_cases import WRITER

_IDENTIFYING = ("vorname", "nachname", "strasse", "plz", "titel", "email", "telefon")
_Id = tuple[str, str]
"""An area and an id in it."""


@dataclass(slots=True)
class Listing:
    """How the files list a row: under which id, where and when last, and whose file has the word about it."""

    external_id: str | None
    source_area: str | None
    source_zip: str | None
    source_seen_at: datetime | None
    source_day: date | None
    source_named_at: datetime | None
    source_import_id: int | None
    source_word_zip: str | None
    source_word_at: datetime | None


_LISTING = tuple(one.name for one in fields(Listing))
_listing_of = attrgetter(*_LISTING)


@dataclass(slots=True)
class Entry(Listing):
    """A row as it stands within the transaction. `row` is all of it but the raw record, None where only the rest is
    known; of what `Listing` has, the entry's word counts. `dismissed_on` are the scrape days of which a file calls the
    row deleted."""

    source_hash: str | None
    source_plz: str | None
    source_removed_at: datetime | None
    last_key: str | None
    id: int
    row: Row | None = None
    dismissed_on: set[date] = field(default_factory=set)
    known: Known | None = None
    person: Therapist | None = None

    @property
    def whole(self) -> Therapist:
        """The person, of an entry whose row is known; made when asked for: most rows are compared with nobody."""
        if self.person is None:
            if self.row is None:
                raise ValueError("only the row's place in the lists is known")
            self.person = Therapist(**{**self.row, "source_raw": None})
        return self.person


_LIGHT = tuple(one.name for one in fields(Entry))[:-4]


@dataclass(frozen=True)
class Arrival:
    """A record of a file in hand, with what it is compared by; most records are compared with nobody."""

    record: MappedRecord
    area: str

    @cached_property
    def listed(self) -> Listed:
        return Listed(self.area, self.record.external_id, self.record.traits)

    @property
    def id(self) -> _Id | None:
        return None if self.record.external_id is None else (self.area, self.record.external_id)

    @cached_property
    def content(self) -> tuple[str, str]:
        """What is the same where a row's source says the very same: it was listed under this name."""
        fields = self.record.fields
        return f"{fields['plz']}|{last_name_key(fields['nachname'])}", self.record.hash

    @property
    def is_sure(self) -> bool:
        """Without a full name and a full address the same words may be said of two people."""
        fields = self.record.fields
        return first_name_key(fields["vorname"]) is not None and has_number(fields["strasse"])


class Register:
    """The rows that some records may be about, in the transaction of the connection. Without `locks` only to look."""

    def __init__(self, connection: Connection, *, locks: bool = True) -> None:
        self._connection = connection
        self._full, self._light = (_LOCKED if locks else _LOOKED_AT), _LISTED
        self._forget()

    def _forget(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._by_id: dict[_Id | None, set[int]] = defaultdict(set)
        self._by_key: dict[str, set[int]] = defaultdict(set)
        self._by_content: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._met: set[object] = set()
        """The ids, keys and contents of which every row is here."""
        self._created: dict[int, Values] = {}
        self._changed: dict[int, tuple[Change, str]] = {}
        self._relisted: set[int] = set()
        self._gone: dict[int, bool] = {}
        """Of rows that the source has called gone: whether it was an import that set them inactive."""
        self._reserved: list[int] = []
        self._newcomers: set[object] = set()

    def forget(self) -> None:
        """Writes what is to be written, and keeps nothing: for a file that is larger than memory."""
        self.flush()
        self._forget()

    def meet(self, arrivals: Sequence[Arrival]) -> None:
        """Fetches what these records may be about, in as few statements as that takes."""
        listed = [one for one in arrivals if one.record.claim is not Claim.DELETED]
        self._list([], {one.content for one in listed} - self._met)
        others, ids = [one for one in arrivals if one.record.claim is Claim.DELETED], set()
        for one in listed:
            entry = self.repeated(one)
            if entry is None:
                others.append(one)
            elif one.id is not None and one.id != (entry.source_area, entry.external_id):
                ids.add(one.id)
        self.look_for([one.listed for one in others])
        self._newcomers |= {one.listed.traits for one in others if not self._by_key.get(one.content[0])}
        # Whoever carries an id that is somebody else's now loses it.
        self._list(self._unmet(ids), set())

    def _unmet(self, ids: Iterable[_Id]) -> set[_Id]:
        return {one for one in ids if ("id", one) not in self._met and one not in self._met}

    def look_for(self, people: Sequence[Listed]) -> None:
        """Fetches all of the rows that any rule of identity could find for these people."""
        wanted = {(one.area, one.external_id) for one in people if one.external_id is not None}
        ids = wanted - self._met
        keys = {key for one in people for key in one.traits.name_keys} - self._met
        contacts = {key for one in people for key in one.traits.contact_keys} - self._met
        # An id may have come to a row of which only its place was known.
        rows = [number for one in wanted for number in self._by_id.get(one, ()) if self._entries[number].row is None]
        if not (ids or keys or contacts or rows):
            return
        found = self._full(
            self._connection,
            areas=sorted({area for area, _ in ids}),
            ids=sorted({external_id for _, external_id in ids}),
            keys=sorted(keys),
            contacts=sorted(contacts),
            rows=rows,
        )
        for row in found:
            self._take_in(row)
        self._met |= ids | keys | contacts

    def of(self, listed: Listed) -> list[Entry]:
        """Those that any rule could find: the same id, a name under the same postal code, or the same contact."""
        return [self._entries[number] for number in sorted(set().union(*self._found(listed)))]

    def repeated(self, arrival: Arrival) -> Entry | None:
        """The only row of which the source says the very same as the record, under whatever id."""
        found = self._by_content.get(arrival.content, ())
        if len(found) != 1:
            return None
        (number,) = found
        entry = self._entries[number]
        return entry if arrival.is_sure or arrival.id == (entry.source_area, entry.external_id) else None

    def with_id(self, area: str, external_id: str) -> list[Entry]:
        self._list(self._unmet([(area, external_id)]), set())
        return [self._entries[number] for number in sorted(self._by_id.get((area, external_id), ()))]

    def was_deactivated_by_import(self, entry: Entry) -> bool:
        """Whether it was an import that set the row inactive, which its source has called gone."""
        if entry.source_removed_at is None:
            return False
        if entry.id not in self._gone:
            gone = [one.id for one in self._entries.values() if one.source_removed_at and one.id not in self._gone]
            by_import = deactivated_by_import(self._connection, gone)
            self._gone |= {number: number in by_import for number in gone}
        return self._gone[entry.id]

    def relist(self, entry: Entry, **listing: object) -> None:
        """Notes how a file lists the row."""
        former = (entry.source_area, entry.external_id)
        for name, value in listing.items():
            setattr(entry, name, value)
        if former != (entry.source_area, entry.external_id):
            self._by_id[_id(*former)].discard(entry.id)
            self._by_id[_id(entry.source_area, entry.external_id)].add(entry.id)
            entry.known = None
        self._relisted.add(entry.id)

    def create(self, rows: Sequence[Values]) -> list[int]:
        """Notes rows for people who were not known; returns their ids in the same order."""
        missing = len(rows) - len(self._reserved)
        if missing > 0:
            # Those of the files to come, too.
            self._reserved += WRITER.reserve_ids(self._connection, max(missing, len(self._newcomers)))
            self._newcomers.clear()
        ids, self._reserved = self._reserved[: len(rows)], self._reserved[len(rows) :]
        for number, row in zip(ids, rows, strict=True):
            complete = {**row, **following_keys(row)}
            self._take_in({**_EMPTY, **complete, "id": number, "dismissed_on": ()})
            self._created[number] = complete
        return ids

    def change(self, entry: Entry, values: Values, technical: Values, actor: str) -> None:
        """Notes changes of the row; `technical` ones are not history. Those of `Listing` are `relist`'s."""
        if entry.id in self._created or entry.id in self._changed:
            # Each has its own place in the row's history, and an event.
            self.flush()
        before = {**vars(entry.whole)}
        del before["source_raw"]
        self._changed[entry.id] = Change(before, values, technical), actor
        self._leave_out(entry)
        after = {**before, **values, **technical}
        self._take_in_again(entry, {**after, **following_keys(after)})

    def flush(self) -> None:
        """Writes all that was noted: rows, their history and events, and how they are listed."""
        entries, created = self._entries, self._created
        listed = {number: dict(zip(_LISTING, _listing_of(entries[number]), strict=True)) for number in created}
        WRITER.create_under(self._connection, {number: {**row, **listed[number]} for number, row in created.items()})
        # Apart, because all changes of a call write the same columns, and not all have a raw record.
        for has_raw in (True, False):
            changes = [one for one in self._changed.values() if ("source_raw" in one[0].technical) is has_raw]
            WRITER.update_all(self._connection, changes)
        relisted = [entries[number] for number in sorted(self._relisted - created.keys())]
        if relisted:
            rows = [dict(zip(_LISTING, _listing_of(entry), strict=True), id=entry.id) for entry in relisted]
            ids = [entry.id for entry in relisted]
            _RELIST(self._connection, ids=ids, rows=json_text(rows))
        self._created, self._changed, self._relisted = {}, {}, set()

    def _list(self, ids: Iterable[_Id], contents: set[tuple[str, str]]) -> None:
        """Fetches the places of rows that carry these ids or of which the source says this."""
        pairs = list(ids)
        if not (pairs or contents):
            return
        found = self._light(
            self._connection,
            areas=sorted({area for area, _ in pairs}),
            ids=sorted({external_id for _, external_id in pairs}),
            keys=sorted({key for key, _ in contents}),
            hashes=sorted({content for _, content in contents}),
        )
        for row in found:
            if row[-1] not in self._entries:
                self._keep(Entry(*row))
        self._met |= {("id", one) for one in pairs} | contents

    def _take_in(self, row: dict[str, Any]) -> None:
        dismissed_on = set(row.pop("dismissed_on"))
        known = self._entries.get(row["id"])
        if known is None:
            entry = Entry(*[row[name] for name in _LIGHT])
            entry.dismissed_on = dismissed_on
            self._keep(entry)
            self._take_in_again(entry, row)
        elif known.row is None:
            # Of its place in the lists, the register knows better.
            known.dismissed_on = dismissed_on
            self._leave_out(known)
            self._take_in_again(known, row)

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        self._by_id[_id(entry.source_area, entry.external_id)].add(entry.id)
        self._by_content[_content(entry)].add(entry.id)

    def _leave_out(self, entry: Entry) -> None:
        self._by_content[_content(entry)].discard(entry.id)
        if entry.row is not None:
            for key in _keys(entry.row):
                self._by_key[key].discard(entry.id)

    def _take_in_again(self, entry: Entry, row: dict[str, Any]) -> None:
        entry.row, entry.person, entry.known = row, None, None
        entry.source_hash, entry.source_plz = row["source_hash"], row["source_plz"]
        entry.source_removed_at, entry.last_key = row["source_removed_at"], row["last_key"]
        self._by_content[_content(entry)].add(entry.id)
        for key in _keys(row):
            self._by_key[key].add(entry.id)

    def _found(self, listed: Listed) -> Iterator[set[int]]:
        # A row without a first name is found by its last one, a renamed person by the first.
        for key in (*listed.traits.name_keys, *listed.traits.contact_keys):
            yield self._by_key.get(key, set())
        if listed.external_id is not None:
            yield self._by_id.get((listed.area, listed.external_id), set())


def known(entry: Entry) -> Known:
    """The row as the rules of identity see it."""
    if entry.known is None:
        person = entry.whole
        said = person.source_record if has_base(person.source_record) else None
        current = {name: getattr(person, name) for name in _IDENTIFYING}
        # Where staff changed nothing that identifies, one look is enough.
        differs = said is not None and any(value != said.get(name) for name, value in current.items())
        entry.known = Known(
            row_id=entry.id,
            area=entry.source_area,
            external_id=entry.external_id,
            current=traits_of(current),
            source=traits_of(said) if said is not None and differs else None,
        )
    return entry.known


def has_base(said: Row | None) -> bool:
    """Whether the source has described the row: of one that was taken over, only single fields may be known."""
    return "nachname" in (said or {})


def _id(area: str | None, external_id: str | None) -> _Id | None:
    return None if area is None or external_id is None else (area, external_id)


def _content(entry: Entry) -> tuple[str, str]:
    return entry.last_key or "", entry.source_hash or ""


def _keys(row: Row) -> set[str]:
    keys = row
    if row["last_key"] is None:
        # Written by a version of the program that knew no keys.
        said = row["source_record"]
        keys = dict(look_up_keys(row, said if has_base(said) else None))
    found = {keys["last_key"], keys["first_key"], keys["mail_key"], keys["line_key"], *(keys["other_keys"] or ())}
    found.discard("")
    return found


def _empty() -> dict[str, object]:
    """What a row holds that nobody has said anything about."""
    moment = now()
    return {one.name: one.default for one in THERAPIST} | {"created_at": moment, "updated_at": moment}


_EMPTY = _empty()


# Rows are found by arrays of keys, each by itself, never by a join: a fresh table has no statistics, and the planner
# would expect so many rows for all of them together that it would read it from end to end.
def _one_of(column: str, parameter: str) -> sa.ColumnElement[bool]:
    return therapeuten.c[column] == sa.any_(_texts(parameter))


def _texts(parameter: str) -> sa.BindParameter[Any]:
    return sa.bindparam(parameter, type_=sa.ARRAY(sa.Text))


def _fetch(columns: Sequence[sa.ColumnElement[Any]], *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    found = sa.union_all(*[sa.select(therapeuten.c.id).where(condition) for condition in conditions])
    ids = sa.func.any(sa.func.array(found.scalar_subquery()))
    return sa.select(*columns).where(therapeuten.c.id == ids).order_by(therapeuten.c.id)


_UNDER_ID = sa.and_(_one_of("source_area", "areas"), _one_of("external_id", "ids"))
_LISTED = Statement(
    _fetch(
        [therapeuten.c[name] for name in _LIGHT],
        sa.and_(_one_of("last_key", "keys"), _one_of("source_hash", "hashes")),
        _UNDER_ID,
    ).with_for_update()
)
# All but the raw record, which is large, only kept as evidence, and compared with nothing.
_WHOLE = _fetch(
    [
        *[column for column in therapeuten.c if column.name != "source_raw"],
        sa.func.array(
            sa.select(proposed_deletions.c.scrape_day)
            .where(proposed_deletions.c.entity_id == therapeuten.c.id)
            .scalar_subquery()
        ).label("dismissed_on"),
    ],
    _UNDER_ID,
    _one_of("last_key", "keys"),
    _one_of("first_key", "keys"),
    _one_of("mail_key", "contacts"),
    _one_of("line_key", "contacts"),
    therapeuten.c.other_keys.overlap(_texts("keys") + _texts("contacts")),
    therapeuten.c.last_key.is_(None),
    therapeuten.c.id == sa.any_(sa.bindparam("rows", type_=sa.ARRAY(sa.Integer))),
)
_LOOKED_AT = Statement(_WHOLE, as_dicts=True)
_LOCKED = Statement(_WHOLE.with_for_update(), as_dicts=True)

# The table's own row type turns the JSON back into typed values.
_RELIST = Statement(f"""
    UPDATE therapist_service.therapeuten AS present SET {", ".join(f"{name} = given.{name}" for name in _LISTING)}
    FROM jsonb_populate_recordset(NULL::therapist_service.therapeuten, CAST(:rows AS jsonb)) AS given
    WHERE present.id = given.id AND present.id = ANY(CAST(:ids AS integer[]))
""")
