"""What people put right in failed registrations, each value as it came and as it was imported."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SCHEMA = "patient_service"


def upgrade() -> None:
    op.create_table(
        "import_corrections",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("import_id", sa.BigInteger, nullable=False),
        sa.Column("pointer", sa.Text, nullable=False),
        sa.Column("old_value", sa.Text),
        sa.Column("new_value", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("corrected_by", sa.Text, nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_corrections")),
        sa.ForeignKeyConstraint(
            ["import_id"], [f"{_SCHEMA}.import_tracking.id"], name=op.f("fk_import_corrections_import_id")
        ),
        schema=_SCHEMA,
    )
    op.create_index("ix_import_corrections_import_id", "import_corrections", ["import_id"], schema=_SCHEMA)


def downgrade() -> None:
    op.drop_table("import_corrections", schema=_SCHEMA)
