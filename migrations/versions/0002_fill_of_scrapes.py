"""How full each scrape was, so that a field that the source no longer fills is noticed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scrape_fill",
        sa.Column("scrape_day", sa.Date(), nullable=False),
        sa.Column("zip", sa.String(length=5), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("filled", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("scrape_day", "zip", name=op.f("pk_scrape_fill")),
        schema="therapist_service",
    )


def downgrade() -> None:
    op.drop_table("scrape_fill", schema="therapist_service")
