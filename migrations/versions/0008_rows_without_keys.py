"""A program that knows no look-up keys, such as the platform's own service, can still write a patient's row."""

from alembic import op

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEYS = ("name_key", "search_key")


def upgrade() -> None:
    for column in _KEYS:
        op.alter_column("patienten", column, server_default="", schema="patient_service")


def downgrade() -> None:
    for column in _KEYS:
        op.alter_column("patienten", column, server_default=None, schema="patient_service")
