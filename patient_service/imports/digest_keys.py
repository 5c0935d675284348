"""What the digests of erased people and of object names are keyed with: nobody can find out by trying names.

The first key lies in the database, made with its tables. A secret of the settings (`DIGEST_KEY`) is laid over it: then
a dump of the database alone is not enough to try. All digests that were made without the secret are brought under it
when it first comes, so that they are still known.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from patient_service.models import digest_key, kernel, tombstones
from shared.core.errors import SettingsError

_SECRET, _KEYS = "digest_secret", "digest_keys"


@dataclass(frozen=True, slots=True)
class Keys:
    """The database's key, and the secret laid over it, if there is one."""

    key: bytes
    secret: bytes | None

    def digest(self, text: str) -> str:
        """The keyed digest of a text."""
        return self.with_secret(_hmac(self.key, text))

    def digest_of_name(self, name: str) -> str:
        """The keyed digest of an object's name, which may hold anything."""
        return self.with_secret(_hmac(self.key, hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()))

    def with_secret(self, digest: str) -> str:
        """A digest that was made with the database's key alone, as it is today."""
        return digest if self.secret is None else _hmac(self.secret, digest)

    @property
    def fingerprint(self) -> str | None:
        """Recognises the secret without telling it."""
        return None if self.secret is None else _hmac(self.secret, "curavani digest key")


def use_secret(engine: Engine, secret: bytes | None) -> None:
    """Lets every connection of the engine know the secret of the settings."""

    def remember(_driver: object, record: sa.pool.ConnectionPoolEntry) -> None:
        record.info[_SECRET] = secret

    sa.event.listen(engine, "connect", remember)


def keys_of(connection: Connection) -> Keys:
    """The keys. Raises `SettingsError` where the secret is another one than before: nobody would be recognised."""
    # They never change while a session lasts: a database is restored without any.
    if _KEYS not in connection.info:
        row = connection.execute(sa.select(digest_key)).one()
        keys = Keys(bytes(row.key), connection.info.get(_SECRET))
        _require_same(row, keys)
        connection.info[_KEYS] = keys
    known: Keys = connection.info[_KEYS]
    return known


def settle_keys(connection: Connection) -> Keys:
    """Brings all digests under the keys of today, and returns those, which stay the same for the transaction.

    Where that was done before nobody waits for anybody. Raises `SettingsError` as `keys_of`.
    """
    keys = keys_of(connection)
    # Read anew: another process may have laid a secret over the key since this session asked.
    settled = sa.select(digest_key).where(
        digest_key.c.names_are_keyed, digest_key.c.secret_fingerprint.is_not_distinct_from(keys.fingerprint)
    )
    if connection.execute(settled.with_for_update(read=True)).one_or_none() is not None:
        return keys
    row = connection.execute(sa.select(digest_key).with_for_update()).one()
    _require_same(row, keys)
    if not row.names_are_keyed:
        _replace_names(connection, lambda digest: _hmac(keys.key, digest))
    if row.secret_fingerprint is None and keys.secret is not None:
        _replace_names(connection, keys.with_secret)
        for digest in connection.execute(sa.select(tombstones.c.digest)).scalars().all():
            changed = sa.update(tombstones).where(tombstones.c.digest == digest)
            connection.execute(changed.values(digest=keys.with_secret(digest)))
    if not row.names_are_keyed or row.secret_fingerprint != keys.fingerprint:
        connection.execute(sa.update(digest_key).values(names_are_keyed=True, secret_fingerprint=keys.fingerprint))
    return keys


def _require_same(row: sa.Row[tuple[object, ...]], keys: Keys) -> None:
    if row.secret_fingerprint not in (None, keys.fingerprint):
        raise SettingsError(["DIGEST_KEY: is not the one that this database's digests were made with"])


def _replace_names(connection: Connection, change: Callable[[str], str]) -> None:
    tracking = kernel.import_tracking
    for row in connection.execute(sa.select(tracking.c.id, tracking.c.source_key)).all():
        place, separator, digest = row.source_key.rpartition("/")
        if separator:
            changed = f"{place}/{change(digest)}"
            connection.execute(sa.update(tracking).where(tracking.c.id == row.id).values(source_key=changed))


def _hmac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
