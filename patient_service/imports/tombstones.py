"""Recognising the registration of an erased person, without keeping anything of it.

A tombstone is an HMAC-SHA256 of the registration token or of the file's hash, with a key of the database's own.
"""

import hashlib
import hmac
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.models import digest_key, tombstones


def is_erased(connection: Connection, token: str | None, sha256: str) -> bool:
    """Whether this registration belongs to an erased person."""
    digests = [digest for _, digest in digests_of(connection, token, sha256)]
    found = sa.select(sa.exists().where(tombstones.c.digest.in_(digests)))
    return bool(connection.execute(found).scalar())


def digests_of(connection: Connection, token: str | None, sha256: str) -> list[tuple[str, str]]:
    """The registration's (kind, digest) pairs, `token` (if it has one) and `content`."""
    key = connection.execute(sa.select(digest_key.c.key)).scalar_one()
    named = [("token", token), ("content", sha256)]
    return [(kind, _digest(key, kind, value)) for kind, value in named if value]


def patient_digest(connection: Connection, patient_id: int, created_at: datetime) -> tuple[str, str]:
    """The (kind, digest) pair of a patient's row, for people who never registered by file.

    The number alone would not do: after a restore the same number may be given to somebody else.
    """
    key = connection.execute(sa.select(digest_key.c.key)).scalar_one()
    return "patient", _digest(key, "patient", f"{patient_id}:{created_at.astimezone(UTC).isoformat()}")


def _digest(key: bytes, kind: str, value: str) -> str:
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()
