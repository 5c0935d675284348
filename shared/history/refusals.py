"""Who was refused how often: ten wrong tokens within a minute, and whoever sent them waits for a minute.

They are counted for the address that they came from, and, as guesses may come from many addresses, for how they begin.
The second limit is for those only who sent a wrong token within the last minute themselves: whoever has the right one
is not kept out by what others try.

Kept in the database, so that it holds over all processes of a service.
"""

from sqlalchemy.engine import Connection

from shared.database.statements import KernelStatement
from shared.database.tables import KernelTables

MOST_REFUSALS = 10
BLOCKED_SECONDS = 60

_BLOCKED = KernelStatement(
    "SELECT 1 FROM {schema}.refused_callers WHERE address = :address AND (blocked_until > clock_timestamp()"
    " OR (refused_at[1] > clock_timestamp() - interval '1 minute' AND EXISTS (SELECT FROM {schema}.refused_callers"
    " WHERE address = :beginning AND blocked_until > clock_timestamp())))"
)
_REFUSE = KernelStatement(
    # Always in this order, so that two processes never wait for each other.
    "INSERT INTO {schema}.refused_callers AS known (address, refused_at)"
    " VALUES (:address, ARRAY[clock_timestamp()]), (:beginning, ARRAY[clock_timestamp()])"
    " ON CONFLICT (address) DO UPDATE SET"
    " refused_at = (ARRAY[clock_timestamp()] || known.refused_at)[1:10],"
    " blocked_until = CASE WHEN known.refused_at[9] > clock_timestamp() - interval '1 minute'"
    " THEN clock_timestamp() + interval '1 minute' ELSE known.blocked_until END"
)
_FORGIVE = KernelStatement(
    # What is being counted at this moment is not old, and not waited for.
    "DELETE FROM {schema}.refused_callers WHERE address IN (SELECT address FROM {schema}.refused_callers"
    " WHERE refused_at[1] < now() - interval '1 hour' AND coalesce(blocked_until < now(), true)"
    " FOR UPDATE SKIP LOCKED)"
)


def is_blocked(connection: Connection, kernel: KernelTables, address: str, beginning: str) -> bool:
    """Whether this address has to wait with a token that begins so; `beginning` is a digest that tells nothing."""
    return _BLOCKED.of(kernel.schema)(connection, address=address, beginning=beginning).fetchone() is not None


def note_refusal(connection: Connection, kernel: KernelTables, address: str, beginning: str) -> None:
    """Counts a wrong token from this address, that begins so."""
    _REFUSE.of(kernel.schema)(connection, address=address, beginning=beginning)


def forget_refusals(connection: Connection, kernel: KernelTables) -> None:
    """Forgets what was counted after an hour."""
    _FORGIVE.of(kernel.schema)(connection)
