"""Knowing again who objected, without keeping anything of them.

A suppression is a set of digests, HMAC-SHA256 with a key that the database keeps. `known_by` are of the full name with
full address, mail or phone; `resembles` are of what somebody else may share, too.
"""

import hashlib
import hmac
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import NotFound
from shared.database.statements import Statement
from shared.fields.declaration import Row
from shared.history.actions import record_action
from shared.text.keys import email_key, phone_key
from shared.words.statuses import Action
from therapist_service.imports.traits import traits_of
from therapist_service.models import digest_key, kernel, suppressions


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Whom an import leaves out, as of one moment; without anybody it computes nothing."""

    key: bytes
    known_by: AbstractSet[str]
    resembles: AbstractSet[str]

    def knows(self, fields: Row) -> bool:
        """Whether the record is of somebody who objected."""
        return bool(self.known_by) and not self.known_by.isdisjoint(_digests(self.key, _known_by(fields)))

    def resembles_somebody(self, fields: Row) -> bool:
        """Whether the record may be of somebody who objected."""
        return bool(self.resembles) and not self.resembles.isdisjoint(_digests(self.key, _resembling(fields)))


NOBODY = Suppressed(b"", frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Suppression:
    """An erasure that keeps imports from bringing somebody back: who asked for it is not known any more."""

    id: int
    erased_by: str
    erased_at: datetime


def suppressed(connection: Connection) -> Suppressed:
    """Everybody whom an import has to leave out."""
    rows = _ALL(connection).fetchall()
    known_by = frozenset(digest for row in rows for digest in row.known_by)
    resembles = frozenset(digest for row in rows for digest in row.resembles)
    return Suppressed(bytes(rows[0].key), known_by, resembles) if rows else NOBODY


def suppress(connection: Connection, versions: Sequence[Row], actor: str) -> int:
    """Keeps the digests of somebody who goes by these names and addresses; returns the suppression's number."""
    key = _key(connection)
    row = {
        "known_by": sorted({digest for fields in versions for digest in _digests(key, _known_by(fields))}),
        "resembles": sorted(
            {digest for fields in versions for digest in _digests(key, _resembling(fields, is_kept=True))}
        ),
        "erased_by": actor,
    }
    return int(connection.execute(sa.insert(suppressions).values(row).returning(suppressions.c.id)).scalar_one())


def extend(connection: Connection, suppression_ids: Sequence[int], fields: Row) -> None:
    """What a person has said to be of the same somebody is known from now on."""
    digests = _digests(_key(connection), _known_by(fields))
    wider = suppressions.c.known_by.concat(sa.cast(sorted(digests), sa.ARRAY(sa.Text)))
    connection.execute(sa.update(suppressions).where(suppressions.c.id.in_(suppression_ids)).values(known_by=wider))


def resembled_by(connection: Connection, fields: Row) -> list[int]:
    """The suppressions that the record resembles."""
    digests = sa.cast(sorted(_digests(_key(connection), _resembling(fields))), sa.ARRAY(sa.Text))
    found = sa.select(suppressions.c.id).where(suppressions.c.resembles.overlap(digests))
    return list(connection.execute(found).scalars())


def list_suppressions(connection: Connection) -> list[Suppression]:
    """Everybody who is left out, the latest first."""
    columns = suppressions.c
    rows = connection.execute(sa.select(columns.id, columns.erased_by, columns.erased_at).order_by(columns.id.desc()))
    return [Suppression(*row) for row in rows]


def allow(connection: Connection, suppression_id: int, actor: str) -> None:
    """An import may bring the person back from now on. Raises `NotFound`."""
    if not withdraw(connection, suppression_id):
        raise NotFound("Erasure not found")
    record_action(connection, kernel, Action.ALLOW, actor)


def withdraw(connection: Connection, suppression_id: int) -> bool:
    """Forgets the digests; False where there are none of that number."""
    return connection.execute(sa.delete(suppressions).where(suppressions.c.id == suppression_id)).rowcount > 0


_Named = tuple[str, ...]
"""What a digest is of."""


def _known_by(fields: Row) -> list[_Named]:
    """The full name with full address, mail or phone; nothing where a name is missing."""
    traits = traits_of(fields)
    if not traits.last or not traits.first:
        return []
    place = f"{traits.zip}|{traits.street}" if traits.numbered and traits.zip else None
    found = {"address": place, "mail": email_key(fields.get("email")), "phone": phone_key(fields.get("telefon"))}
    return [(kind, traits.last, traits.first, value) for kind, value in found.items() if value]


def _resembling(fields: Row, *, is_kept: bool = False) -> list[_Named]:
    """Last name and initial with street, mail or phone, or the whole name under the same postal code.

    Where one side has no first name, the last one is enough: `is_kept` is the side of somebody who objected.
    """
    traits = traits_of(fields)
    if not traits.last:
        return []
    found = {
        "place": f"{traits.zip}|{traits.street}" if traits.street and traits.zip else None,
        "mail": email_key(fields.get("email")),
        "phone": phone_key(fields.get("telefon")),
    }
    initials = _initials(traits.first, is_kept=is_kept)
    named: list[_Named] = [
        (f"like-{kind}", traits.last, initial, value) for kind, value in found.items() if value for initial in initials
    ]
    return [*named, ("like-name", traits.last, traits.first or "", traits.zip)] if traits.zip else named


def _initials(first: str | None, *, is_kept: bool) -> list[str]:
    if is_kept:
        return [first[0] if first else "nameless", "anybody"]
    return [first[0], "nameless"] if first else ["anybody"]


def _digests(key: bytes, named: Sequence[_Named]) -> set[str]:
    return {hmac.new(key, repr(values).encode(), hashlib.sha256).hexdigest() for values in named}


def _key(connection: Connection) -> bytes:
    return bytes(connection.execute(sa.select(digest_key.c.key)).scalar_one())


_ALL = Statement("SELECT key, known_by, resembles FROM therapist_service.digest_key, therapist_service.suppressions")
