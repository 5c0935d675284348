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
    """Brings all digests under the keys of today, and returns those. Cheap where that was done before."""
    keys = keys_of(connection)
    row = connection.execute(sa.select(digest_key).with_for_update()).one()
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
    tracking = kernel.import_tracking
    for row in connection.execute(sa.select(tracking.c.id, tracking.c.source_key)).all():
        place, separator, digest = row.source_key.rpartition("/")
        if separator:
            changed = f"{place}/{change(digest)}"
            connection.execute(sa.update(tracking).where(tracking.c.id == row.id).values(source_key=changed))
