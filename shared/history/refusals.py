"""Who was refused how often: ten wrong tokens within a minute from one address, and that address waits for a minute.

Kept in the database, so that it holds over all processes of a service. Nobody at another address is touched.
"""

from sqlalchemy.engine import Connection

from shared.database.statements import KernelStatement
from shared.database.tables import KernelTables

MOST_REFUSALS = 10
BLOCKED_SECONDS = 60

_BLOCKED = KernelStatement(
    "SELECT 1 FROM {schema}.refused_callers WHERE address = :address AND blocked_until > clock_timestamp()"
)
_REFUSE = KernelStatement(
    "INSERT INTO {schema}.refused_callers AS known (address, refused_at)"
    " VALUES (:address, ARRAY[clock_timestamp()])"
    " ON CONFLICT (address) DO UPDATE SET"
    " refused_at = (ARRAY[clock_timestamp()] || known.refused_at)[1:10],"
    " blocked_until = CASE WHEN known.refused_at[9] > clock_timestamp() - interval '1 minute'"
    " THEN clock_timestamp() + interval '1 minute' ELSE known.blocked_until END"
)
_FORGIVE = KernelStatement(
    "DELETE FROM {schema}.refused_callers WHERE refused_at[1] < now() - interval '1 hour'"
    " AND coalesce(blocked_until < now(), true)"
)


def is_blocked(connection: Connection, kernel: KernelTables, address: str) -> bool:
    """Whether this address was refused too often just now."""
    return _BLOCKED.of(kernel.schema)(connection, address=address).fetchone() is not None


def note_refusal(connection: Connection, kernel: KernelTables, address: str) -> None:
    """Counts a wrong token from this address."""
    _REFUSE.of(kernel.schema)(connection, address=address)


def forget_refusals(connection: Connection, kernel: KernelTables) -> None:
    """Forgets addresses after an hour."""
    _FORGIVE.of(kernel.schema)(connection)
