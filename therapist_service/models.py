"""The therapist service's tables."""

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Index, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables import NAMING, kernel_tables
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
        Column("mapping_version", sa.Integer),
        Index(None, "zip", "scrape_date"),
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
