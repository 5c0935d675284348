"""The digests of erased people and of object names, under the keys of today."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.models import digest_key, kernel, tombstones
from shared.database import digest_keys
from shared.database.digest_keys import Keys


def keys_of(connection: Connection) -> Keys:
    """The keys. Raises `SettingsError` where the secret is another one than before."""
    return digest_keys.keys_of(connection, digest_key)


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
    digest_keys.require_same(row.secret_fingerprint, keys)
    if not row.names_are_keyed:
        _replace_names(connection, keys.without_secret)
    if row.secret_fingerprint is None and keys.secret is not None:
        _replace_names(connection, keys.with_secret)
        for digest in connection.execute(sa.select(tombstones.c.digest)).scalars().all():
            changed = sa.update(tombstones).where(tombstones.c.digest == digest)
            connection.execute(changed.values(digest=keys.with_secret(digest)))
    if not row.names_are_keyed or row.secret_fingerprint != keys.fingerprint:
        connection.execute(sa.update(digest_key).values(names_are_keyed=True, secret_fingerprint=keys.fingerprint))
    return keys


def _replace_names(connection: Connection, change: Callable[[str], str]) -> None:
    files = kernel.import_tracking
    for row in connection.execute(sa.select(files.c.id, files.c.source_key)).all():
        place, separator, digest = row.source_key.rpartition("/")
        if separator:
            changed = f"{place}/{change(digest)}"
            connection.execute(sa.update(files).where(files.c.id == row.id).values(source_key=changed))
