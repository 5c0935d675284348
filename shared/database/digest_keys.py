"""What digests of people and names are keyed with: nobody can find out by trying names.

The first key lies in the database, made with its tables. A secret of the settings (`DIGEST_KEY`) is laid over it: then
a dump of the database alone is not enough to try. All digests that were made without the secret are brought under it
when it first comes, so that they are still known.
"""

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from shared.core.errors import DatabaseNotMigrated, SettingsError, TransientError
from shared.core.settings import DatabaseSettings, DigestSettings, Settings
from shared.database.engine import POOL_SIZE, create_engine, transaction
from shared.database.revision import require_revision

_OF_SETTINGS = "digest_secret"


@dataclass(frozen=True, slots=True)
class Keys:
    """The database's key, and the secret laid over it, if there is one."""

    key: bytes
    secret: bytes | None

    def digest(self, text: str) -> str:
        """The keyed digest of a text."""
        return self.with_secret(self.without_secret(text))

    def digest_of_name(self, name: str) -> str:
        """The keyed digest of an object's name, which may hold anything."""
        return self.digest(hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest())

    def without_secret(self, text: str) -> str:
        """A digest with the database's key alone."""
        return _hmac(self.key, text)

    def with_secret(self, digest: str) -> str:
        """A digest that was made with the database's key alone, as it is today."""
        return digest if self.secret is None else _hmac(self.secret, digest)

    @property
    def fingerprint(self) -> str | None:
        """Recognises the secret without telling it."""
        return None if self.secret is None else _hmac(self.secret, "curavani digest key")


def keyed_engine(settings: Settings, application_name: str, *, pool_size: int = POOL_SIZE) -> Engine:
    """The engine of `DATABASE_URL`, of which every connection knows the secret of the settings."""
    url = settings[DatabaseSettings].database_url.get_secret_value()
    engine = create_engine(url, application_name=application_name, pool_size=pool_size)
    secret = settings[DigestSettings].secret

    def remember(_driver: object, record: sa.pool.ConnectionPoolEntry) -> None:
        record.info[_OF_SETTINGS] = secret

    sa.event.listen(engine, "connect", remember)
    return engine


def keys_of(connection: Connection, table: sa.Table) -> Keys:
    """The keys, of which the table has one row with `key` and `secret_fingerprint`.

    Raises `SettingsError` where the secret is another one than before: nobody would be recognised.
    """
    # They never change while a session lasts: a database is restored without any.
    if table not in connection.info:
        row = connection.execute(sa.select(table.c.key, table.c.secret_fingerprint)).one()
        keys = Keys(bytes(row.key), connection.info.get(_OF_SETTINGS))
        require_same(row.secret_fingerprint, keys)
        connection.info[table] = keys
    known: Keys = connection.info[table]
    return known


def require_same(fingerprint: str | None, keys: Keys) -> None:
    """Raises `SettingsError` where digests were made with another secret than that of the keys."""
    if fingerprint not in (None, keys.fingerprint):
        raise SettingsError(["DIGEST_KEY: is not the one that this database's digests were made with"])


def require_secret(settings: Settings, table: sa.Table) -> None:
    """Raises `SettingsError` where the secret is another one than before. A database that is away or has no tables of
    ours cannot say so, and is not waited for here.
    """
    engine = keyed_engine(settings, "curavani", pool_size=1)
    try:
        with suppress(TransientError, DatabaseNotMigrated), transaction(engine) as connection:
            require_revision(connection)
            keys_of(connection, table)
    finally:
        engine.dispose()


def _hmac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
