"""The patient service's tables."""

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, MetaData, Table
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from shared.database.tables import NAMING, created_at, kernel_tables, timestamp
from shared.words.vocabulary import (
    Anrede,
    Geschlecht,
    Patientenstatus,
    Therapeutgeschlechtspraeferenz,
    Therapieverfahren,
)

SCHEMA = "patient_service"
metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)
kernel = kernel_tables(metadata, service_name="patient")


def _enum(
    name: str, values: type[Anrede | Geschlecht | Patientenstatus | Therapeutgeschlechtspraeferenz | Therapieverfahren]
) -> ENUM:
    return ENUM(*[value.value for value in values], name=name, metadata=metadata, schema=SCHEMA)


def _flag(name: str) -> Column[bool]:
    return Column(name, sa.Boolean, nullable=False, server_default=sa.false())


patienten = Table(
    "patienten",
    metadata,
    Column("id", sa.Integer, sa.Identity(), primary_key=True),
    Column("anrede", _enum("anrede", Anrede), nullable=False),
    Column("geschlecht", _enum("geschlecht", Geschlecht), nullable=False),
    Column("vorname", sa.String(100), nullable=False),
    Column("nachname", sa.String(100), nullable=False),
    Column("strasse", sa.String(255)),
    Column("plz", sa.String(10)),
    Column("ort", sa.String(100)),
    Column("email", sa.String(255)),
    Column("telefon", sa.String(50)),
    Column("hausarzt", sa.String(255)),
    Column("krankenkasse", sa.String(100)),
    Column("krankenversicherungsnummer", sa.String(50)),
    Column("geburtsdatum", sa.Date),
    Column("diagnose", sa.String(50)),
    Column("symptome", sa.Text),
    Column("erfahrung_mit_psychotherapie", sa.Boolean),
    Column("letzte_sitzung_vorherige_psychotherapie", sa.Date),
    _flag("vertraege_unterschrieben"),
    _flag("psychotherapeutische_sprechstunde"),
    Column("startdatum", sa.Date),
    Column("erster_therapieplatz_am", sa.Date),
    Column("funktionierender_therapieplatz_am", sa.Date),
    Column("status", _enum("patientenstatus", Patientenstatus), nullable=False, server_default="offen"),
    Column("empfehler_der_unterstuetzung", sa.Text),
    Column("zeitliche_verfuegbarkeit", JSONB, nullable=False, server_default="{}"),
    Column("raeumliche_verfuegbarkeit", JSONB, nullable=False, server_default="{}"),
    Column("verkehrsmittel", sa.String(50)),
    _flag("offen_fuer_gruppentherapie"),
    _flag("offen_fuer_diga"),
    Column("letzter_kontakt", sa.Date),
    Column("ausgeschlossene_therapeuten", JSONB, nullable=False, server_default="[]"),
    Column(
        "bevorzugtes_therapeutengeschlecht",
        _enum("therapeutgeschlechtspraeferenz", Therapeutgeschlechtspraeferenz),
        nullable=False,
        server_default="Egal",
    ),
    Column(
        "bevorzugtes_therapieverfahren",
        _enum("therapieverfahren", Therapieverfahren),
        nullable=False,
        server_default="egal",
    ),
    created_at(),
    created_at("updated_at"),
    # Keys computed by `shared.text.keys`: PostgreSQL has no ICU and no extensions everywhere.
    Column("name_key", sa.Text, nullable=False),
    Column("email_key", sa.Text),
    Column("search_key", sa.Text, nullable=False),
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
    sa.CheckConstraint('"only"', name="one_row"),
)
