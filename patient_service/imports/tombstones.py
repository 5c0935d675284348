"""Recognising an erased person, without keeping anything of them.

A tombstone is a keyed digest of a registration token, of a file's hash, of a patient's row, or of a name with its
address. Tombstones stand in the database and in a list beside the local copies: a restored database is older
than some erasures, and the list tells it of them.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from patient_service.imports.digest_keys import keys_of as _keys
from patient_service.imports.file_names import LEAST_TOKEN
from patient_service.imports.local_copies import LocalCopies
from patient_service.models import erasures, patient_consents, patienten, tombstones
from shared.database.digest_keys import Keys

_KINDS = ("token", "content", "patient", "person")
_RESTORED = {
    "not_reached": [],
    "out_of_reach": [
        "restored_from_list: the database was restored after the erasure; its details are not known any more"
    ],
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One erasure, as the list beside the copies tells of it."""

    patient_id: int
    erased_by: str
    erased_at: str
    digests: tuple[tuple[str, str], ...]


_of_content = tombstones.c.digest == sa.any_(sa.bindparam("digests", type_=sa.ARRAY(sa.Text)))
_of_person = sa.and_(
    tombstones.c.digest == sa.any_(sa.bindparam("people", type_=sa.ARRAY(sa.Text))),
    tombstones.c.erasure_id == erasures.c.id,
    # Whoever registers after the erasure wants to be a patient again.
    erasures.c.erased_at >= sa.bindparam("uploaded_at", type_=sa.DateTime(timezone=True)),
)
is_erased = sa.or_(sa.exists().where(_of_content), sa.exists().where(_of_person))
"""Whether the registration of `digests`, about the person of `people`, is one of an erased person; to be asked for
together with other things."""


def digests_of(connection: Connection, token: str | None, sha256: str | None) -> list[tuple[str, str]]:
    """The registration's (kind, digest) pairs, `token` and `content`, of what is known of it."""
    keys = _keys(connection)
    named: Sequence[tuple[str, str | None]] = [("token", token), ("content", sha256)]
    return [(kind, keys.digest(f"{kind}:{value}")) for kind, value in named if value]


def name_token_digest(connection: Connection, name_token: str) -> tuple[str, str]:
    """The (kind, digest) pair of a token as an object's name gives it."""
    return "token", _keys(connection).digest(f"name token:{name_token.casefold()}")


def name_token_digests(connection: Connection, token: str) -> list[tuple[str, str]]:
    """The (kind, digest) pairs of all that stands for the token in an object's name."""
    ends = {min(LEAST_TOKEN, len(token)), *range(LEAST_TOKEN, len(token) + 1)}
    return [name_token_digest(connection, token[:end]) for end in sorted(ends)]


def person_digests(connection: Connection, name_key: str, email_key: str | None) -> list[tuple[str, str]]:
    """The (kind, digest) pair of a name and an address together; none without an address: names repeat."""
    if email_key is None:
        return []
    return [("person", _keys(connection).digest(f"person:{name_key}\x00{email_key}"))]


def patient_digest(connection: Connection, patient_id: int, created_at: datetime) -> tuple[str, str]:
    """The (kind, digest) pair of a patient's row, for people who never registered by file.

    The number alone would not do: after a restore the same number may be given to somebody else.
    """
    return _row_digest(_keys(connection), patient_id, created_at)


def bury(connection: Connection, erasure_id: int, digests: Iterable[tuple[str, str]]) -> None:
    """Keeps the tombstones of an erasure in the database."""
    rows = [{"kind": kind, "digest": digest, "erasure_id": erasure_id} for kind, digest in sorted(set(digests))]
    if rows:
        connection.execute(insert(tombstones).on_conflict_do_nothing(), rows)


