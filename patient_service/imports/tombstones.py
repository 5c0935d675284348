"""Recognising an erased person, without keeping anything of them.

A tombstone is an HMAC-SHA256 of a registration token, of a file's hash or of a patient's row, with a key of the
database's own. Tombstones stand in the database and in a list beside the local copies: a restored database is older
than some erasures, and the list tells it of them.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from patient_service.imports.local_copies import LocalCopies
from patient_service.models import digest_key, erasures, patient_consents, patienten, tombstones

_KEY = "digest_key"
_KINDS = ("token", "content", "patient")
_RESTORED = {"restored_from_list": True, "not_reached": []}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One erasure, as the list beside the copies tells of it."""

    patient_id: int
    erased_by: str
    erased_at: str
    digests: tuple[tuple[str, str], ...]


is_erased = sa.exists().where(tombstones.c.digest == sa.any_(sa.bindparam("digests", type_=sa.ARRAY(sa.Text))))
"""Whether the registration of `digests` belongs to an erased person, to be asked for together with other things."""


def digests_of(connection: Connection, token: str | None, sha256: str) -> list[tuple[str, str]]:
    """The registration's (kind, digest) pairs, `token` (if it has one) and `content`."""
    return _registration_digests(_key(connection), token, sha256)


def patient_digest(connection: Connection, patient_id: int, created_at: datetime) -> tuple[str, str]:
    """The (kind, digest) pair of a patient's row, for people who never registered by file.

    The number alone would not do: after a restore the same number may be given to somebody else.
    """
    return _row_digest(_key(connection), patient_id, created_at)


def bury(connection: Connection, erasure_id: int, digests: Iterable[tuple[str, str]]) -> None:
    """Keeps the tombstones of an erasure in the database."""
    rows = [{"kind": kind, "digest": digest, "erasure_id": erasure_id} for kind, digest in sorted(set(digests))]
    if rows:
        connection.execute(insert(tombstones).on_conflict_do_nothing(), rows)


def synchronise(connection: Connection, copies: LocalCopies) -> bool:
    """Lets database and list know the same erasures; True where the list knew more: the database was restored.

    Raises `DiskUnavailable`.
    """
    kept = [entry for line in copies.erasures() if (entry := _read(line)) is not None]
    listed = {digest for entry in kept for digest in entry.digests}
    known = {(row.kind, row.digest) for row in connection.execute(sa.select(tombstones.c.kind, tombstones.c.digest))}
    forgotten = [entry for entry in kept if not known.issuperset(entry.digests)]
    for entry in forgotten:
        bury(connection, _record_again(connection, entry), entry.digests)
    copies.keep_erasures([_written(entry) for entry in _unlisted(connection, listed)])
    return bool(forgotten)


def returned_patients(connection: Connection) -> list[int]:
    """The patients whose erasure a restored backup has undone, by id.

    Known by their row or by the very bytes they registered with. A token is too short to erase somebody for it.
    """
    buried = set(connection.execute(sa.select(tombstones.c.digest)).scalars())
    key = _key(connection)
    rows = connection.execute(sa.select(patienten.c.id, patienten.c.created_at))
    found = {row.id for row in rows if _row_digest(key, row.id, row.created_at)[1] in buried}
    evidence = connection.execute(sa.select(patient_consents.c.patient_id, patient_consents.c.file_hash))
    found |= {row.patient_id for row in evidence if _digest(key, "content", row.file_hash) in buried}
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


def _written(entry: _Entry) -> str:
    return json.dumps(
        {
            "patient_id": entry.patient_id,
            "erased_by": entry.erased_by,
            "erased_at": entry.erased_at,
            "tombstones": [f"{kind} {digest}" for kind, digest in entry.digests],
        }
    )


def _read(line: str) -> _Entry | None:
    """The entry; None for a line that a crash cut off: the database writes it again."""
    try:
        found = json.loads(line)
        datetime.fromisoformat(found["erased_at"])
        digests = tuple(_pair(text) for text in found["tombstones"])
        return _Entry(int(found["patient_id"]), str(found["erased_by"]), found["erased_at"], digests)
    except (ValueError, KeyError, TypeError):
        return None


def _pair(text: str) -> tuple[str, str]:
    kind, digest = text.split()
    if kind not in _KINDS:
        raise ValueError
    return kind, digest


def _key(connection: Connection) -> bytes:
    # It never changes while a session lasts: a database is restored without any.
    if _KEY not in connection.info:
        connection.info[_KEY] = bytes(connection.execute(sa.select(digest_key.c.key)).scalar_one())
    return bytes(connection.info[_KEY])


def _registration_digests(key: bytes, token: str | None, sha256: str) -> list[tuple[str, str]]:
    named: Sequence[tuple[str, str | None]] = [("token", token), ("content", sha256)]
    return [(kind, _digest(key, kind, value)) for kind, value in named if value]


def _row_digest(key: bytes, patient_id: int, created_at: datetime) -> tuple[str, str]:
    return "patient", _digest(key, "patient", f"{patient_id}:{created_at.astimezone(UTC).isoformat()}")


def _digest(key: bytes, kind: str, value: str) -> str:
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()
