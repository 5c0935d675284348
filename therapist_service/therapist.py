"""A therapist: every field, declared once. CONTRIBUTING.md says what else a further one needs."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum, auto

from shared.fields.declaration import (
    Age,
    BigNumber,
    Data,
    Day,
    Email,
    Flag,
    FreeText,
    JsonList,
    JsonObject,
    Keys,
    Moment,
    Owner,
    RowNumber,
    Text,
    Word,
    field,
    fields_of,
)
from shared.words.vocabulary import Anrede, Geschlecht, Therapeutstatus


class Group(StrEnum):
    """The headings of a therapist's page, in their order."""

    PERSON = auto()
    CONTACT = auto()
    PRACTICE = auto()
    OUR_CONTACT = auto()
    WISHES = auto()
    STATE = auto()
    SOURCE = auto()


SOURCE, STAFF, TECHNICAL = Owner.SOURCE, Owner.STAFF, Owner.TECHNICAL
PERSON, NOBODY = Data.PERSON, Data.TECHNICAL


# fmt: off
@dataclass(frozen=True, kw_only=True)
class Therapist:
    """A therapist as the table holds them; words are texts. `required` ones may be blanked later if they may be empty."""

    id: int = field(RowNumber(), owner=TECHNICAL, data=NOBODY, announced=True)
    anrede: str | None = field(Word(Anrede), "Anrede", Group.PERSON, owner=SOURCE, data=PERSON, required=True)
    geschlecht: str = field(Word(Geschlecht), "Geschlecht", Group.PERSON, owner=SOURCE, data=PERSON, required=True)
    titel: str | None = field(Text(50), "Titel", Group.PERSON, owner=SOURCE, data=PERSON)
    vorname: str | None = field(Text(100), "Vorname", Group.PERSON, owner=SOURCE, data=PERSON, required=True, searched=True)
    nachname: str = field(Text(100), "Nachname", Group.PERSON, owner=SOURCE, data=PERSON, required=True, searched=True)
    strasse: str | None = field(Text(255), "Straße", Group.CONTACT, owner=SOURCE, data=PERSON)
    plz: str | None = field(Text(10), "PLZ", Group.CONTACT, owner=SOURCE, data=PERSON, searched=True)
    ort: str | None = field(Text(100), "Ort", Group.CONTACT, owner=SOURCE, data=PERSON, searched=True)
    telefon: str | None = field(Text(50), "Telefon", Group.CONTACT, owner=SOURCE, data=PERSON, searched=True)
    fax: str | None = field(Text(50), "Fax", Group.CONTACT, owner=SOURCE, data=PERSON)
    email: str | None = field(Email(), "E-Mail", Group.CONTACT, owner=SOURCE, data=PERSON, searched=True)
    webseite: str | None = field(Text(255), "Webseite", Group.CONTACT, owner=SOURCE, data=PERSON)
    kassensitz: bool = field(Flag(), "Kassensitz", Group.PRACTICE, owner=STAFF, data=PERSON)
    telefonische_erreichbarkeit: dict[str, object] = field(JsonObject(), "Telefonische Erreichbarkeit", Group.PRACTICE, owner=SOURCE, data=PERSON)
    fremdsprachen: list[object] = field(JsonList(), "Fremdsprachen", Group.PRACTICE, owner=SOURCE, data=PERSON)
    psychotherapieverfahren: list[object] = field(JsonList(), "Psychotherapieverfahren", Group.PRACTICE, owner=SOURCE, data=PERSON)
    zusatzqualifikationen: str | None = field(FreeText(), "Zusatzqualifikationen", Group.PRACTICE, owner=STAFF, data=PERSON)
    besondere_leistungsangebote: str | None = field(FreeText(), "Besondere Leistungsangebote", Group.PRACTICE, owner=STAFF, data=PERSON)
    letzter_kontakt_email: date | None = field(Day(), "Letzter Kontakt per E-Mail", Group.OUR_CONTACT, owner=STAFF, data=PERSON)
    letzter_kontakt_telefon: date | None = field(Day(), "Letzter Kontakt per Telefon", Group.OUR_CONTACT, owner=STAFF, data=PERSON)
    letztes_persoenliches_gespraech: date | None = field(Day(), "Letztes persönliches Gespräch", Group.OUR_CONTACT, owner=STAFF, data=PERSON)
    potenziell_verfuegbar: bool = field(Flag(), "Potenziell verfügbar", Group.OUR_CONTACT, owner=STAFF, data=PERSON)
    potenziell_verfuegbar_notizen: str | None = field(FreeText(), "Potenziell verfügbar: Notizen", Group.OUR_CONTACT, owner=STAFF, data=PERSON)
    ueber_curavani_informiert: bool = field(Flag(), "Über Curavani informiert", Group.OUR_CONTACT, owner=STAFF, data=PERSON)
    naechster_kontakt_moeglich: date | None = field(Day(), "Nächster Kontakt möglich", Group.OUR_CONTACT, owner=STAFF, data=PERSON)
    bevorzugte_diagnosen: list[object] = field(JsonList(), "Bevorzugte Diagnosen", Group.WISHES, owner=STAFF, data=PERSON)
    alter_min: int | None = field(Age(), "Alter von", Group.WISHES, owner=STAFF, data=PERSON)
    alter_max: int | None = field(Age(), "Alter bis", Group.WISHES, owner=STAFF, data=PERSON)
    geschlechtspraeferenz: str | None = field(Text(50), "Geschlechtspräferenz", Group.WISHES, owner=STAFF, data=PERSON)
    arbeitszeiten: dict[str, object] = field(JsonObject(), "Arbeitszeiten", Group.WISHES, owner=STAFF, data=PERSON)
    bevorzugt_gruppentherapie: bool = field(Flag(), "Bevorzugt Gruppentherapie", Group.WISHES, owner=STAFF, data=PERSON)
    status: str = field(Word(Therapeutstatus), "Status", Group.STATE, owner=STAFF, data=PERSON, default=Therapeutstatus.AKTIV)
    sperrgrund: str | None = field(FreeText(), "Sperrgrund", Group.STATE, owner=STAFF, data=PERSON)
    sperrdatum: date | None = field(Day(), "Sperrdatum", Group.STATE, owner=STAFF, data=PERSON)
    created_at: datetime = field(Moment(), owner=TECHNICAL, data=NOBODY, announced=True)
    updated_at: datetime = field(Moment(), owner=TECHNICAL, data=NOBODY, announced=True)
    external_id: str | None = field(Text(), "Kennung", Group.SOURCE, owner=TECHNICAL, data=NOBODY)
    source_area: str | None = field(Text(), owner=TECHNICAL, data=NOBODY)
    source_zip: str | None = field(Text(5), "PLZ der Datei", Group.SOURCE, owner=TECHNICAL, data=NOBODY)
    source_record: dict[str, object] | None = field(JsonObject(), owner=TECHNICAL, data=PERSON)
    source_raw: dict[str, object] | None = field(JsonObject(), owner=TECHNICAL, data=PERSON)
    source_hash: str | None = field(Text(64), owner=TECHNICAL, data=NOBODY)
    source_seen_at: datetime | None = field(Moment(), "Zuletzt genannt", Group.SOURCE, owner=TECHNICAL, data=NOBODY)
    source_removed_at: datetime | None = field(Moment(), "Weggefallen", Group.SOURCE, owner=TECHNICAL, data=NOBODY)
    # Whose file had the word about this practice last, among those of a day that list it (`imports/word.py`), and when.
    source_word_zip: str | None = field(Text(5), owner=TECHNICAL, data=NOBODY)
    source_word_at: datetime | None = field(Moment(), owner=TECHNICAL, data=NOBODY)
    # The postal code the source gave last: staff may have corrected `plz`, the person is still found by the old one.
    source_plz: str | None = field(Text(10), owner=TECHNICAL, data=PERSON)
    # The import that listed this row last: within one file a row is claimed once, without keeping the claims in memory.
    source_import_id: int | None = field(BigNumber(), owner=TECHNICAL, data=NOBODY)
    search_key: str = field(Text(), owner=TECHNICAL, data=PERSON, default="")
    # By what the import finds the row (`imports/traits.py`); null where a program without keys has written it.
    last_key: str | None = field(Text(), owner=TECHNICAL, data=PERSON)
    first_key: str | None = field(Text(), owner=TECHNICAL, data=PERSON)
    mail_key: str | None = field(Text(), owner=TECHNICAL, data=PERSON)
    line_key: str | None = field(Text(), owner=TECHNICAL, data=PERSON)
    other_keys: list[str] | None = field(Keys(), owner=TECHNICAL, data=PERSON)
# fmt: on


THERAPIST = fields_of(Therapist)
MAPPED_FIELDS = THERAPIST.owned_by(Owner.SOURCE)
"""The columns that the source describes. An import writes no other content of a row that exists."""
