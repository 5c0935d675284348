"""Who is signed in to the console: one row for each browser, in the database, so that ending one ends it everywhere."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.database.statements import KernelStatement
from shared.database.tables import KernelTables

IDLE = timedelta(hours=2)
"""A session without a page looked at for so long ends."""
ABSOLUTE = timedelta(hours=12)
"""No session lasts longer than a working day."""

_BEGIN = KernelStatement("INSERT INTO {schema}.sessions (digest, name, proof) VALUES (:digest, :name, :proof)")
_FIND = KernelStatement(
    "SELECT proof FROM {schema}.sessions"
    " WHERE digest = :digest AND seen_at > now() - CAST(:idle AS interval)"
    " AND began_at > now() - CAST(:absolute AS interval)"
)
_SEE = KernelStatement(
    # To the minute: a write with every page would be waste.
    "UPDATE {schema}.sessions SET seen_at = now() WHERE digest = :digest AND seen_at < now() - interval '1 minute'"
)
_END = KernelStatement("DELETE FROM {schema}.sessions WHERE digest = :digest")
_END_ALL = KernelStatement("DELETE FROM {schema}.sessions WHERE name = :name")
_END_OLD = KernelStatement(
    "DELETE FROM {schema}.sessions WHERE seen_at <= now() - CAST(:idle AS interval)"
    " OR began_at <= now() - CAST(:absolute AS interval)"
)


def begin_session(connection: Connection, kernel: KernelTables, key: str, name: str, proof: str) -> None:
    """Signs `name` in with the browser that holds `key`; `proof` names the token without telling it."""
    _BEGIN.of(kernel.schema)(connection, digest=_digest(key), name=name, proof=proof)


def session_proof(connection: Connection, kernel: KernelTables, key: str, *, active: bool) -> str | None:
    """The proof of the session; None where there is none, or it was ended, or its time is over.

    `active` says that a person asked for something, which keeps the session alive.
    """
    found = _FIND.of(kernel.schema)(connection, digest=_digest(key), idle=IDLE, absolute=ABSOLUTE).fetchone()
    if found is None:
        return None
    if active:
        _SEE.of(kernel.schema)(connection, digest=_digest(key))
    return str(found.proof)


def end_session(connection: Connection, kernel: KernelTables, key: str) -> None:
    """Ends it, whoever has a copy of its key."""
    _END.of(kernel.schema)(connection, digest=_digest(key))


def end_sessions_of(connection: Connection, kernel: KernelTables, name: str) -> int:
    """Ends all of a name; returns how many there were."""
    return _END_ALL.of(kernel.schema)(connection, name=name).rowcount


def end_old_sessions(connection: Connection, kernel: KernelTables) -> None:
    """Removes the rows of those whose time is over."""
    _END_OLD.of(kernel.schema)(connection, idle=IDLE, absolute=ABSOLUTE)


def list_sessions(connection: Connection, kernel: KernelTables) -> Sequence[RowMapping]:
    """Those that are alive, latest seen first, without anything that would let somebody in."""
    table = kernel.sessions.c
    alive = sa.and_(table.seen_at > sa.func.now() - IDLE, table.began_at > sa.func.now() - ABSOLUTE)
    statement = sa.select(table.name, table.began_at, table.seen_at).where(alive).order_by(table.seen_at.desc())
    return connection.execute(statement).mappings().all()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
