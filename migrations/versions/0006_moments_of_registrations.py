"""When each registration was made and uploaded, and what the digests of names and of erased people are keyed with."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SCHEMA = "patient_service"


def upgrade() -> None:
    op.add_column("import_tracking", sa.Column("uploaded_at", sa.DateTime(timezone=True)), schema=_SCHEMA)
    op.add_column("patient_consents", sa.Column("moment", sa.DateTime(timezone=True)), schema=_SCHEMA)
    op.add_column(
        "digest_key",
        sa.Column("names_are_keyed", sa.Boolean, nullable=False, server_default=sa.false()),
        schema=_SCHEMA,
    )
    op.add_column("digest_key", sa.Column("secret_fingerprint", sa.String(64)), schema=_SCHEMA)
    # Google's generations are the microsecond of the upload; another storage's may be any number.
    op.execute(f"""
        UPDATE {_SCHEMA}.import_tracking SET uploaded_at = CASE
          WHEN file_version ~ '^1[0-9]{{15}}$' THEN to_timestamp(file_version::numeric / 1000000) ELSE first_seen_at END
    """)
    _fill_moments()


def _fill_moments() -> None:
    """The first of the form's own time, the consent's and the upload's that can be true."""
    op.execute(f"ALTER TABLE {_SCHEMA}.patient_consents DISABLE TRIGGER consents_are_evidence")
    plausible = "BETWEEN '2000-01-01 00:00Z' AND file.uploaded_at + interval '1 day'"
    op.execute(f"""
        UPDATE {_SCHEMA}.patient_consents AS consent SET moment = CASE
          WHEN registration_timestamp {plausible} THEN registration_timestamp
          WHEN given_at {plausible} THEN given_at
          ELSE file.uploaded_at END
        FROM {_SCHEMA}.import_tracking AS file WHERE file.id = consent.import_id
    """)
    op.execute(f"ALTER TABLE {_SCHEMA}.patient_consents ENABLE TRIGGER consents_are_evidence")


def downgrade() -> None:
    op.drop_column("digest_key", "secret_fingerprint", schema=_SCHEMA)
    op.drop_column("digest_key", "names_are_keyed", schema=_SCHEMA)
    op.drop_column("patient_consents", "moment", schema=_SCHEMA)
    op.drop_column("import_tracking", "uploaded_at", schema=_SCHEMA)
