"""The German vocabulary of the domain, once: every enum of API, database, imports and events comes from here.

Values are what JSON and PostgreSQL carry. A test holds the Python enums equal to the database's types.
"""

from enum import StrEnum


class Anrede(StrEnum):
    HERR = "Herr"
    FRAU = "Frau"


class Geschlecht(StrEnum):
    MAENNLICH = "männlich"
    WEIBLICH = "weiblich"
    DIVERS = "divers"
    KEINE_ANGABE = "keine_Angabe"


class Patientenstatus(StrEnum):
    OFFEN = "offen"
    AUF_DER_SUCHE = "auf_der_Suche"
    IN_THERAPIE = "in_Therapie"
    THERAPIE_ABGESCHLOSSEN = "Therapie_abgeschlossen"
    SUCHE_ABGEBROCHEN = "Suche_abgebrochen"
    THERAPIE_ABGEBROCHEN = "Therapie_abgebrochen"


class Therapeutstatus(StrEnum):
    AKTIV = "aktiv"
    GESPERRT = "gesperrt"
    INAKTIV = "inaktiv"


class Therapeutgeschlechtspraeferenz(StrEnum):
    MAENNLICH = "Männlich"
    WEIBLICH = "Weiblich"
    EGAL = "Egal"


class Therapieverfahren(StrEnum):
    EGAL = "egal"
    VERHALTENSTHERAPIE = "Verhaltenstherapie"
    TIEFENPSYCHOLOGISCH = "tiefenpsychologisch_fundierte_Psychotherapie"
