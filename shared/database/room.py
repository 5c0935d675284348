"""How many connections PostgreSQL has for us, and how many we may need."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.engine import POOL_SIZE

CONNECTIONS_PER_PROCESS: Final = 2 * POOL_SIZE
"""At most, with the overflow: eight threads that answer, a lock for each of four works, heartbeats, probes and what a
standby compares. One process serves staff, so as a rule it has half of them."""
FOR_COMMANDS: Final = 6
"""Of the command line, of a migration and of `doctor`, while services run."""


@dataclass(frozen=True, slots=True)
class Room:
    """PostgreSQL's limit for users like ours, and how many connections others have."""

    limit: int
    others: int

    @property
    def free_for_us(self) -> int:
        return self.limit - self.others


def read_room(connection: Connection) -> Room:
    """The room of this server, database and user."""
    row = connection.execute(_ROOM).one()
    return Room(row.room, row.others)


# A role and a database may have a limit of their own, -1 for none; not every version reserves connections for a role.
_ROOM = sa.text("""
    WITH server AS (
        SELECT sum(CASE WHEN name = 'max_connections' THEN setting::int ELSE -setting::int END)::int AS slots
          FROM pg_settings WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
    )
    SELECT least(
             server.slots,
             (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
             (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
           ) AS room,
           (SELECT count(*) FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND application_name NOT LIKE 'curavani%'
               AND application_name NOT IN (SELECT process FROM patient_service.worker_heartbeats)
               AND application_name NOT IN (SELECT process FROM therapist_service.worker_heartbeats))::int AS others
      FROM server
""")
