"""By which contacts a therapist is found, whose file has the word about them, and of how many records a remark is made."""

import sqlalchemy as sa
from alembic import op

from therapist_service.imports.traits import look_up_keys

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLE = "therapeuten"
_SCHEMA = "therapist_service"
_BATCH = 1000


def upgrade() -> None:
    for schema in ("patient_service", _SCHEMA):
        records = sa.Column("records", sa.Integer(), nullable=False, server_default="1")
        op.add_column("import_findings", records, schema=schema)
    op.add_column(_TABLE, sa.Column("mail_key", sa.Text(), nullable=True), schema=_SCHEMA)
    op.add_column(_TABLE, sa.Column("line_key", sa.Text(), nullable=True), schema=_SCHEMA)
    op.add_column(_TABLE, sa.Column("source_word_zip", sa.String(5), nullable=True), schema=_SCHEMA)
    op.add_column(_TABLE, sa.Column("source_word_at", sa.DateTime(timezone=True), nullable=True), schema=_SCHEMA)
    _fill(op.get_bind())
    op.create_index("ix_therapeuten_mail_key", _TABLE, ["mail_key"], schema=_SCHEMA)
    op.create_index("ix_therapeuten_line_key", _TABLE, ["line_key"], schema=_SCHEMA)


def _fill(connection: sa.Connection) -> None:
    """Gives the rows that are there their keys, and the word to the file that listed them last."""
    statement = f"SELECT id, vorname, nachname, plz, email, telefon, source_record FROM {_SCHEMA}.{_TABLE} ORDER BY id"
    rows = connection.execute(sa.text(statement)).mappings().all()
    given = [{"id": row["id"], **look_up_keys(row, row["source_record"])} for row in rows]
    fill = sa.text(
        f"UPDATE {_SCHEMA}.{_TABLE} SET mail_key = :mail_key, line_key = :line_key,"
        " other_keys = CAST(:other_keys AS text[]), source_word_zip = source_zip, source_word_at = source_seen_at"
        " WHERE id = :id"
    )
    for start in range(0, len(given), _BATCH):
        connection.execute(fill, given[start : start + _BATCH])


def downgrade() -> None:
    for column in ("source_word_at", "source_word_zip", "line_key", "mail_key"):
        op.drop_column(_TABLE, column, schema=_SCHEMA)
    for schema in (_SCHEMA, "patient_service"):
        op.drop_column("import_findings", "records", schema=schema)
