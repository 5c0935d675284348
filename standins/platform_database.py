"""The database of the platform that had the two tables before us, as its own migrations made it.

In four states, with the tables of its other services that refer to the two, and rows of every shape.
"""

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

import psycopg
from psycopg import sql

State = Literal["5 July", "8 July", "13 July", "November"]
REVISIONS: dict[State, str] = {
    "5 July": "001_initial_setup",
    "8 July": "001_initial_setup",
    "13 July": "002_therapeutenanfrage_id",
    "November": "007_add_email_attachments",
}
CHILDREN = {
    "communication_service.emails": ("patient_id", "therapist_id"),
    "communication_service.telefonanrufe": ("patient_id", "therapist_id"),
    "matching_service.platzsuche": ("patient_id",),
    "matching_service.therapeut_anfrage_patient": ("patient_id",),
    "matching_service.therapeutenanfrage": ("therapist_id",),
}
"""The tables of the other services, with their columns that refer to a patient or a therapist."""
PATIENT_WORDS = ("offen", "auf_der_Suche", "in_Therapie", "Therapie_abgeschlossen", "Suche_abgebrochen")
METHODS = ("egal", "Verhaltenstherapie", "tiefenpsychologisch_fundierte_Psychotherapie")

_TYPES = """
CREATE TYPE anrede AS ENUM ('Herr', 'Frau');
CREATE TYPE geschlecht AS ENUM ('männlich', 'weiblich', 'divers', 'keine_Angabe');
CREATE TYPE patientenstatus AS ENUM ('offen', 'auf_der_Suche', 'in_Therapie', 'Therapie_abgeschlossen',
  'Suche_abgebrochen', 'Therapie_abgebrochen');
CREATE TYPE therapeutstatus AS ENUM ('aktiv', 'gesperrt', 'inaktiv');
CREATE TYPE therapeutgeschlechtspraeferenz AS ENUM ('Männlich', 'Weiblich', 'Egal');
CREATE TYPE therapieverfahren AS ENUM ('egal', 'Verhaltenstherapie', 'tiefenpsychologisch_fundierte_Psychotherapie');
CREATE SCHEMA patient_service;
CREATE SCHEMA therapist_service;
CREATE SCHEMA communication_service;
CREATE SCHEMA matching_service;
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY);
"""
_PATIENTS = """
CREATE TABLE patient_service.patienten (
  id serial PRIMARY KEY, anrede anrede NOT NULL, geschlecht geschlecht NOT NULL, vorname varchar(100) NOT NULL,
  nachname varchar(100) NOT NULL, strasse varchar(255), plz varchar(10), ort varchar(100), email varchar(255),
  telefon varchar(50), hausarzt varchar(255), krankenkasse varchar(100), krankenversicherungsnummer varchar(50),
  geburtsdatum date, diagnose varchar(50), symptome text, erfahrung_mit_psychotherapie boolean,
  letzte_sitzung_vorherige_psychotherapie date, vertraege_unterschrieben boolean,
  psychotherapeutische_sprechstunde boolean, startdatum date, erster_therapieplatz_am date,
  funktionierender_therapieplatz_am date, status patientenstatus DEFAULT 'offen', empfehler_der_unterstuetzung text,
  zeitliche_verfuegbarkeit jsonb, raeumliche_verfuegbarkeit jsonb, verkehrsmittel varchar(50),
  offen_fuer_gruppentherapie boolean, offen_fuer_diga boolean, letzter_kontakt date,
  ausgeschlossene_therapeuten jsonb DEFAULT '[]'::jsonb,
  bevorzugtes_therapeutengeschlecht therapeutgeschlechtspraeferenz DEFAULT 'Egal',
  bevorzugtes_therapieverfahren therapieverfahren DEFAULT 'egal', created_at date, updated_at date);
CREATE INDEX ix_patient_service_patienten_id ON patient_service.patienten (id);
"""
_THERAPISTS = """
CREATE TABLE therapist_service.therapeuten (
  id serial PRIMARY KEY, anrede anrede NOT NULL, geschlecht geschlecht NOT NULL, titel varchar(20),
  vorname varchar(100) NOT NULL, nachname varchar(100) NOT NULL, strasse varchar(255), plz varchar(10),
  ort varchar(100), telefon varchar(50), fax varchar(50), email varchar(255), webseite varchar(255),
  kassensitz boolean, telefonische_erreichbarkeit jsonb DEFAULT '{}'::jsonb, fremdsprachen jsonb DEFAULT '[]'::jsonb,
  psychotherapieverfahren jsonb DEFAULT '[]'::jsonb, zusatzqualifikationen text, besondere_leistungsangebote text,
  letzter_kontakt_email date, letzter_kontakt_telefon date, letztes_persoenliches_gespraech date,
  potenziell_verfuegbar boolean, potenziell_verfuegbar_notizen text, ueber_curavani_informiert boolean,
  naechster_kontakt_moeglich date, bevorzugte_diagnosen jsonb DEFAULT '[]'::jsonb, alter_min integer,
  alter_max integer, geschlechtspraeferenz varchar(50), arbeitszeiten jsonb DEFAULT '{}'::jsonb,
  bevorzugt_gruppentherapie boolean, status therapeutstatus DEFAULT 'aktiv', sperrgrund text, sperrdatum date,
  created_at date, updated_at date);
CREATE INDEX ix_therapist_service_therapeuten_id ON therapist_service.therapeuten (id);
CREATE INDEX idx_therapists_naechster_kontakt_moeglich ON therapist_service.therapeuten (naechster_kontakt_moeglich);
"""
_ONE_METHOD = """
ALTER TABLE therapist_service.therapeuten DROP COLUMN psychotherapieverfahren;
ALTER TABLE therapist_service.therapeuten ADD COLUMN psychotherapieverfahren therapieverfahren DEFAULT 'egal';
"""
_NOVEMBER = """
ALTER TABLE patient_service.patienten DROP COLUMN diagnose, DROP COLUMN symptome,
  DROP COLUMN psychotherapeutische_sprechstunde, ADD COLUMN symptome jsonb,
  ADD COLUMN zahlungsreferenz varchar(8), ADD COLUMN zahlung_eingegangen boolean NOT NULL DEFAULT false;
"""
_REFERENCES = {"patient_id": "patient_service.patienten", "therapist_id": "therapist_service.therapeuten"}


