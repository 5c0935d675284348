"""Events that were parked for a topic's missing right wait like all others, and go once it is given."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for schema in ("patient_service", "therapist_service"):
        alerts = sa.text(
            f"UPDATE {schema}.alert_outbox SET resolved_at = now()"
            " WHERE resolved_at IS NULL AND kind = 'problem' AND code = 'topic_not_allowed'"
        )
        events = sa.text(
            f"UPDATE {schema}.event_outbox SET parked_code = NULL"
            " WHERE sent_at IS NULL AND parked_code = 'topic_not_allowed'"
        )
        op.execute(alerts)
        op.execute(events)


def downgrade() -> None:
    """Nothing to take back: an event that waits is as good for the release before."""
