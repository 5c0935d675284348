"""Whose tables the database has, and whether they have come as far as this program needs.

Our revision stands in a version table of our own: the platform that had these schemas before us keeps its own in
`alembic_version`, and its words are none of ours. Migrations run before the programs that need them, and only ever add
what the programs still running do not mind: so an older schema will not do, and a newer one will.
"""

import re
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import DatabaseForeign, DatabaseNotMigrated
from shared.database.engine import require_writable

NEEDED_REVISION: Final = "0014"
"""The newest revision in `migrations/versions`; four digits, later ones are greater."""
VERSION_TABLE: Final = "curavani_version"
VERSION_SCHEMA: Final = "public"
SCHEMAS: Final = ("patient_service", "therapist_service")

_NUMBERED = re.compile(r"[0-9]{4}")


def require_revision(connection: Connection) -> None:
    """Raises `DatabaseReadOnly`, `DatabaseNotMigrated` where the schema is missing or older than this program needs,
    and `DatabaseForeign` where the tables are not ours.
    """
    require_writable(connection)
    found = read_revision(connection)
    if found is None or not is_as_new(found, NEEDED_REVISION):
        raise DatabaseNotMigrated


def read_revision(connection: Connection) -> str | None:
    """The revision of our tables; None where neither schema has a table.

    A version alone proves nothing: a dump of the platform that was restored beside our version table has one, too. So
    both tables of people have to carry a column that only our migrations make. Raises `DatabaseForeign`.
    """
    found = connection.execute(_LOOK, {"schemas": list(SCHEMAS)}).one()
    revision = None
    if found.has_version:
        revision = connection.execute(_OUR_VERSION).scalar_one_or_none()
    if revision is None and found.has_alembic_version:
        # Databases of ours have kept it there once; `curavani db upgrade` carries it over. Other programs keep theirs.
        revision = next(filter(_NUMBERED.fullmatch, connection.execute(_ALEMBIC_VERSION).scalars()), None)
    if found.tables == 0 and revision is None:
        return None
    if revision is None or found.own_columns < len(SCHEMAS) or not _NUMBERED.fullmatch(revision):
        raise DatabaseForeign
    return str(revision)


def is_as_new(revision: str, needed: str) -> bool:
    """Whether it is the needed revision, or a later one, which a later release has brought."""
    return int(revision) >= int(needed)


_LOOK = sa.text(f"""
    SELECT to_regclass('{VERSION_SCHEMA}.{VERSION_TABLE}') IS NOT NULL AS has_version,
      to_regclass('{VERSION_SCHEMA}.alembic_version') IS NOT NULL AS has_alembic_version,
      (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) AS tables,
      (SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT a.attisdropped AND a.attname = 'search_key' AND (n.nspname, c.relname) IN
          (('patient_service', 'patienten'), ('therapist_service', 'therapeuten'))) AS own_columns
""")
_OUR_VERSION = sa.text(f"SELECT version_num FROM {VERSION_SCHEMA}.{VERSION_TABLE}")
_ALEMBIC_VERSION = sa.text(f"SELECT version_num FROM {VERSION_SCHEMA}.alembic_version")
