"""The therapist service's tables."""

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, Table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.database.tables import NAMING, created_at, kernel_tables, timestamp
from shared.fields.columns import columns_of
from therapist_service.therapist import THERAPIST

SCHEMA = "therapist_service"
metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)
kernel = kernel_tables(
    metadata,
    service_name="therapist",
    of_source=[
        Column("zip", sa.String(5)),
        Column("scrape_date", sa.DateTime(timezone=True)),
        Column("scrape_day", sa.Date),
        Column("mapping_version", sa.Integer),
        Index(None, "zip", "scrape_day"),
    ],
)


therapeuten = Table(
    "therapeuten",
    metadata,
    *columns_of(THERAPIST, metadata),
    CheckConstraint("alter_min BETWEEN 0 AND 120 AND alter_max BETWEEN 0 AND 120", name="alter"),
    Index(None, "source_area", "external_id"),
    Index(None, "plz"),
    Index(None, "source_zip"),
    Index(None, "last_key"),
    Index(None, "first_key"),
    Index(None, "mail_key"),
    Index(None, "line_key"),
    Index(
        "ix_therapeuten_other_keys",
        "other_keys",
        postgresql_using="gin",
        postgresql_where=sa.text("other_keys IS NOT NULL"),
    ),
    Index("ix_therapeuten_without_keys", "id", postgresql_where=sa.text("last_key IS NULL")),
    Index(None, "status", "id"),
    Index(None, "created_at", "id"),
)

# How many records of each scrape had each field filled: what a sudden drop is measured by.
scrape_fill = Table(
    "scrape_fill",
    metadata,
    Column("scrape_day", sa.Date, primary_key=True),
    Column("zip", sa.String(5), primary_key=True),
    Column("records", sa.Integer, nullable=False),
    Column("filled", JSONB, nullable=False),
)

# How many active therapists each postal code's file had before anything of the day was applied: what the guard of
# deletions measures against, however many passes the day comes in.
scrape_days = Table(
    "scrape_days",
    metadata,
    Column("scrape_day", sa.Date, primary_key=True),
    Column("active_before", JSONB, nullable=False),
)

# Whom a file calls deleted. `outcome` is null until the end of the scrape day, when it is known who else is listed.
proposed_deletions = Table(
    "proposed_deletions",
    metadata,
    Column("import_id", sa.BigInteger, ForeignKey("import_tracking.id"), primary_key=True),
    Column("record_index", sa.Integer, primary_key=True, autoincrement=False),
    Column("entity_id", sa.BigInteger, nullable=False),
    Column("scrape_day", sa.Date, nullable=False),
    Column("zip", sa.String(5), nullable=False),
    timestamp("said_at", nullable=False),
    Column("rule", sa.Text, nullable=False),
    Column("outcome", sa.Text),
    Index(None, "scrape_day"),
    Index(None, "entity_id"),
    Index("ix_proposed_deletions_waiting", "scrape_day", postgresql_where=sa.text("outcome IS NULL")),
)

# Who objected: digests by which an import knows them again, or sees a resemblance, and nothing else of them.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    Column("known_by", ARRAY(sa.Text), nullable=False),
    Column("resembles", ARRAY(sa.Text), nullable=False),
    Column("erased_by", sa.Text, nullable=False),
    created_at("erased_at"),
    # What was removed, in counts and numbers; null until that is done, and of an erasure by an earlier program.
    Column("certificate", JSONB),
)

digest_key = Table(
    "digest_key",
    metadata,
    # One row: the key of those digests.
    Column("only", sa.Boolean, primary_key=True, server_default=sa.true()),
    Column("key", sa.LargeBinary, nullable=False),
    # Recognises the secret of the settings that all digests carry as well, once there is one.
    Column("secret_fingerprint", sa.String(64)),
    CheckConstraint('"only"', name="one_row"),
)
