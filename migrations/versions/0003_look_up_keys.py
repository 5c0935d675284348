"""By which names and postal codes a therapist is found, so that a look-up costs the same in a large postal code."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from therapist_service.imports.traits import look_up_keys

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLE = "therapeuten"
_SCHEMA = "therapist_service"
_BATCH = 1000

# Whoever changes a name without its keys, a program of the version before or a person in SQL, must not hide the row.
_FORGET = f"""
CREATE FUNCTION {_SCHEMA}.forget_look_up_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.last_key := NULL;
    RETURN NEW;
END $$
"""
_WHEN_RENAMED = f"""
CREATE TRIGGER therapeuten_renamed_without_keys BEFORE UPDATE ON {_SCHEMA}.{_TABLE} FOR EACH ROW
WHEN (
    (OLD.vorname, OLD.nachname, OLD.plz) IS DISTINCT FROM (NEW.vorname, NEW.nachname, NEW.plz)
    AND (OLD.last_key, OLD.first_key, OLD.other_keys) IS NOT DISTINCT FROM (NEW.last_key, NEW.first_key, NEW.other_keys)
)
EXECUTE FUNCTION {_SCHEMA}.forget_look_up_keys()
"""


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("last_key", sa.Text(), nullable=True), schema=_SCHEMA)
    op.add_column(_TABLE, sa.Column("first_key", sa.Text(), nullable=True), schema=_SCHEMA)
    op.add_column(_TABLE, sa.Column("other_keys", postgresql.ARRAY(sa.Text()), nullable=True), schema=_SCHEMA)
    _fill(op.get_bind())
    op.create_index("ix_therapeuten_last_key", _TABLE, ["last_key"], schema=_SCHEMA)
    op.create_index("ix_therapeuten_first_key", _TABLE, ["first_key"], schema=_SCHEMA)
    present = sa.text("other_keys IS NOT NULL")
    op.create_index(
        "ix_therapeuten_other_keys",
        _TABLE,
        ["other_keys"],
        schema=_SCHEMA,
        postgresql_using="gin",
        postgresql_where=present,
    )
    unknown = sa.text("last_key IS NULL")
    op.create_index("ix_therapeuten_without_keys", _TABLE, ["id"], schema=_SCHEMA, postgresql_where=unknown)
    op.drop_index("ix_therapeuten_source_plz", _TABLE, schema=_SCHEMA)
    op.execute(_FORGET)
    op.execute(_WHEN_RENAMED)


def _fill(connection: sa.Connection) -> None:
    """Gives the rows that are there their keys; those that the running version adds meanwhile are found without."""
    statement = f"SELECT id, vorname, nachname, plz, source_record FROM {_SCHEMA}.{_TABLE} ORDER BY id"
    rows = connection.execute(sa.text(statement)).mappings().all()
    given = [{"id": row["id"], **look_up_keys(row, row["source_record"])} for row in rows]
    fill = sa.text(
        f"UPDATE {_SCHEMA}.{_TABLE} SET last_key = :last_key, first_key = :first_key,"
        " other_keys = CAST(:other_keys AS text[]) WHERE id = :id"
    )
    for start in range(0, len(given), _BATCH):
        connection.execute(fill, given[start : start + _BATCH])


def downgrade() -> None:
    op.execute(f"DROP TRIGGER therapeuten_renamed_without_keys ON {_SCHEMA}.{_TABLE}")
    op.execute(f"DROP FUNCTION {_SCHEMA}.forget_look_up_keys()")
    op.create_index("ix_therapeuten_source_plz", _TABLE, ["source_plz"], schema=_SCHEMA)
    for column in ("other_keys", "first_key", "last_key"):
        op.drop_column(_TABLE, column, schema=_SCHEMA)
