"""Who looked at whom, who is signed in, and who was refused too often; whose copies are gone, and whose data rests."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SCHEMAS = ("patient_service", "therapist_service")
_TIME = sa.DateTime(timezone=True)
_ACCESSES = ("view", "list", "create", "change", "delete", "export")

# Nobody rewrites who looked. What is past its time may go, where the transaction says how many days are kept.
_KEEP = """
CREATE FUNCTION {schema}.accesses_are_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    days integer := nullif(current_setting('curavani.access_log_days', true), '')::integer;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF days >= 1 AND OLD.at < now() - make_interval(days => days) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'the record of accesses is append-only' USING ERRCODE = 'restrict_violation';
END $$
"""
_NO_CHANGE = """
CREATE TRIGGER accesses_are_evidence BEFORE UPDATE OR DELETE ON {schema}.access_log
FOR EACH ROW EXECUTE FUNCTION {schema}.accesses_are_evidence()
"""
_NO_TRUNCATE = """
CREATE TRIGGER accesses_stay BEFORE TRUNCATE ON {schema}.access_log
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.accesses_are_evidence()
"""


def upgrade() -> None:
    for schema in _SCHEMAS:
        _access_log(schema)
        _sessions(schema)
    op.add_column("import_tracking", sa.Column("copy_removed_at", _TIME), schema="patient_service")
    _restrictions()


def _restrictions() -> None:
    op.create_table(
        "restrictions",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("patient_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("set_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("lifted_by", sa.Text),
        sa.Column("lifted_at", _TIME),
        sa.Column("lifted_reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restrictions")),
        sa.ForeignKeyConstraint(
            ["patient_id"],
            ["patient_service.patienten.id"],
            name=op.f("fk_restrictions_patient_id"),
            ondelete="CASCADE",
        ),
        schema="patient_service",
    )
    op.create_index(op.f("ix_restrictions_patient_id"), "restrictions", ["patient_id"], schema="patient_service")
    op.create_index(
        "uq_restrictions_holding",
        "restrictions",
        ["patient_id", "kind"],
        unique=True,
        schema="patient_service",
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def _access_log(schema: str) -> None:
    op.create_table(
        "access_log",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("entity_id", sa.BigInteger),
        sa.Column("import_id", sa.BigInteger),
        sa.Column("route", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_log")),
        sa.CheckConstraint(
            "action IN ({})".format(", ".join(f"'{word}'" for word in _ACCESSES)), name=op.f("ck_access_log_action")
        ),
        schema=schema,
    )
    for columns in (["entity_id", "id"], ["import_id", "id"], ["actor", "id"], ["at"]):
        op.create_index(op.f(f"ix_access_log_{'_'.join(columns)}"), "access_log", columns, schema=schema)
    for statement in (_KEEP, _NO_CHANGE, _NO_TRUNCATE):
        op.execute(statement.format(schema=schema))


def _sessions(schema: str) -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("proof", sa.String(64), nullable=False),
        sa.Column("began_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("seen_at", _TIME, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
        schema=schema,
    )
    op.create_index(op.f("ix_sessions_name"), "sessions", ["name"], schema=schema)
    op.create_table(
        "refused_callers",
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("refused_at", ARRAY(_TIME), nullable=False),
        sa.Column("blocked_until", _TIME),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_refused_callers")),
        schema=schema,
    )


def downgrade() -> None:
    op.drop_table("restrictions", schema="patient_service")
    op.drop_column("import_tracking", "copy_removed_at", schema="patient_service")
    for schema in _SCHEMAS:
        for table in ("refused_callers", "sessions", "access_log"):
            op.drop_table(table, schema=schema)
        op.execute(f"DROP FUNCTION {schema}.accesses_are_evidence()")
