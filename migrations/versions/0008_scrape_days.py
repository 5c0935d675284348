"""The scrape day as the unit of what is absent: deletions wait for its end, and a row knows the day that spoke last.

Therapists who object leave digests behind, by which an import leaves them out.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SCHEMA = "therapist_service"


def upgrade() -> None:
    op.add_column("import_tracking", sa.Column("scrape_day", sa.Date), schema=_SCHEMA)
    op.add_column("therapeuten", sa.Column("source_day", sa.Date), schema=_SCHEMA)
    _know_days()
    op.drop_index("ix_import_tracking_zip_scrape_date", "import_tracking", schema=_SCHEMA)
    op.create_index("ix_import_tracking_zip_scrape_day", "import_tracking", ["zip", "scrape_day"], schema=_SCHEMA)
    _create_days()
    _create_suppressions()


def _know_days() -> None:
    """A dated folder's day counts before the time that the scrape states."""
    op.execute(f"""
        UPDATE {_SCHEMA}.import_tracking SET scrape_day = CASE
          WHEN file_name ~ '^[0-9]{{8}}/' THEN to_date(left(file_name, 8), 'YYYYMMDD')
          ELSE CAST(scrape_date AT TIME ZONE 'UTC' AS date) END
        WHERE scrape_date IS NOT NULL
    """)
    op.execute(f"""
        UPDATE {_SCHEMA}.therapeuten AS therapist SET source_day = greatest(
          coalesce(
            (SELECT scrape_day FROM {_SCHEMA}.import_tracking WHERE id = therapist.source_import_id),
            CAST(source_seen_at AT TIME ZONE 'UTC' AS date)
          ),
          CAST(source_removed_at AT TIME ZONE 'UTC' AS date)
        )
        WHERE source_seen_at IS NOT NULL OR source_removed_at IS NOT NULL
    """)


def _create_days() -> None:
    op.create_table(
        "scrape_days",
        sa.Column("scrape_day", sa.Date, nullable=False),
        sa.Column("active_before", postgresql.JSONB, nullable=False),
        sa.PrimaryKeyConstraint("scrape_day", name=op.f("pk_scrape_days")),
        schema=_SCHEMA,
    )
    op.create_table(
        "proposed_deletions",
        sa.Column("import_id", sa.BigInteger, nullable=False),
        sa.Column("record_index", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("entity_id", sa.BigInteger, nullable=False),
        sa.Column("scrape_day", sa.Date, nullable=False),
        sa.Column("zip", sa.String(5), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.PrimaryKeyConstraint("import_id", "record_index", name=op.f("pk_proposed_deletions")),
        sa.ForeignKeyConstraint(
            ["import_id"], [f"{_SCHEMA}.import_tracking.id"], name=op.f("fk_proposed_deletions_import_id")
        ),
        schema=_SCHEMA,
    )
    op.create_index("ix_proposed_deletions_scrape_day", "proposed_deletions", ["scrape_day"], schema=_SCHEMA)
    op.create_index("ix_proposed_deletions_entity_id", "proposed_deletions", ["entity_id"], schema=_SCHEMA)
    op.create_index(
        "ix_proposed_deletions_waiting",
        "proposed_deletions",
        ["scrape_day"],
        schema=_SCHEMA,
        postgresql_where=sa.text("outcome IS NULL"),
    )


def _create_suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("known_by", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("resembles", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("erased_by", sa.Text, nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        schema=_SCHEMA,
    )
    op.create_table(
        "digest_key",
        sa.Column("only", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.CheckConstraint('"only"', name=op.f("ck_digest_key_one_row")),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_digest_key")),
        schema=_SCHEMA,
    )
    op.execute(f"""
        INSERT INTO {_SCHEMA}.digest_key (key)
        VALUES (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))
    """)


def downgrade() -> None:
    for table in ("digest_key", "suppressions", "proposed_deletions", "scrape_days"):
        op.drop_table(table, schema=_SCHEMA)
    op.drop_index("ix_import_tracking_zip_scrape_day", "import_tracking", schema=_SCHEMA)
    op.create_index("ix_import_tracking_zip_scrape_date", "import_tracking", ["zip", "scrape_date"], schema=_SCHEMA)
    op.drop_column("therapeuten", "source_day", schema=_SCHEMA)
    op.drop_column("import_tracking", "scrape_day", schema=_SCHEMA)
