"""Beside the platform: a program that knows no look-up keys can still write a patient's row, and one process keeps the
days of contact.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEYS = ("name_key", "search_key")
_SCHEMAS = ("patient_service", "therapist_service")
_BEFORE = "worker IN ('import', 'relay', 'mailer')"
_WORKERS = "worker IN ('import', 'relay', 'mailer', 'contacts')"


def upgrade() -> None:
    for column in _KEYS:
        op.alter_column("patienten", column, server_default="", schema="patient_service")
    _let_work(_WORKERS)


def _let_work(condition: str) -> None:
    name = op.f("ck_worker_heartbeats_worker")
    for schema in _SCHEMAS:
        op.drop_constraint(name, "worker_heartbeats", schema=schema)
        op.create_check_constraint(name, "worker_heartbeats", condition, schema=schema)


def downgrade() -> None:
    for schema in _SCHEMAS:
        op.execute(f"DELETE FROM {schema}.worker_heartbeats WHERE worker = 'contacts'")
    _let_work(_BEFORE)
    for column in _KEYS:
        op.alter_column("patienten", column, server_default=None, schema="patient_service")
