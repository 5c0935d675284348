"""Knowing again who objected, without keeping anything of them.

A suppression is a set of keyed digests (`shared.database.digest_keys`). `known_by` are of the full name with full
address, mail or phone; `resembles` are of what somebody else may share, too.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import NotFound
from shared.database.digest_keys import Keys, keys_of, require_same
from shared.database.statements import Statement
from shared.fields.declaration import Row
from shared.history.actions import record_action
from shared.text.keys import email_key, phone_key
from shared.words.statuses import Action
from therapist_service.imports.traits import traits_of
from therapist_service.models import digest_key, kernel, suppressions

_DIGEST = re.compile("[0-9a-f]{64}")
_KINDS: tuple[Literal["known_by"], Literal["resembles"]] = ("known_by", "resembles")


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Whom an import leaves out, as of one moment; without anybody it computes nothing."""

    keys: Keys
    known_by: AbstractSet[str]
    resembles: AbstractSet[str]

    def knows(self, fields: Row) -> bool:
        """Whether the record is of somebody who objected."""
        return bool(self.known_by) and not self.known_by.isdisjoint(_digests(self.keys, _known_by(fields)))

    def resembles_somebody(self, fields: Row) -> bool:
        """Whether the record may be of somebody who objected."""
        return bool(self.resembles) and not self.resembles.isdisjoint(_digests(self.keys, _resembling(fields)))


