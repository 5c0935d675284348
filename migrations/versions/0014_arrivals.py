"""What came in within some days is found without a walk through every file."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SCHEMAS = ("patient_service", "therapist_service")
_INDEX = "ix_import_tracking_first_seen_at"


def upgrade() -> None:
    for schema in _SCHEMAS:
        op.create_index(_INDEX, "import_tracking", ["first_seen_at"], schema=schema)


def downgrade() -> None:
    for schema in _SCHEMAS:
        op.drop_index(_INDEX, "import_tracking", schema=schema)
