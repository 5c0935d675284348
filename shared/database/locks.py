"""Session advisory locks: one importer, one relay, one mailer per schema over all processes and machines.

The work runs on the very connection that holds the lock. A process that loses the connection loses the lock and, with
it, the means to commit: two holders can never both write, without any clock or lease.
"""

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from shared.core.errors import LockHeld, LockLost, PoolerInTransactionMode
from shared.database.driver import driver_of
from shared.database.engine import translated_errors
from shared.database.pooler import require_own_sessions, server_process


@dataclass(frozen=True, slots=True)
class LockName:
    """A lock's name; `schema` keeps the services apart, `work` is `import`, `relay` or `mailer`."""

    schema: str
    work: str

    def __str__(self) -> str:
        return f"curavani:{self.schema}:{self.work}"


class LockedConnection:
    """The connection that holds a lock. Every transaction of the guarded work is opened here."""

    def __init__(self, connection: Connection, server: int) -> None:
        self._connection = connection
        self._server = server

    def require_same_session(self) -> None:
        """Raises `PoolerInTransactionMode` where another session of the server answers than the one with the lock."""
        with self.transaction() as connection:
            if server_process(connection) != self._server:
                raise PoolerInTransactionMode

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that can only commit while the lock is held.

        Raises `LockLost` where the connection is gone already, `DatabaseUnavailable` where it breaks during the block.
        """
        # SQLAlchemy would silently reconnect an invalidated connection, without the lock.
        if self._connection.invalidated or self._connection.closed:
            raise LockLost
        with translated_errors(), self._connection.begin():
            yield self._connection

    @contextmanager
    def single_statements(self) -> Iterator[Connection]:
        """Every statement is a transaction of its own: around just one, BEGIN and COMMIT are two more round trips.

        Raises as `transaction` does.
        """
        with self.transaction() as connection:
            driver = driver_of(connection)
            driver.autocommit = True
            try:
                yield connection
            finally:
                if not driver.closed:
                    driver.autocommit = False

    def listen(self, channel: str) -> None:
        """Lets notifications of `channel` end a `wait`."""
        with self.transaction() as connection:
            connection.execute(sa.text(f'LISTEN "{channel}"'))

    def wait(self, seconds: float) -> bool:
        """Waits for a notification, at most so long; True where one came.

        Raises `LockLost` or `DatabaseUnavailable` where the connection breaks: the lock is gone with it.
        """
        if self._connection.invalidated or self._connection.closed:
            raise LockLost
        driver = driver_of(self._connection)
        with translated_errors():
            return any(True for _ in driver.notifies(timeout=seconds, stop_after=1))


@contextmanager
def hold(engine: Engine, name: LockName) -> Iterator[LockedConnection]:
    """Holds the lock for the length of the block.

    Raises `LockHeld` at once where another session has it, with that session's host and process id, and
    `PoolerInTransactionMode` where nobody's lock would hold.
    """
    require_own_sessions(engine)
    with translated_errors():
        connection = engine.connect()
        try:
            server = _acquire(connection, name)
        except BaseException:
            connection.close()
            raise
    try:
        yield LockedConnection(connection, server)
        _unlock(connection)
    finally:
        _end(connection)


def holder(connection: Connection, name: LockName) -> str | None:
    """Who holds the lock; None if it is free."""
    return holders(connection, [name]).get(name)


def holders(connection: Connection, names: Iterable[LockName]) -> dict[LockName, str]:
    """Who holds each of the locks, as PostgreSQL knows it: the `application_name` that `identity` set. Free ones are
    left out."""
    by_text = {str(name): name for name in names}
    rows = connection.execute(_HOLDERS, {"names": list(by_text)})
    return {by_text[row.name]: row.application_name for row in rows}


def end_holder(connection: Connection, name: LockName, process: str) -> bool:
    """Ends the session that holds the lock, if it is that of `process`: the lock is free then, and whatever the process
    had not committed is undone. False where it is not the holder.
    """
    statement = sa.text(f"SELECT pg_terminate_backend(pid) FROM ({_HOLDERS}) held WHERE application_name = :process")
    return bool(connection.execute(statement, {"names": [str(name)], "process": process}).scalar_one_or_none())


def identity() -> str:
    """This process, as others read it: `host:process id`, at most 63 characters, which is what a session can bear."""
    return f"{socket.gethostname()[:52]}:{os.getpid()}"


# pg_locks shows a bigint key as two halves.
_HOLDERS = sa.text("""
    SELECT lock.name, a.application_name, a.pid
      FROM unnest(CAST(:names AS text[])) AS lock(name)
      JOIN pg_locks l ON ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(lock.name, 0)
      JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


# The work repeats the same few statements. They are planned once and for no values in particular: of those the planner
# would think that they find a large part of a table that was just filled and has no statistics yet, and read all of it.
_SETTLE_IN = sa.text(
    "SELECT set_config('application_name', :process, false), set_config('plan_cache_mode', 'force_generic_plan', false)"
)


def _acquire(connection: Connection, name: LockName) -> int:
    """Takes the lock. Returns the process of the server that has it."""
    with connection.begin():
        taken = connection.execute(
            sa.text("SELECT pg_try_advisory_lock(hashtextextended(:n, 0))"), {"n": str(name)}
        ).scalar()
        if not taken:
            raise LockHeld(holder(connection, name) or "another process")
        connection.execute(_SETTLE_IN, {"process": identity()})
        return server_process(connection)


def _unlock(connection: Connection) -> None:
    """Sets the lock free before the next statement: the server notices the end of a session only a moment later."""
    with suppress(sa.exc.SQLAlchemyError), connection.begin():
        connection.execute(sa.text("SELECT pg_advisory_unlock_all()"))


def _end(connection: Connection) -> None:
    # The session listens, bears our name, and may be in any state: it does not go back to the pool.
    with suppress(sa.exc.SQLAlchemyError):
        connection.invalidate()
    connection.close()