def synchronise(connection: Connection, copies: LocalCopies) -> bool:
    """Lets database and list know the same erasures; True where the list knew more: the database was restored.

    Raises `DiskUnavailable`.
    """
    keys = _keys(connection)
    kept = [entry for line in copies.erasures() if (entry := _read(line, keys)) is not None]
    listed = {digest for entry in kept for digest in entry.digests}
    known = {(row.kind, row.digest) for row in connection.execute(sa.select(tombstones.c.kind, tombstones.c.digest))}
    forgotten = [entry for entry in kept if not known.issuperset(entry.digests)]
    for entry in forgotten:
        bury(connection, _record_again(connection, entry), entry.digests)
    copies.keep_erasures([_written(entry, keys) for entry in _unlisted(connection, listed)])
    return bool(forgotten)


def returned_patients(connection: Connection) -> list[int]:
    """The patients whose erasure a restored backup has undone, by id.

    Known by their row or by the very bytes they registered with. A token is too short to erase somebody for it.
    """
    buried = set(connection.execute(sa.select(tombstones.c.digest)).scalars())
    keys = _keys(connection)
    rows = connection.execute(sa.select(patienten.c.id, patienten.c.created_at))
    found = {row.id for row in rows if _row_digest(keys, row.id, row.created_at)[1] in buried}
    evidence = connection.execute(sa.select(patient_consents.c.patient_id, patient_consents.c.file_hash))
    found |= {row.patient_id for row in evidence if keys.digest(f"content:{row.file_hash}") in buried}
    return sorted(found)


def _record_again(connection: Connection, entry: _Entry) -> int:
    """The erasure that the restored database has forgotten, on record again."""
    statement = sa.insert(erasures).values(
        patient_id=entry.patient_id,
        erased_by=entry.erased_by,
        erased_at=datetime.fromisoformat(entry.erased_at),
        certificate=_RESTORED,
    )
    return int(connection.execute(statement.returning(erasures.c.id)).scalar_one())


def _unlisted(connection: Connection, listed: set[tuple[str, str]]) -> list[_Entry]:
    """The database's erasures that the list does not tell of yet."""
    statement = (
        sa.select(erasures.c.patient_id, erasures.c.erased_by, erasures.c.erased_at, tombstones)
        .join(tombstones, tombstones.c.erasure_id == erasures.c.id)
        .order_by(erasures.c.id, tombstones.c.digest)
    )
    found: dict[int, _Entry] = {}
    for row in connection.execute(statement):
        entry = found.get(row.erasure_id, _Entry(row.patient_id, row.erased_by, row.erased_at.isoformat(), ()))
        digests = (*entry.digests, (row.kind, row.digest))
        found[row.erasure_id] = _Entry(entry.patient_id, entry.erased_by, entry.erased_at, digests)
    return [entry for entry in found.values() if not listed.issuperset(entry.digests)]


def _written(entry: _Entry, keys: Keys) -> str:
    return json.dumps(
        {
            "patient_id": entry.patient_id,
            "erased_by": entry.erased_by,
            "erased_at": entry.erased_at,
            "secret": keys.fingerprint,
            "tombstones": [f"{kind} {digest}" for kind, digest in entry.digests],
        }
    )


def _read(line: str, keys: Keys) -> _Entry | None:
    """The entry, with the digests as they are today; None for a line that a crash cut off: it is written again."""
    try:
        found = json.loads(line)
        datetime.fromisoformat(found["erased_at"])
        digests = tuple(_pair(text) for text in found["tombstones"])
        if found.get("secret") is None:
            digests = tuple((kind, keys.with_secret(digest)) for kind, digest in digests)
        return _Entry(int(found["patient_id"]), str(found["erased_by"]), found["erased_at"], digests)
    except (ValueError, KeyError, TypeError):
        return None


def _pair(text: str) -> tuple[str, str]:
    kind, digest = text.split()
    if kind not in _KINDS:
        raise ValueError
    return kind, digest


def _row_digest(keys: Keys, patient_id: int, created_at: datetime) -> tuple[str, str]:
    return "patient", keys.digest(f"patient:{patient_id}:{created_at.astimezone(UTC).isoformat()}")
