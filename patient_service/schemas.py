"""What patients look like on the outside: one schema for input, used by the API and by the import, one for output."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel

from shared.fields.validation import (
    Day,
    Email,
    Flag,
    FlagOff,
    FreeText,
    Input,
    JsonList,
    JsonObject,
    Name,
    Text10,
    Text50,
    Text100,
    Text255,
    one_of,
    one_of_or,
    optional,
    words_schema,
)
from shared.words.vocabulary import (
    Anrede,
    Geschlecht,
    Patientenstatus,
    Therapeutgeschlechtspraeferenz,
    Therapieverfahren,
)

AnredeWord = Annotated[str, one_of(Anrede, "anrede"), words_schema(Anrede)]
GeschlechtWord = Annotated[str, one_of(Geschlecht, "geschlecht"), words_schema(Geschlecht)]
StatusWord = Annotated[str, one_of(Patientenstatus, "status"), words_schema(Patientenstatus)]
GenderWord = Annotated[
    str,
    one_of_or(Therapeutgeschlechtspraeferenz, "gender preference", Therapeutgeschlechtspraeferenz.EGAL),
    words_schema(Therapeutgeschlechtspraeferenz, nullable=True),
]
MethodWord = Annotated[
    str,
    one_of_or(Therapieverfahren, "therapy method", Therapieverfahren.EGAL),
    words_schema(Therapieverfahren, nullable=True),
]


class PatientUpdate(Input):
    """Some fields of a patient: only those sent are written, and null blanks an optional one.

    `startdatum` and `letzter_kontakt` are not for callers to set.
    """

    anrede: AnredeWord = optional(Anrede.HERR.value)
    geschlecht: GeschlechtWord = optional(Geschlecht.KEINE_ANGABE.value)
    vorname: Name = optional("")
    nachname: Name = optional("")
    strasse: Text255 = optional()
    plz: Text10 = optional()
    ort: Text100 = optional()
    email: Email = optional()
    telefon: Text50 = optional()
    hausarzt: Text255 = optional()
    krankenkasse: Text100 = optional()
    krankenversicherungsnummer: Text50 = optional()
    geburtsdatum: Day = optional()
    diagnose: Text50 = optional()
    symptome: FreeText = optional()
    erfahrung_mit_psychotherapie: Flag = optional()
    letzte_sitzung_vorherige_psychotherapie: Day = optional()
    vertraege_unterschrieben: FlagOff = optional(default=False)
    psychotherapeutische_sprechstunde: FlagOff = optional(default=False)
    erster_therapieplatz_am: Day = optional()
    funktionierender_therapieplatz_am: Day = optional()
    status: StatusWord = optional(Patientenstatus.OFFEN.value)
    empfehler_der_unterstuetzung: FreeText = optional()
    zeitliche_verfuegbarkeit: JsonObject = optional({})
    raeumliche_verfuegbarkeit: JsonObject = optional({})
    verkehrsmittel: Text50 = optional()
    offen_fuer_gruppentherapie: FlagOff = optional(default=False)
    offen_fuer_diga: FlagOff = optional(default=False)
    ausgeschlossene_therapeuten: JsonList = optional([])
    bevorzugtes_therapeutengeschlecht: GenderWord = optional(Therapeutgeschlechtspraeferenz.EGAL.value)
    bevorzugtes_therapieverfahren: MethodWord = optional(Therapieverfahren.EGAL.value)


class PatientCreate(PatientUpdate):
    """A new patient; what is left out takes its default."""

    anrede: AnredeWord
    geschlecht: GeschlechtWord
    vorname: Name
    nachname: Name


class PatientOut(BaseModel):
    """A patient as the API returns it and as events carry it."""

    id: int
    anrede: Anrede
    geschlecht: Geschlecht
    vorname: str
    nachname: str
    strasse: str | None
    plz: str | None
    ort: str | None
    email: str | None
    telefon: str | None
    hausarzt: str | None
    krankenkasse: str | None
    krankenversicherungsnummer: str | None
    geburtsdatum: date | None
    diagnose: str | None
    symptome: str | None
    erfahrung_mit_psychotherapie: bool | None
    letzte_sitzung_vorherige_psychotherapie: date | None
    vertraege_unterschrieben: bool
    psychotherapeutische_sprechstunde: bool
    startdatum: date | None
    erster_therapieplatz_am: date | None
    funktionierender_therapieplatz_am: date | None
    status: Patientenstatus
    empfehler_der_unterstuetzung: str | None
    zeitliche_verfuegbarkeit: dict[str, Any]
    raeumliche_verfuegbarkeit: dict[str, Any]
    verkehrsmittel: str | None
    offen_fuer_gruppentherapie: bool
    offen_fuer_diga: bool
    letzter_kontakt: date | None
    ausgeschlossene_therapeuten: list[Any]
    bevorzugtes_therapeutengeschlecht: Therapeutgeschlechtspraeferenz
    bevorzugtes_therapieverfahren: Therapieverfahren
    created_at: datetime
    updated_at: datetime


class ConsentOut(BaseModel):
    """One consent as evidence: the whole section of the file, who gave it when and from where, and by which file."""

    id: int
    patient_id: int
    registration_token: str | None
    registration_timestamp: datetime | None
    given_at: datetime
    ip_address: str | None
    user_agent: str | None
    document: dict[str, Any]
    file_hash: str
    import_id: int
    created_at: datetime


def patient_payload(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row as JSON values, in the fields and order of `PatientOut`."""
    return {
        name: value.isoformat() if isinstance(value := row[name], date) else value for name in PatientOut.model_fields
    }
