"""Which revision of the schema this program needs, and whether the database has come that far.

Migrations run before the programs that need them, and only ever add what the programs still running do not mind: so an
older schema will not do, and a newer one will.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import DatabaseNotMigrated
from shared.database.engine import require_writable

NEEDED_REVISION: Final = "0011"
"""The newest revision in `migrations/versions`; four digits, so that their order is that of the text."""


def require_revision(connection: Connection) -> None:
    """Raises `DatabaseReadOnly`, or `DatabaseNotMigrated` where the schema is missing or older than this program needs.

    A database without any revision raises it at the end of the transaction, where missing tables are translated.
    """
    require_writable(connection)
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found is None or found < NEEDED_REVISION:
        raise DatabaseNotMigrated
