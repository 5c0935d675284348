"""Locks on a person, whether or not there is a row of them yet: by name, e-mail address and registration tokens."""

from collections.abc import Iterable

from sqlalchemy.engine import Connection

from patient_service.imports.file_names import LEAST_TOKEN
from shared.database.statements import Statement

# Row by row, in the order of the names: two transactions that lock them in different orders would deadlock.
_LOCK = Statement("""
    SELECT pg_advisory_xact_lock(hashtextextended(name, 1)) FROM unnest(CAST(:names AS text[])) AS name
""")


def lock_person(connection: Connection, name_key: str, email_key: str | None, tokens: Iterable[str | None]) -> None:
    """Lets the imports and the erasure of one person pass one after the other, whichever processes they run in.

    A token is locked with all that begin as it does: in an object's name its beginning stands for it.
    """
    beginnings = [token.casefold()[:LEAST_TOKEN] for token in tokens if token]
    keys = [("name", name_key), ("email", email_key), *[("token", beginning) for beginning in beginnings]]
    _LOCK(connection, names=sorted({f"{kind}:{key}" for kind, key in keys if key}))
