"""Every attempt at a file is kept, and how often in a row a pass was cut off at one.

The columns of the ledger that only one source fills stay in the other schema until no program reads them any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SCHEMAS = ("patient_service", "therapist_service")
_STATUSES = ("running", "success", "partial", "skipped", "retrying", "failed", "discarded", "interrupted", "released")


def upgrade() -> None:
    for schema in _SCHEMAS:
        op.add_column(
            "import_tracking", sa.Column("interruptions", sa.Integer, nullable=False, server_default="0"), schema=schema
        )
        op.create_table(
            "import_attempts",
            sa.Column("import_id", sa.BigInteger, nullable=False),
            sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
            sa.Column(
                "started_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
            ),
            sa.Column("ended_at", sa.DateTime(timezone=True)),
            sa.Column("status", sa.Text, nullable=False, server_default="running"),
            sa.Column("code", sa.Text),
            sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_import_attempts")),
            sa.ForeignKeyConstraint(
                ["import_id"], [f"{schema}.import_tracking.id"], name=op.f("fk_import_attempts_import_id")
            ),
            sa.CheckConstraint(
                "status IN ({})".format(", ".join(f"'{status}'" for status in _STATUSES)),
                name=op.f("ck_import_attempts_status"),
            ),
            sa.CheckConstraint("(status = 'running') = (ended_at IS NULL)", name=op.f("ck_import_attempts_ended")),
            schema=schema,
        )
        op.create_index(
            "ix_import_attempts_running",
            "import_attempts",
            ["import_id"],
            schema=schema,
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        _keep_latest_attempts(schema)


def _keep_latest_attempts(schema: str) -> None:
    """Of the attempts before this revision only the last one's end is on record."""
    op.execute(f"""
        INSERT INTO {schema}.import_attempts (import_id, number, started_at, ended_at, status, code)
        SELECT id, attempts, processed_at - make_interval(secs => coalesce(duration_ms, 0) / 1000.0), processed_at,
          status, error_code
        FROM {schema}.import_tracking
        WHERE attempts > 0 AND processed_at IS NOT NULL AND status <> 'pending'
    """)


def downgrade() -> None:
    for schema in _SCHEMAS:
        op.drop_table("import_attempts", schema=schema)
        op.drop_column("import_tracking", "interruptions", schema=schema)
