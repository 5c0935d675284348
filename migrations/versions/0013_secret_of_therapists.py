"""What the digests of therapists who objected are keyed with beside the database, and what their erasures removed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_SCHEMA = "therapist_service"


def upgrade() -> None:
    op.add_column("digest_key", sa.Column("secret_fingerprint", sa.String(64)), schema=_SCHEMA)
    op.add_column("suppressions", sa.Column("certificate", postgresql.JSONB), schema=_SCHEMA)


def downgrade() -> None:
    op.drop_column("suppressions", "certificate", schema=_SCHEMA)
    op.drop_column("digest_key", "secret_fingerprint", schema=_SCHEMA)
