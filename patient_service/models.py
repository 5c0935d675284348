"""The patient service's tables."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB

from patient_service.patient import PATIENT
from shared.database.tables import NAMING, created_at, kernel_tables, timestamp
from shared.fields.columns import columns_of

SCHEMA = "patient_service"
metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)
kernel = kernel_tables(
    metadata,
    service_name="patient",
    of_source=[
        Column("bucket", sa.Text),
        # When this generation was uploaded, whatever happened to its metadata since.
        timestamp("uploaded_at"),
        Column("local_path", sa.Text),
        Column("delete_source", sa.Boolean, nullable=False, server_default=sa.false()),
        timestamp("copy_removed_at"),
    ],
)


patienten = Table(
    "patienten",
    metadata,
    *columns_of(PATIENT, metadata),
    Index(None, "email_key", "name_key"),
    Index(None, "name_key", "geburtsdatum"),
    Index(None, "status", "id"),
    Index(None, "created_at", "id"),
)

patient_consents = Table(
    "patient_consents",
    metadata,
    Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    Column("patient_id", sa.Integer, ForeignKey("patienten.id"), nullable=False),
    Column("registration_token", sa.Text),
    timestamp("registration_timestamp"),
    timestamp("given_at", nullable=False),
    # When the registration was made, by the first of its times that can be true: which one of a person's is the newest.
    timestamp("moment"),
    Column("ip_address", sa.Text),
    Column("user_agent", sa.Text),
    Column("document", JSONB, nullable=False),
    Column("file_hash", sa.String(64), nullable=False),
    Column("import_id", sa.BigInteger, ForeignKey("import_tracking.id"), nullable=False),
    created_at(),
    Index(None, "patient_id"),
    Index(None, "registration_token"),
    Index(None, "file_hash"),
    Index(None, "import_id"),
)

restrictions = Table(
    "restrictions",
    metadata,
    Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    Column("patient_id", sa.Integer, ForeignKey("patienten.id", ondelete="CASCADE"), nullable=False),
    # `restricted` or `withdrawn`
    Column("kind", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("set_by", sa.Text, nullable=False),
    created_at("set_at"),
    Column("lifted_by", sa.Text),
    timestamp("lifted_at"),
    Column("lifted_reason", sa.Text),
    Index(None, "patient_id"),
    Index("uq_restrictions_holding", "patient_id", "kind", unique=True, postgresql_where=sa.text("lifted_at IS NULL")),
)

import_corrections = Table(
    "import_corrections",
    metadata,
    Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    Column("import_id", sa.BigInteger, ForeignKey("import_tracking.id"), nullable=False),
    # A JSON pointer into the registration; values are its texts, and JSON where it has none.
    Column("pointer", sa.Text, nullable=False),
    Column("old_value", sa.Text),
    Column("new_value", sa.Text),
    Column("reason", sa.Text, nullable=False),
    Column("corrected_by", sa.Text, nullable=False),
    created_at("corrected_at"),
    Index(None, "import_id"),
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    Column("patient_id", sa.Integer, nullable=False),
    Column("erased_by", sa.Text, nullable=False),
    created_at("erased_at"),
    # What was removed where, in counts and codes; no data of the person.
    Column("certificate", JSONB, nullable=False),
    Index(None, "patient_id"),
)

tombstones = Table(
    "tombstones",
    metadata,
    # HMAC of a registration token or a file's content: recognises the same registration without keeping it.
    Column("digest", sa.String(64), primary_key=True),
    Column("kind", sa.Text, nullable=False),
    Column("erasure_id", sa.BigInteger, ForeignKey("erasures.id"), nullable=False),
    Index(None, "erasure_id"),
)

digest_key = Table(
    "digest_key",
    metadata,
    # One row: the key of the tombstones' HMAC, made by the first migration.
    Column("only", sa.Boolean, primary_key=True, server_default=sa.true()),
    Column("key", sa.LargeBinary, nullable=False),
    # Whether the ledger's digests of object names carry the key.
    Column("names_are_keyed", sa.Boolean, nullable=False, server_default=sa.false()),
    # Recognises the secret of the settings that all digests carry as well, once there is one.
    Column("secret_fingerprint", sa.String(64)),
    sa.CheckConstraint('"only"', name="one_row"),
)