def make_tables(connection: psycopg.Connection[tuple[object, ...]], state: State) -> None:
    """Makes the tables of this state, without rows."""
    connection.execute(_TYPES + _PATIENTS + _THERAPISTS)
    connection.execute("INSERT INTO alembic_version VALUES (%s)", [REVISIONS[state]])
    if state != "5 July":
        connection.execute(_ONE_METHOD)
    if state == "November":
        connection.execute(_NOVEMBER)
    for child, columns in CHILDREN.items():
        references = [f"{column} integer REFERENCES {_REFERENCES[column]} (id) ON DELETE CASCADE" for column in columns]
        table = f"CREATE TABLE {child} (id serial PRIMARY KEY, {', '.join(references)}, betreff text)"
        connection.execute(table)


def fill(
    connection: psycopg.Connection[tuple[object, ...]], state: State, *, patients: int, therapists: int, seed: int = 1
) -> None:
    """Fills the tables with people of every shape that the types allow and our own tables can take, and each of the
    other services' tables with a row for every third of them.
    """
    chance = random.Random(seed)  # noqa: S311 - the same rows for the same seed
    _copy(connection, "patient_service.patienten", (_patient(chance, state, number) for number in range(patients)))
    _copy(connection, "therapist_service.therapeuten", (_therapist(chance, state, it) for it in range(therapists)))
    for child, columns in CHILDREN.items():
        for column in columns:
            source = _REFERENCES[column]
            rows = f"INSERT INTO {child} ({column}, betreff) SELECT id, 'x' FROM {source} WHERE id % 3 = 0"
            connection.execute(rows)


def _copy(connection: psycopg.Connection[tuple[object, ...]], table: str, rows: Iterator[dict[str, object]]) -> None:
    first = next(rows, None)
    if first is None:
        return
    target = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, first))
    )
    with connection.cursor() as cursor, cursor.copy(target) as copy:
        copy.write_row(list(first.values()))
        for row in rows:
            copy.write_row(list(row.values()))