NOBODY = Suppressed(Keys(b"", None), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Suppression:
    """An erasure that keeps imports from bringing somebody back: who asked for it is not known any more."""

    id: int
    erased_by: str
    erased_at: datetime
    certificate: Mapping[str, object] | None = None


def suppressed(connection: Connection) -> Suppressed:
    """Everybody whom an import has to leave out."""
    rows = _ALL(connection).fetchall()
    known_by = frozenset(digest for row in rows for digest in row.known_by)
    resembles = frozenset(digest for row in rows for digest in row.resembles)
    return Suppressed(keys_of(connection, digest_key), known_by, resembles) if rows else NOBODY


def settle_keys(connection: Connection) -> None:
    """Brings all digests under the keys of today. Cheap where that was done before.

    Raises `SettingsError` where the secret of the settings is another one than before.
    """
    keys = keys_of(connection, digest_key)
    # Read anew: another process may have laid a secret over the key since this session asked.
    settled = sa.select(digest_key.c.only).where(digest_key.c.secret_fingerprint.is_not_distinct_from(keys.fingerprint))
    if connection.execute(settled.with_for_update(read=True)).first() is not None:
        return
    require_same(connection.execute(sa.select(digest_key.c.secret_fingerprint).with_for_update()).scalar_one(), keys)
    for row in connection.execute(sa.select(suppressions)).mappings().all():
        digests = {name: [keys.with_secret(one) for one in row[name]] for name in _KINDS}
        connection.execute(sa.update(suppressions).where(suppressions.c.id == row["id"]).values(digests))
    connection.execute(sa.update(digest_key).values(secret_fingerprint=keys.fingerprint))


class Digests(TypedDict):
    """What somebody is known again by, and whether the digests carry the secret of the settings."""

    known_by: list[str]
    resembles: list[str]
    with_secret: bool


def read_digests(certificate: object) -> Digests:
    """Those that a certificate holds. Raises `ValueError` for anything else."""
    found = certificate.get("digests") if isinstance(certificate, dict) else None
    if not isinstance(found, dict) or not all(_are_digests(found.get(name)) for name in _KINDS):
        raise ValueError("no certificate of a therapist's erasure")
    return {
        "known_by": found["known_by"],
        "resembles": found["resembles"],
        "with_secret": found.get("with_secret") is True,
    }


def _are_digests(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in values)


def digests_of(connection: Connection, versions: Sequence[Row]) -> Digests:
    """Of somebody who goes by these names and addresses."""
    keys = keys_of(connection, digest_key)
    return {
        "known_by": sorted({digest for fields in versions for digest in _digests(keys, _known_by(fields))}),
        "resembles": sorted(
            {digest for fields in versions for digest in _digests(keys, _resembling(fields, is_kept=True))}
        ),
        "with_secret": keys.secret is not None,
    }


def recognising(connection: Connection, digests: Digests) -> Suppressed:
    """Knows nobody but the person of these digests."""
    keys = keys_of(connection, digest_key)
    return Suppressed(keys, frozenset(digests["known_by"]), frozenset(digests["resembles"]))


def suppress(connection: Connection, digests: Digests, actor: str) -> int:
    """Leaves somebody out of imports from now on; returns the suppression's number."""
    row = {name: digests[name] for name in _KINDS} | {"erased_by": actor}
    return int(connection.execute(sa.insert(suppressions).values(row).returning(suppressions.c.id)).scalar_one())


def suppress_again(connection: Connection, digests: Digests, actor: str) -> None:
    """Leaves out whom a restored database has forgotten; who is known still, stays as they are."""
    keys = keys_of(connection, digest_key)
    of_today: Digests = {**digests, "with_secret": keys.secret is not None}
    if not digests["with_secret"]:
        for name in _KINDS:
            of_today[name] = [keys.with_secret(one) for one in digests[name]]
    known_by = sa.cast(of_today["known_by"], sa.ARRAY(sa.Text))
    is_known = sa.select(suppressions.c.id).where(suppressions.c.known_by.contains(known_by))
    if connection.execute(is_known.limit(1)).first() is None:
        suppress(connection, of_today, actor)


def keep_certificate(connection: Connection, suppression_id: int, certificate: Mapping[str, object]) -> None:
    """Keeps what the erasure removed."""
    changed = sa.update(suppressions).where(suppressions.c.id == suppression_id)
    connection.execute(changed.values(certificate=certificate))


def extend(connection: Connection, suppression_ids: Sequence[int], fields: Row) -> None:
    """What a person has said to be of the same somebody is known from now on."""
    digests = _digests(keys_of(connection, digest_key), _known_by(fields))
    wider = suppressions.c.known_by.concat(sa.cast(sorted(digests), sa.ARRAY(sa.Text)))
    connection.execute(sa.update(suppressions).where(suppressions.c.id.in_(suppression_ids)).values(known_by=wider))


def resembled_by(connection: Connection, fields: Row) -> list[int]:
    """The suppressions that the record resembles."""
    digests = sa.cast(sorted(_digests(keys_of(connection, digest_key), _resembling(fields))), sa.ARRAY(sa.Text))
    found = sa.select(suppressions.c.id).where(suppressions.c.resembles.overlap(digests))
    return list(connection.execute(found).scalars())


def list_suppressions(connection: Connection) -> list[Suppression]:
    """Everybody who is left out, the latest first."""
    columns = suppressions.c
    wanted = sa.select(columns.id, columns.erased_by, columns.erased_at, columns.certificate)
    return [Suppression(*row) for row in connection.execute(wanted.order_by(columns.id.desc()))]


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

    Where one side has no first name, the last one is enough: `is_kept` is the side of somebody who objected. Names
    that are swapped, or parted otherwise, count with any of these, too, and another last name with first name and mail.
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
    if traits.first:
        names = sorted(name.replace(" ", "") for name in (traits.last, traits.first))
        named += [(f"like-names-{kind}", *names, value) for kind, value in found.items() if value]
        named += [("like-first", traits.first, found["mail"])] if found["mail"] else []
    return [*named, ("like-name", traits.last, traits.first or "", traits.zip)] if traits.zip else named


def _initials(first: str | None, *, is_kept: bool) -> list[str]:
    if is_kept:
        return [first[0] if first else "nameless", "anybody"]
    return [first[0], "nameless"] if first else ["anybody"]


def _digests(keys: Keys, named: Sequence[_Named]) -> set[str]:
    return {keys.digest(repr(values)) for values in named}


_ALL = Statement("SELECT known_by, resembles FROM therapist_service.suppressions")
