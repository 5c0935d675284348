"""The therapist service's tables."""

from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Index, MetaData, Table
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSONB

from shared.database.tables import NAMING, created_at, kernel_tables, timestamp
from shared.words.vocabulary import Anrede, Geschlecht, Therapeutstatus

SCHEMA = "therapist_service"
metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)
kernel = kernel_tables(metadata, service_name="therapist")


def _enum(name: str, values: type[StrEnum]) -> ENUM:
    return ENUM(*[value.value for value in values], name=name, metadata=metadata, schema=SCHEMA)


def _flag(name: str) -> Column[bool]:
    return Column(name, sa.Boolean, nullable=False, server_default=sa.false())


therapeuten = Table(
    "therapeuten",
    metadata,
    Column("id", sa.Integer, sa.Identity(), primary_key=True),
    Column("anrede", _enum("anrede", Anrede)),
    Column("geschlecht", _enum("geschlecht", Geschlecht), nullable=False),
    Column("titel", sa.String(50)),
    Column("vorname", sa.String(100)),
    Column("nachname", sa.String(100), nullable=False),
    Column("strasse", sa.String(255)),
    Column("plz", sa.String(10)),
    Column("ort", sa.String(100)),
    Column("telefon", sa.String(50)),
    Column("fax", sa.String(50)),
    Column("email", sa.String(255)),
    Column("webseite", sa.String(255)),
    _flag("kassensitz"),
    Column("telefonische_erreichbarkeit", JSONB, nullable=False, server_default="{}"),
    Column("fremdsprachen", JSONB, nullable=False, server_default="[]"),
    Column("psychotherapieverfahren", JSONB, nullable=False, server_default="[]"),
    Column("zusatzqualifikationen", sa.Text),
    Column("besondere_leistungsangebote", sa.Text),
    Column("letzter_kontakt_email", sa.Date),
    Column("letzter_kontakt_telefon", sa.Date),
    Column("letztes_persoenliches_gespraech", sa.Date),
    _flag("potenziell_verfuegbar"),
    Column("potenziell_verfuegbar_notizen", sa.Text),
    _flag("ueber_curavani_informiert"),
    Column("naechster_kontakt_moeglich", sa.Date),
    Column("bevorzugte_diagnosen", JSONB, nullable=False, server_default="[]"),
    Column("alter_min", sa.Integer),
    Column("alter_max", sa.Integer),
    Column("geschlechtspraeferenz", sa.String(50)),
    Column("arbeitszeiten", JSONB, nullable=False, server_default="{}"),
    _flag("bevorzugt_gruppentherapie"),
    Column("status", _enum("therapeutstatus", Therapeutstatus), nullable=False, server_default="aktiv"),
    Column("sperrgrund", sa.Text),
    Column("sperrdatum", sa.Date),
    created_at(),
    created_at("updated_at"),
    Column("external_id", sa.Text),
    Column("source_area", sa.Text),
    Column("source_zip", sa.String(5)),
    Column("source_record", JSONB),
    Column("source_raw", JSONB),
    Column("source_hash", sa.String(64)),
    timestamp("source_seen_at"),
    timestamp("source_removed_at"),
    # The postal code the source gave last: staff may have corrected `plz`, the person is still found by the old one.
    Column("source_plz", sa.String(10)),
    # The import that listed this row last: within one file a row is claimed once, without keeping the claims in memory.
    Column("source_import_id", sa.BigInteger),
    Column("search_key", sa.Text, nullable=False, server_default=""),
    # By what the import finds the row (`imports/identity.py`); null where a program without keys has written it.
    Column("last_key", sa.Text),
    Column("first_key", sa.Text),
    Column("other_keys", ARRAY(sa.Text)),
    CheckConstraint("alter_min BETWEEN 0 AND 120 AND alter_max BETWEEN 0 AND 120", name="alter"),
    Index(None, "source_area", "external_id"),
    Index(None, "plz"),
    Index(None, "source_zip"),
    Index(None, "last_key"),
    Index(None, "first_key"),
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