def _patient(chance: random.Random, state: State, number: int) -> dict[str, object]:
    row: dict[str, object] = {
        "anrede": chance.choice(("Herr", "Frau")),
        "geschlecht": chance.choice(("männlich", "weiblich", "divers", "keine_Angabe")),
        **_name(chance, number),
        "email": chance.choice((None, "", f"Person{number}@Example.com", f"zwei{number // 2}@example.com")),
        "krankenkasse": chance.choice((None, "", "AOK")),
        "geburtsdatum": _day(chance),
        "erfahrung_mit_psychotherapie": _flag(chance),
        "vertraege_unterschrieben": _flag(chance),
        "startdatum": _day(chance),
        "status": chance.choice((None, *PATIENT_WORDS)),
        "empfehler_der_unterstuetzung": chance.choice((None, "", "ein Freund\nvon früher", "x" * 12_000)),
        "zeitliche_verfuegbarkeit": _json(chance, {"montag": ["09:00-12:00"]}),
        "raeumliche_verfuegbarkeit": _json(chance, {"max_km": 10}),
        "offen_fuer_gruppentherapie": _flag(chance),
        "offen_fuer_diga": _flag(chance),
        "letzter_kontakt": _day(chance),
        "ausgeschlossene_therapeuten": _json(chance, [3, 17]),
        "bevorzugtes_therapeutengeschlecht": chance.choice((None, "Männlich", "Weiblich", "Egal")),
        "bevorzugtes_therapieverfahren": chance.choice((None, *METHODS)),
        **_times(chance),
    }
    if state == "November":
        row["symptome"] = _json(chance, ["Schlafstörungen", "Ängste"])
        row["zahlungsreferenz"] = chance.choice((None, f"{number % 10**8:08}"))
        row["zahlung_eingegangen"] = chance.choice((True, False))
        return row
    return row | {
        "diagnose": chance.choice((None, "", "F32.1")),
        "symptome": chance.choice((None, "", "schläft schlecht; „grübelt“")),
        "psychotherapeutische_sprechstunde": _flag(chance),
    }


def _therapist(chance: random.Random, state: State, number: int) -> dict[str, object]:
    return {
        "anrede": chance.choice(("Herr", "Frau")),
        "geschlecht": chance.choice(("männlich", "weiblich", "keine_Angabe")),
        "titel": chance.choice((None, "", "Dr. med.", "Dipl.-Psych.")),
        **_name(chance, number),
        "telefon": chance.choice((None, "", f"+49 241 {number:06}")),
        "email": chance.choice((None, f"praxis{number}@example.com")),
        "kassensitz": _flag(chance),
        "telefonische_erreichbarkeit": _json(chance, {"montag": ["10:00-12:00"]}),
        "fremdsprachen": _json(chance, ["Englisch"]),
        "psychotherapieverfahren": (
            _json(chance, ["Verhaltenstherapie", "Systemische_Therapie"])
            if state == "5 July"
            else chance.choice((None, *METHODS))
        ),
        "letzter_kontakt_email": _day(chance),
        "potenziell_verfuegbar": _flag(chance),
        "potenziell_verfuegbar_notizen": chance.choice((None, "", "ruft zurück")),
        "ueber_curavani_informiert": _flag(chance),
        "naechster_kontakt_moeglich": _day(chance),
        "bevorzugte_diagnosen": _json(chance, ["F32"]),
        "alter_min": chance.choice((None, 0, 18)),
        "alter_max": chance.choice((None, 65, 120)),
        "geschlechtspraeferenz": chance.choice((None, "Egal")),
        "arbeitszeiten": _json(chance, {"dienstag": ["08:00-16:00"]}),
        "bevorzugt_gruppentherapie": _flag(chance),
        "status": chance.choice((None, "aktiv", "gesperrt", "inaktiv")),
        "sperrgrund": chance.choice((None, "", "möchte nicht")),
        "sperrdatum": _day(chance),
        **_times(chance),
    }


def _name(chance: random.Random, number: int) -> dict[str, object]:
    return {
        "vorname": chance.choice(("Anna", "Jörg", "Zoë", "Hans-Peter", "")),
        "nachname": f"{chance.choice(('Müller', 'Öztürk', 'von der Heide', 'Null', 'Łukasz'))}{_letters(number)}",
        "strasse": chance.choice((None, "", f"Lange Straße {number}")),
        "plz": chance.choice((None, "", f"{50_000 + number % 5000}")),
        "ort": chance.choice((None, "Aachen", "Köln")),
    }


def _letters(number: int) -> str:
    word = ""
    while number:
        number, letter = divmod(number, 26)
        word += chr(97 + letter)
    return word


def _day(chance: random.Random) -> date | None:
    return chance.choice((None, date(1, 1, 1), date(9999, 12, 31), date(2025, 7, 1) + timedelta(chance.randrange(200))))


def _times(chance: random.Random) -> dict[str, object]:
    made = chance.choice((None, date(2025, 3, 1) + timedelta(chance.randrange(200))))
    return {"created_at": made, "updated_at": chance.choice((None, made, date(2025, 11, 20)))}


def _flag(chance: random.Random) -> bool | None:
    return chance.choice((None, True, False))


def _json(chance: random.Random, value: dict[str, object] | list[object]) -> str | None:
    return chance.choice((None, "null", json.dumps(type(value)()), json.dumps(value)))
