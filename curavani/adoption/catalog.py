"""What the database's catalogue says of the platform's tables, and of what stands in the way of changing them."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from curavani.adoption.rules import Found


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table as it stands there. `hindrances` are what hangs on it that a change of its columns would break."""

    columns: Mapping[str, Found]
    required: tuple[str, ...]
    primary_key: tuple[str, ...]
    size_bytes: int
    is_plain: bool
    may_alter: bool
    hindrances: tuple[str, ...]


def read_table(connection: Connection, schema: str, name: str) -> FoundTable | None:
    """The table; None where there is none."""
    place = {"schema": schema, "table": name}
    table = connection.execute(_TABLE, place).one_or_none()
    if table is None:
        return None
    columns = {
        row.name: Found(row.name, row.type, row.nullable, row.has_default, row.is_enum)
        for row in connection.execute(_COLUMNS, place)
    }
    return FoundTable(
        columns=columns,
        required=tuple(found.name for found in columns.values() if not found.nullable and not found.has_default),
        primary_key=tuple(table.primary_key or ()),
        size_bytes=table.size_bytes,
        is_plain=table.is_plain,
        may_alter=table.may_alter,
        hindrances=tuple(row.what for row in connection.execute(_HINDRANCES, place)),
    )


def things_in(connection: Connection, schema: str) -> frozenset[str]:
    """The names of the tables and types of a schema."""
    return frozenset(connection.execute(_THINGS, {"schema": schema}).scalars())


def missing_rights(connection: Connection, schemas: tuple[str, ...]) -> list[str]:
    """What this role may not do and would have to, in words; owning the tables is asked of each table."""
    return list(connection.execute(_RIGHTS, {"schemas": [*schemas, "public"]}).scalars())


def writing_sessions(connection: Connection, tables: tuple[str, ...]) -> int:
    """How many other sessions hold a lock on one of the tables with which they have written, or may just now."""
    return int(connection.execute(_WRITERS, {"tables": list(tables)}).scalar_one())


def other_sessions(connection: Connection) -> list[str]:
    """The programs that are connected to this database, by the names that they give themselves."""
    return list(connection.execute(_SESSIONS).scalars())


def references(connection: Connection, schema: str, name: str) -> dict[str, str]:
    """The foreign keys onto the table, by their own table and name, as they are defined."""
    rows = connection.execute(_REFERENCES, {"schema": schema, "table": name})
    return {row.name: row.definition for row in rows}


_OID = "(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND c.relname = :table)"  # noqa: E501 - one expression
_TABLE = sa.text(f"""
    SELECT c.relkind = 'r' AND NOT c.relispartition AND NOT c.relhassubclass AND NOT c.relrowsecurity
        AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) AS is_plain,
      pg_has_role(c.relowner, 'USAGE') AS may_alter, pg_total_relation_size(c.oid) AS size_bytes,
      (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_index i JOIN pg_attribute a
        ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary)
        AS primary_key
    FROM pg_class c WHERE c.oid = {_OID}
""")
_COLUMNS = sa.text(f"""
    SELECT a.attname::text AS name, format_type(a.atttypid, NULLIF(a.atttypmod, -1)) AS type,
      NOT a.attnotnull AS nullable, a.atthasdef OR a.attidentity <> '' AS has_default, t.typtype = 'e' AS is_enum
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = {_OID} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
""")
_HINDRANCES = sa.text(f"""
    SELECT 'the trigger ' || tgname AS what FROM pg_trigger WHERE tgrelid = {_OID} AND NOT tgisinternal
    UNION ALL
    SELECT 'the rule on unique values or checks ' || conname FROM pg_constraint
      WHERE conrelid = {_OID} AND contype IN ('c', 'u', 'x')
    UNION ALL
    SELECT 'the unique index ' || c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      WHERE i.indrelid = {_OID} AND i.indisunique AND NOT i.indisprimary
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
    UNION ALL
    SELECT DISTINCT 'the view ' || r.ev_class::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
      WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = {_OID}
        AND d.refobjsubid > 0
    UNION ALL
    SELECT 'the computed column ' || attname FROM pg_attribute WHERE attrelid = {_OID} AND attgenerated <> ''
""")
_THINGS = sa.text("""
    SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION
    SELECT t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
      WHERE n.nspname = :schema AND t.typtype IN ('e', 'd')
""")
_RIGHTS = sa.text("""
    SELECT 'create schemas and extensions in this database (CREATE)'
      WHERE NOT has_database_privilege(current_database(), 'CREATE')
    UNION ALL
    SELECT 'make temporary tables in this database (TEMPORARY)'
      WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
    UNION ALL
    SELECT 'create tables in the schema ' || nspname || ' (CREATE)' FROM pg_namespace
      WHERE nspname = ANY(:schemas) AND NOT has_schema_privilege(oid, 'CREATE')
""")
# Prepared transactions have no process; the server's own vacuum steps aside for whoever wants the table.
_WRITERS = sa.text("""
    SELECT count(DISTINCT virtualtransaction) FROM pg_locks LEFT JOIN pg_stat_activity a USING (pid)
    WHERE locktype = 'relation' AND pid IS DISTINCT FROM pg_backend_pid()
      AND coalesce(a.backend_type, 'client backend') = 'client backend'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
        'AccessExclusiveLock')
      AND relation IN (
        SELECT to_regclass(name)::oid FROM unnest(CAST(:tables AS text[])) AS name
        UNION
        SELECT conrelid FROM pg_constraint
          WHERE contype = 'f' AND confrelid IN (SELECT to_regclass(n)::oid FROM unnest(CAST(:tables AS text[])) AS n)
      )
""")
_SESSIONS = sa.text("""
    SELECT coalesce(nullif(application_name, ''), 'a program without a name') FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY 1
""")
_REFERENCES = sa.text(f"""
    SELECT conrelid::regclass::text || '.' || conname AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype = 'f' AND confrelid = {_OID} ORDER BY 1
""")
