"""The database schema of both services: bringing it up to date, and telling whether it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from patient_service import models as patient_models
from shared.core.errors import SchemaBusy
from shared.database.engine import transaction
from shared.database.revision import SCHEMAS, VERSION_SCHEMA, VERSION_TABLE, is_as_new, read_revision
from therapist_service import models as therapist_models

_LEAVING = {
    *(("patient_service", "import_tracking", name) for name in ("zip", "scrape_date", "mapping_version")),
    ("patient_service", "import_tracking", "ix_import_tracking_zip_scrape_date"),
    *(("therapist_service", "import_tracking", name) for name in ("bucket", "local_path", "delete_source")),
}
"""What no program reads since revision 0005; a revision of the next release takes it away."""

# Two processes that start at once must not both migrate.
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('curavani:migrations', 0))")
_TABLES = sa.text(
    "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables WHERE schemaname = ANY(:schemas)"
)
_MOMENT_MS = 500
"""So long a table is waited for at a time: shorter than until the server looks for those who wait for each other."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which revision the database has, and which one this program brings."""

    current: str | None
    newest: str

    @property
    def up_to_date(self) -> bool:
        """Whether this program can work on it: a newer schema will do."""
        return self.current is not None and is_as_new(self.current, self.newest)

    @property
    def newer(self) -> bool:
        """Whether a newer program has migrated it."""
        return self.up_to_date and self.current != self.newest


def upgrade(engine: Engine, *, patience_seconds: int = 10) -> SchemaState:
    """Runs the missing migrations in one transaction; a schema that is newer stays as it is.

    Raises `DatabaseUnavailable`, `DatabaseForeign` where the tables are not ours, and `SchemaBusy` where running work
    keeps a table for longer than the patience.
    """
    with transaction(engine) as connection:
        connection.execute(_LOCK)
        # A change that waits for a table makes everybody else wait behind it: rather none than for long.
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_MOMENT_MS}ms'"))
        until = monotonic() + patience_seconds
        while True:
            try:
                with connection.begin_nested():
                    return _upgrade(connection)
            except sa.exc.OperationalError as error:
                if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                    raise
                if monotonic() > until:
                    raise SchemaBusy from None


def _upgrade(connection: Connection) -> SchemaState:
    before = state(connection)
    if before.current is not None:
        _carry_over(connection, before.current)
    if before.up_to_date:
        return before
    # All of them before the first change. Who holds one and waits for the next is in the way of programs that work on
    # both, the other way round, and one of the two would be undone.
    tables = connection.execute(_TABLES, {"schemas": list(SCHEMAS)}).scalar_one()
    if tables is not None:
        connection.execute(sa.text(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))
    migrate(connection)
    return state(connection)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Runs the migrations that are missing up to the revision, in the connection's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def state(connection: Connection) -> SchemaState:
    """The database's revision next to this program's. Raises `DatabaseForeign` where the tables are not ours."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    return SchemaState(read_revision(connection), str(newest))


def _carry_over(connection: Connection, revision: str) -> None:
    """Gives a database its version table whose revision still stands in `alembic_version`.

    The latter stays as it is: a program of the release before, which may still run, reads it.
    """
    table = f"{VERSION_SCHEMA}.{VERSION_TABLE}"
    connection.execute(sa.text(f"CREATE TABLE IF NOT EXISTS {table} ({_VERSION_COLUMN})"))
    insert = f"INSERT INTO {table} SELECT :revision WHERE NOT EXISTS (SELECT FROM {table})"
    connection.execute(sa.text(insert), {"revision": revision})


# As Alembic would make it.
_VERSION_COLUMN = f"version_num varchar(32) NOT NULL CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY"


def differences(connection: Connection, *, exactly: bool = False) -> list[str]:
    """Where the database differs from the models; empty where they agree. Other schemas are not looked at.

    A database that was taken over keeps columns and indexes that we have no place for, and texts that may be longer
    than ours: these count only where `exactly`.
    """
    ours = {patient_models.SCHEMA, therapist_models.SCHEMA}

    def is_ours(name: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
        if kind == "schema":
            return name in ours
        return (parents.get("schema_name"), parents.get("table_name"), name) not in _LEAVING

    options: dict[str, object] = {"include_schemas": True, "include_name": is_ours, "compare_server_default": True}
    if not exactly:
        options |= {"include_object": _is_not_left_over, "compare_type": _differs_in_type}
    context = MigrationContext.configure(connection, opts=options)
    both = [patient_models.metadata, therapist_models.metadata]
    found = compare_metadata(context, both)  # type: ignore[arg-type]  # Alembic takes a list, and says so in its manual
    return [str(change) for change in found]


def _is_not_left_over(thing: object, _name: str | None, kind: str, is_reflected: bool, model: object) -> bool:
    table = getattr(thing, "table", None)
    is_of_people = table is not None and table.name in ("patienten", "therapeuten")
    return not (is_of_people and kind in ("column", "index") and is_reflected and model is None)


def _differs_in_type(
    _context: MigrationContext, _inspected: object, _model: object, found: object, wanted: object
) -> bool | None:
    """Texts that may be longer than ours do not count as another type; None leaves the decision to the library."""
    if isinstance(found, sa.String) and isinstance(wanted, sa.String) and not isinstance(wanted, sa.Enum):
        return found.length is not None and (wanted.length is None or found.length < wanted.length)
    return None


def _config() -> Config:
    here = Path(__file__).parent
    packaged = here / "migrations"
    config = Config()
    config.set_main_option("script_location", str(packaged if packaged.is_dir() else here.parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
