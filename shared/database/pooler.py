"""Whether each session of ours is one session of the server: what the locks, and all that a session is told, rest on.

A pooler in transaction mode gives the server's sessions to whoever has a transaction in hand. A lock that one of our
sessions took then stays with a session of the server that anybody may be given next, and nothing shows it.
"""

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy.engine import Connection, Engine

from shared.core.errors import PoolerInTransactionMode
from shared.database.driver import driver_of
from shared.database.engine import translated_errors

_Driver = psycopg.Connection[TupleRow]


def require_own_sessions(engine: Engine) -> None:
    """Raises `PoolerInTransactionMode` where two sessions of ours are given the same session of the server in turn, or
    one of them is given several.
    """
    with translated_errors(), engine.connect() as mine, engine.connect() as other:
        before = server_process(mine)
        with other.begin():
            # Idle poolers give the session that came back last, so as a rule this is the first one's.
            if server_process(other) == before:
                raise PoolerInTransactionMode
            # Where it was given another one, the first session may now get any but that.
            if server_process(mine) != before:
                raise PoolerInTransactionMode


def server_process(connection: Connection) -> int:
    """The process of the server that answers: in the transaction in hand, or in one of its own."""
    driver = driver_of(connection)
    if connection.in_transaction():
        return _asked(driver)
    driver.autocommit = True
    try:
        return _asked(driver)
    finally:
        driver.autocommit = False


def _asked(driver: _Driver) -> int:
    # Never prepared: the statement would be prepared in another session of the server than it is run in.
    (number,) = driver.execute("SELECT pg_backend_pid()", prepare=False).fetchone() or (0,)
    return int(number)
