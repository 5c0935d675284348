"""The present moment by the database's clock: those of two machines that share a database may differ by hours."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

_NOW = sa.text("SELECT now()")


def moment_of(connection: Connection) -> datetime:
    """When the connection's transaction began, in UTC."""
    moment: datetime = connection.execute(_NOW).scalar_one()
    return moment
