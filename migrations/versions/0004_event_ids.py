"""The database gives events their ids, and keeps rows of ordinary length in one piece."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SCHEMAS = ("patient_service", "therapist_service")
_THERAPISTS = "therapist_service.therapeuten"


def upgrade() -> None:
    for schema in _SCHEMAS:
        op.alter_column("event_outbox", "event_id", schema=schema, server_default=sa.func.gen_random_uuid())
    # A therapist's row is a little longer than the 2 kB from which PostgreSQL by default tries to compress it: much work
    # for every row of a scrape, and little gained.
    op.execute(f"ALTER TABLE {_THERAPISTS} SET (toast_tuple_target = 4080)")


def downgrade() -> None:
    op.execute(f"ALTER TABLE {_THERAPISTS} RESET (toast_tuple_target)")
    for schema in _SCHEMAS:
        op.alter_column("event_outbox", "event_id", schema=schema, server_default=None)
