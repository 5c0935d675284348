"""A patient: every field, declared once. CONTRIBUTING.md says what else a further one needs."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum, auto

from shared.fields.declaration import (
    Data,
    Day,
    Email,
    Flag,
    FreeText,
    JsonList,
    JsonObject,
    Moment,
    Owner,
    RowNumber,
    Text,
    Word,
    field,
    fields_of,
)
from shared.words.vocabulary import (
    Anrede,
    Geschlecht,
    Patientenstatus,
    Therapeutgeschlechtspraeferenz,
    Therapieverfahren,
)


class Group(StrEnum):
    """The headings of a patient's page, in their order."""

    PERSON = auto()
    CONTACT = auto()
    INSURANCE = auto()
    NEED = auto()
    WISHES = auto()
    SEARCH = auto()


FORM, STAFF, TECHNICAL = Owner.SELF_REPORTED, Owner.STAFF, Owner.TECHNICAL
HEALTH, PERSON, NOBODY = Data.HEALTH, Data.PERSON, Data.TECHNICAL
_GENDER = Word(Therapeutgeschlechtspraeferenz, said_as="gender preference", null_is_default=True)
_METHOD = Word(Therapieverfahren, said_as="therapy method", null_is_default=True)


# fmt: off
@dataclass(frozen=True, kw_only=True)
class Patient:
    """A patient as the table holds them; words are texts."""

    id: int = field(RowNumber(), owner=TECHNICAL, data=NOBODY, announced=True)
    anrede: str = field(Word(Anrede), "Anrede", Group.PERSON, owner=FORM, data=PERSON, required=True)
    geschlecht: str = field(Word(Geschlecht), "Geschlecht", Group.PERSON, owner=FORM, data=PERSON, required=True)
    vorname: str = field(Text(100), "Vorname", Group.PERSON, owner=FORM, data=PERSON, required=True, searched=True)
    nachname: str = field(Text(100), "Nachname", Group.PERSON, owner=FORM, data=PERSON, required=True, searched=True)
    strasse: str | None = field(Text(255), "Straße", Group.CONTACT, owner=FORM, data=PERSON)
    plz: str | None = field(Text(10), "PLZ", Group.CONTACT, owner=FORM, data=PERSON, searched=True)
    ort: str | None = field(Text(100), "Ort", Group.CONTACT, owner=FORM, data=PERSON, searched=True)
    email: str | None = field(Email(), "E-Mail", Group.CONTACT, owner=FORM, data=PERSON, searched=True)
    telefon: str | None = field(Text(50), "Telefon", Group.CONTACT, owner=FORM, data=PERSON, searched=True)
    hausarzt: str | None = field(Text(255), "Hausarzt", Group.INSURANCE, owner=FORM, data=HEALTH)
    krankenkasse: str | None = field(Text(100), "Krankenkasse", Group.INSURANCE, owner=FORM, data=HEALTH)
    krankenversicherungsnummer: str | None = field(Text(50), "Krankenversicherungsnummer", Group.INSURANCE, owner=FORM, data=HEALTH)
    geburtsdatum: date | None = field(Day(), "Geburtsdatum", Group.PERSON, owner=FORM, data=PERSON)
    diagnose: str | None = field(Text(50), "Diagnose", Group.NEED, owner=STAFF, data=HEALTH)
    symptome: str | None = field(FreeText(), "Symptome", Group.NEED, owner=FORM, data=HEALTH)
    erfahrung_mit_psychotherapie: bool | None = field(Flag(), "Erfahrung mit Psychotherapie", Group.NEED, owner=FORM, data=HEALTH)
    letzte_sitzung_vorherige_psychotherapie: date | None = field(Day(), "Letzte Sitzung der vorherigen Psychotherapie", Group.NEED, owner=FORM, data=HEALTH)
    vertraege_unterschrieben: bool = field(Flag(), "Verträge unterschrieben", Group.SEARCH, owner=STAFF, data=HEALTH)
    psychotherapeutische_sprechstunde: bool = field(Flag(), "Psychotherapeutische Sprechstunde", Group.NEED, owner=FORM, data=HEALTH)
    startdatum: date | None = field(Day(), "Startdatum", Group.SEARCH, owner=STAFF, data=HEALTH, settable=False)
    erster_therapieplatz_am: date | None = field(Day(), "Erster Therapieplatz am", Group.SEARCH, owner=STAFF, data=HEALTH)
    funktionierender_therapieplatz_am: date | None = field(Day(), "Dauerhafter Therapieplatz seit", Group.SEARCH, owner=STAFF, data=HEALTH)
    status: str = field(Word(Patientenstatus), "Status", Group.SEARCH, owner=STAFF, data=HEALTH, default=Patientenstatus.OFFEN)
    empfehler_der_unterstuetzung: str | None = field(FreeText(), "Empfohlen durch", Group.WISHES, owner=FORM, data=PERSON)
    zeitliche_verfuegbarkeit: dict[str, object] = field(JsonObject(), "Zeitliche Verfügbarkeit", Group.WISHES, owner=FORM, data=PERSON)
    raeumliche_verfuegbarkeit: dict[str, object] = field(JsonObject(is_distance=True), "Räumliche Verfügbarkeit", Group.WISHES, owner=FORM, data=PERSON)
    verkehrsmittel: str | None = field(Text(50), "Verkehrsmittel", Group.WISHES, owner=FORM, data=PERSON)
    offen_fuer_gruppentherapie: bool = field(Flag(), "Offen für Gruppentherapie", Group.WISHES, owner=FORM, data=HEALTH)
    offen_fuer_diga: bool = field(Flag(), "Offen für DiGA", Group.WISHES, owner=FORM, data=HEALTH)
    letzter_kontakt: date | None = field(Day(), "Letzter Kontakt", Group.SEARCH, owner=STAFF, data=PERSON, settable=False)
    ausgeschlossene_therapeuten: list[object] = field(JsonList(), "Ausgeschlossene Therapeuten", Group.WISHES, owner=STAFF, data=HEALTH)
    bevorzugtes_therapeutengeschlecht: str = field(_GENDER, "Bevorzugtes Therapeutengeschlecht", Group.WISHES, owner=FORM, data=HEALTH, default=Therapeutgeschlechtspraeferenz.EGAL)
    bevorzugtes_therapieverfahren: str = field(_METHOD, "Bevorzugtes Therapieverfahren", Group.WISHES, owner=FORM, data=HEALTH, default=Therapieverfahren.EGAL)
    created_at: datetime = field(Moment(), owner=TECHNICAL, data=NOBODY, announced=True)
    updated_at: datetime = field(Moment(), owner=TECHNICAL, data=NOBODY, announced=True)
    # Keys computed by `shared.text.keys`: PostgreSQL has no ICU and no extensions everywhere.
    # Empty where a program that knows no keys has written the row.
    name_key: str = field(Text(), owner=TECHNICAL, data=PERSON, default="")
    email_key: str | None = field(Text(), owner=TECHNICAL, data=PERSON)
    search_key: str = field(Text(), owner=TECHNICAL, data=PERSON, default="")
# fmt: on


PATIENT = fields_of(Patient)
SELF_REPORTED = frozenset(PATIENT.owned_by(Owner.SELF_REPORTED))
"""What a person says of themselves, and therefore all that a registration may write."""
STAFF_FIELDS = frozenset(PATIENT.owned_by(Owner.STAFF))
"""What only staff and our rules write."""
