"""Registrations as the website's form writes them: one JSON document per person, after verification of the e-mail."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, TypedDict

from curavani.demo.samples.people import People, Person

FIRST_SUBMISSION = datetime(2025, 7, 5, 6, 12, 41, tzinfo=UTC)
CONSENT_TEXT = (
    "Ich willige ein, dass Curavani meine Angaben einschließlich der Gesundheitsdaten verarbeitet, um für mich einen "
    "Psychotherapieplatz zu suchen. Die Einwilligung kann ich jederzeit mit Wirkung für die Zukunft widerrufen."
)
_KRANKENKASSEN = (
    "Techniker Krankenkasse",
    "BARMER",
    "DAK-Gesundheit",
    "AOK Rheinland/Hamburg",
    "IKK classic",
    "VIACTIV",
)
_SYMPTOME = (
    "Niedergeschlagenheit, Schlafstörungen",
    "Panikattacken in Bus & Bahn, seit etwa zwei Jahren",
    'Grübeln, Antriebslosigkeit; fühle mich "wie gelähmt"',
    "Zwangsgedanken\nKontrollieren von Herd und Tür",
    "Trauer nach Verlust eines Angehörigen",
)
_EMPFEHLER = ("Hausarztpraxis", "Freundin", "116117", "Beratungsstelle der Hochschule", "")
_BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
)
_HOURS = ("08:00-12:00", "09:00-17:00", "14:00-20:00", "17:00-21:00")
_WEEKDAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag")


Answers = dict[str, object]
"""What somebody filled in, by the form's field names."""


class Document(TypedDict):
    """What the website stores of one registration."""

    patient_data: Answers
    consent_metadata: Mapping[str, object]
    registration_timestamp: str
    registration_token: str


class Submission(NamedTuple):
    """A filled form: the JSON document, and the name under which the website stores it."""

    document: Document
    object_name: str

    def encoded(self) -> bytes:
        return encode(self.document)


def encode(document: Mapping[str, object]) -> bytes:
    """The document as PHP prints it prettily: four spaces, umlauts as they are, slashes escaped."""
    return json.dumps(document, ensure_ascii=False, indent=4).replace("/", "\\/").encode()


def object_name(document: Document, token: str | None = None) -> str:
    """`{lastname}_{firstname}_{date}_{token}.json`, with underscores for the spaces within names."""
    data = document["patient_data"]
    day = document["registration_timestamp"][:10].replace("-", "")
    name = f"{data['nachname']}_{data['vorname']}_{day}_{token or document['registration_token']}"
    return name.replace(" ", "_") + ".json"


class Form:
    """People filling in the form one after the other. Tokens and times never repeat within one form."""

    def __init__(self, seed: int) -> None:
        self.people = People(seed, "registrations")
        self._random = self.people.random
        self._moment = FIRST_SUBMISSION
        self._tokens: set[str] = set()

    def fill(self, person: Person | None = None, **answers: object) -> Submission:
        """A submission by `person` or someone else; `answers` replace fields of `patient_data`."""
        document = self._envelope({**self._answers(person or self.people.person()), **answers})
        return Submission(document, object_name(document))

    def refill(self, earlier: Submission, **answers: object) -> Submission:
        """The same person registering again, later, with other answers: a token and a consent of its own."""
        document = self._envelope({**earlier.document["patient_data"], **answers})
        return Submission(document, object_name(document))

    def new_token(self) -> str:
        token = f"{self._random.getrandbits(32):08x}"
        if token in self._tokens:
            return self.new_token()
        self._tokens.add(token)
        return token

    def _envelope(self, answers: Answers) -> Document:
        self._moment += timedelta(seconds=self._random.randint(40, 9000))
        return {
            "patient_data": answers,
            "consent_metadata": self._consent(),
            "registration_timestamp": self._moment.strftime("%Y-%m-%d %H:%M:%S"),
            "registration_token": self.new_token(),
        }

    def _consent(self) -> Mapping[str, object]:
        return {
            "ip_address": self._ip_address(),
            "user_agent": self._random.choice(_BROWSERS),
            "timestamp_utc": self._moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "consent_version": "2025-06",
            "consent_text": CONSENT_TEXT,
            "datenschutz_akzeptiert": True,
            "form_url": "https://www.curavani.com/registrieren",
        }

    def _ip_address(self) -> str:
        """An address of the ranges kept for documentation."""
        if self._random.random() < 0.3:
            return f"2001:db8::{self._random.getrandbits(16):x}"
        return f"{self._random.choice(('192.0.2', '198.51.100', '203.0.113'))}.{self._random.randint(1, 254)}"

    def _answers(self, person: Person) -> Answers:
        return {**self._identity(person), **self._insurance(), **self._experience(), **self._preferences()}

    def _identity(self, person: Person) -> Answers:
        address = self.people.address()
        usual = "männlich" if person.anrede == "Herr" else "weiblich"
        return {
            "anrede": person.anrede,
            "geschlecht": self._random.choices((usual, "divers", "keine_Angabe"), (94, 3, 3))[0],
            "vorname": person.vorname,
            "nachname": person.nachname,
            "geburtsdatum": self._day(date(1948, 1, 1), date(2007, 1, 1)),
            "strasse": f"{address.street} {address.house_number}",
            "plz": address.postal_code,
            "ort": address.city,
            "email": self.people.email(person),
            "telefon": self.people.mobile(),
        }

    def _insurance(self) -> Answers:
        letter = self._random.choice("ABCDEFGHKLMNPRSTUVWXYZ")
        return {
            "hausarzt": f"Dr. {self.people.person().nachname}, {self.people.place().city}",
            "krankenkasse": self._random.choice(_KRANKENKASSEN),
            "krankenversicherungsnummer": f"{letter}{self._random.randint(0, 999_999_999):09d}",
        }

    def _experience(self) -> Answers:
        experienced = self._random.random() < 0.4
        consultation = self._random.choice(("hat_ptv11", "psychotherapeutische_sprechstunde"))
        return {
            "symptome": self._random.choice(_SYMPTOME),
            "erfahrung_mit_psychotherapie": experienced,
            "letzte_sitzung_vorherige_psychotherapie": self._last_session() if experienced else "",
            consultation: self._random.random() < 0.7,
            "empfehler_der_unterstuetzung": self._random.choice(_EMPFEHLER),
        }

    def _preferences(self) -> Answers:
        days = sorted(self._random.sample(_WEEKDAYS, self._random.randint(1, 5)), key=_WEEKDAYS.index)
        return {
            "zeitliche_verfuegbarkeit": {day: [self._random.choice(_HOURS)] for day in days},
            "raeumliche_verfuegbarkeit": {"max_km": self._random.choice((5, 10, 25, 50))},
            "verkehrsmittel": self._random.choice(("Auto", "ÖPNV", "Fahrrad", "")),
            "offen_fuer_gruppentherapie": self._random.random() < 0.5,
            "offen_fuer_diga": self._random.random() < 0.5,
            "bevorzugtes_therapeutengeschlecht": self._random.choice(("Egal", "Egal", "Weiblich", "Männlich")),
            "bevorzugtes_therapieverfahren": self._random.choice(
                ("egal", "Verhaltenstherapie", "tiefenpsychologisch_fundierte_Psychotherapie")
            ),
        }

    def _last_session(self) -> str:
        return self._day(date(2012, 1, 1), date(2025, 3, 1))

    def _day(self, first: date, last: date) -> str:
        return (first + timedelta(days=self._random.randrange((last - first).days))).isoformat()
