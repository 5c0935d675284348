"""What therapists look like on the outside: one schema for input and one for output."""

from collections.abc import Mapping
from datetime import date, datetime
from operator import itemgetter
from typing import Annotated, Any

from pydantic import BaseModel

from shared.fields.validation import (
    Age,
    Day,
    Email,
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
    one_of_or_none,
    optional,
    words_schema,
)
from shared.words.vocabulary import Anrede, Geschlecht, Therapeutstatus

AnredeWord = Annotated[str | None, one_of_or_none(Anrede, "anrede"), words_schema(Anrede, nullable=True)]
GeschlechtWord = Annotated[str, one_of(Geschlecht, "geschlecht"), words_schema(Geschlecht)]
StatusWord = Annotated[str, one_of(Therapeutstatus, "status"), words_schema(Therapeutstatus)]


class TherapistUpdate(Input):
    """Some fields of a therapist: only those sent are written, and null blanks an optional one."""

    anrede: AnredeWord = optional()
    geschlecht: GeschlechtWord = optional(Geschlecht.KEINE_ANGABE.value)
    titel: Text50 = optional()
    vorname: Text100 = optional()
    nachname: Name = optional("")
    strasse: Text255 = optional()
    plz: Text10 = optional()
    ort: Text100 = optional()
    telefon: Text50 = optional()
    fax: Text50 = optional()
    email: Email = optional()
    webseite: Text255 = optional()
    kassensitz: FlagOff = optional(default=False)
    telefonische_erreichbarkeit: JsonObject = optional({})
    fremdsprachen: JsonList = optional([])
    psychotherapieverfahren: JsonList = optional([])
    zusatzqualifikationen: FreeText = optional()
    besondere_leistungsangebote: FreeText = optional()
    letzter_kontakt_email: Day = optional()
    letzter_kontakt_telefon: Day = optional()
    letztes_persoenliches_gespraech: Day = optional()
    potenziell_verfuegbar: FlagOff = optional(default=False)
    potenziell_verfuegbar_notizen: FreeText = optional()
    ueber_curavani_informiert: FlagOff = optional(default=False)
    naechster_kontakt_moeglich: Day = optional()
    bevorzugte_diagnosen: JsonList = optional([])
    alter_min: Age = optional()
    alter_max: Age = optional()
    geschlechtspraeferenz: Text50 = optional()
    arbeitszeiten: JsonObject = optional({})
    bevorzugt_gruppentherapie: FlagOff = optional(default=False)
    status: StatusWord = optional(Therapeutstatus.AKTIV.value)
    sperrgrund: FreeText = optional()
    sperrdatum: Day = optional()


class TherapistCreate(TherapistUpdate):
    """A new therapist; what is left out takes its default."""

    anrede: Annotated[str, one_of(Anrede, "anrede"), words_schema(Anrede)]
    geschlecht: GeschlechtWord
    vorname: Name
    nachname: Name


class TherapistOut(BaseModel):
    """A therapist as the API returns it and as events carry it."""

    id: int
    anrede: Anrede | None
    geschlecht: Geschlecht
    titel: str | None
    vorname: str | None
    nachname: str
    strasse: str | None
    plz: str | None
    ort: str | None
    telefon: str | None
    fax: str | None
    email: str | None
    webseite: str | None
    kassensitz: bool
    telefonische_erreichbarkeit: dict[str, Any]
    fremdsprachen: list[Any]
    psychotherapieverfahren: list[Any]
    zusatzqualifikationen: str | None
    besondere_leistungsangebote: str | None
    letzter_kontakt_email: date | None
    letzter_kontakt_telefon: date | None
    letztes_persoenliches_gespraech: date | None
    potenziell_verfuegbar: bool
    potenziell_verfuegbar_notizen: str | None
    ueber_curavani_informiert: bool
    naechster_kontakt_moeglich: date | None
    bevorzugte_diagnosen: list[Any]
    alter_min: int | None
    alter_max: int | None
    geschlechtspraeferenz: str | None
    arbeitszeiten: dict[str, Any]
    bevorzugt_gruppentherapie: bool
    status: Therapeutstatus
    sperrgrund: str | None
    sperrdatum: date | None
    created_at: datetime
    updated_at: datetime


_FIELDS = tuple(TherapistOut.model_fields)
_VALUES = itemgetter(*_FIELDS)
_DATES = tuple(name for name, field in TherapistOut.model_fields.items() if field.annotation == (date | None))
_TIMES = tuple(name for name, field in TherapistOut.model_fields.items() if field.annotation is datetime)


def therapist_payload(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row as JSON values, in the fields and order of `TherapistOut`; times always with microseconds."""
    payload = dict(zip(_FIELDS, _VALUES(row), strict=True))
    for name in _DATES:
        if payload[name] is not None:
            payload[name] = payload[name].isoformat()
    for name in _TIMES:
        payload[name] = payload[name].isoformat(timespec="microseconds")
    return payload
