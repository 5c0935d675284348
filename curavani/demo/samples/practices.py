"""Invented practices as records of the 116117 search.

Faker is asked once for pools of names and streets; after that a record costs a handful of random numbers, so that the
sixty thousand of a whole country take seconds.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import TypedDict

from curavani.demo.samples.people import AWKWARD_LAST_NAMES, People, ascii_word, seeded
from curavani.demo.samples.places import AACHEN, Place
from shared.text.keys import name_key

_POOL = 600
_HAPPENINGS = ("phone", "address", "name", "absent", "deleted", "new")
_HAPPENING_WEIGHTS = (40, 20, 10, 5, 10, 15)
_TITLES = ("Dipl.-Psych.", "Dr.", "Dr. med.", "Dr. phil.", "Dr. rer. nat.", "M. Sc.", "Prof. Dr.")
_CLASSIFICATIONS = (
    "Psychotherapie: Ärztliche Psychotherapie",
    "Psychotherapie: Psychologische Psychotherapie",
)
_FOR_CHILDREN = "Psychotherapie: Kinder- und Jugendlichenpsychotherapie"
_PROCEDURES = (
    "Verhaltenstherapie",
    "Tiefenpsychologisch fundierte Psychotherapie",
    "Analytische Psychotherapie",
    "Systemische Therapie",
)
_PROCEDURE_WEIGHTS = (50, 33, 11, 6)
_ADULTS = "für Erwachsene in"
_CHILDREN = "für Kinder und Jugendliche in"
_HOURS = ("08:00-08:50", "09:00-10:00", "10:00-12:00", "12:15-13:05", "13:00-14:00", "17:00-18:00")
_WEEKDAYS = ("montag", "dienstag", "mittwoch", "donnerstag", "freitag")
_LANGUAGES = ("Englisch", "Französisch", "Türkisch", "Russisch", "Polnisch", "Arabisch", "Niederländisch", "Griechisch")


class BasicInfo(TypedDict):
    salutation: str
    title: str
    first_name: str
    last_name: str
    full_name: str
    classification: str


class Street(TypedDict):
    street: str
    house_number: str


class Location(Street):
    postal_code: str
    city: str


class Contact(TypedDict):
    phone: str
    email: str
    fax: str
    website: str


class Record(TypedDict):
    """A practice in the words of the search."""

    id: str
    status: str
    last_modified: str
    basic_info: BasicInfo
    location: Location
    contact: Contact
    telephone_hours: dict[str, list[str]]
    languages: list[str]
    therapy_methods: list[str]


class Metadata(TypedDict):
    scrape_id: str
    scrape_date: str
    postcode_area: str
    total_therapists: int
    new_therapists: int
    modified_therapists: int
    deleted_therapists: int


class Document(TypedDict):
    """A file of the scraper."""

    metadata: Metadata
    therapists: list[Record]


def area_of(code: str) -> str:
    """The area that is searched for this postal code."""
    return f"{code[:2]}XXX"


class Practices:
    """An endless, reproducible supply of therapists; no two of one area share their whole name or their id."""

    def __init__(self, seed: int, purpose: str) -> None:
        people = People(seed, purpose)
        drawn = [people.person() for _ in range(_POOL)]
        self._first_names = {
            "Herr": sorted({person.vorname for person in drawn if person.anrede == "Herr"}),
            "Frau": sorted({person.vorname for person in drawn if person.anrede == "Frau"}),
        }
        self._last_names = sorted({person.nachname for person in drawn} | set(AWKWARD_LAST_NAMES))
        self._streets = sorted({people.address(AACHEN).street for _ in range(_POOL)})
        self._random = seeded(seed, purpose, "records")
        self._names: dict[str, set[str]] = {}
        self._ids: Counter[str] = Counter()
        self._made = 0

    def records(self, code: str, place: Place, size: int, day: date) -> list[Record]:
        """`size` people who are new in the scrape of that day."""
        moment = self.moment(day).isoformat()
        return [self.record(code, place, moment) for _ in range(size)]

    def record(self, code: str, place: Place, moment: str) -> Record:
        """Somebody new in this postal code, with the next id of its area."""
        area = area_of(code)
        self._ids[area] += 1
        self._made += 1
        methods = self._methods()
        basic = self._basic_info(area, for_adults=any(_ADULTS in method for method in methods))
        return {
            "id": f"praxis{self._ids[area]}",
            "status": "new",
            "last_modified": moment,
            "basic_info": basic,
            "location": {**self._address(), "postal_code": code, "city": place.city},
            "contact": self._contact(basic["last_name"], place.area_code),
            "telephone_hours": self._hours(),
            "languages": self._some(_LANGUAGES, 0.35, 3),
            "therapy_methods": methods,
        }

    def reserve(self, document: Document) -> None:
        """Counts the names and ids of an earlier scrape as taken."""
        area = document["metadata"]["postcode_area"]
        taken = self._names.setdefault(area, set())
        for record in document["therapists"]:
            basic = record["basic_info"]
            taken.add(name_key(basic["first_name"], basic["last_name"]))
            self._ids[area] = max(self._ids[area], int(record["id"].removeprefix("praxis")))

    def moment(self, day: date) -> datetime:
        """A moment of that night, without a zone as the scraper writes it."""
        return datetime.combine(day, time(3)) + timedelta(microseconds=self._random.randrange(3_600_000_000))

    def a_week_later(
        self, record: Record, code: str, place: Place, moment: datetime, share: float, *, may_go: bool
    ) -> list[Record]:
        """What the next scrape has in the place of `record`, changed with the probability `share`.

        Nothing, if the practice has vanished; the record and a newcomer; or marked as deleted, if it `may_go`.
        """
        if self._random.random() >= share:
            return [record | {"status": "unchanged"}]
        word = self._random.choices(_HAPPENINGS, _HAPPENING_WEIGHTS)[0]
        if word == "absent":
            return []
        if word == "new":
            return [record | {"status": "unchanged"}, self.record(code, place, moment.isoformat())]
        if word == "deleted" and may_go:
            return [record | {"status": "deleted", "last_modified": moment.isoformat()}]
        changed = copy.deepcopy(record) | {"status": "modified", "last_modified": moment.isoformat()}
        if word == "address":
            changed["location"] = {**changed["location"], **self._address()}
        elif word == "name" and changed["basic_info"]["first_name"]:
            self._rename(changed["basic_info"], area_of(code))
        else:
            changed["contact"]["phone"] = self._landline(place.area_code)
        return [changed]

    def _rename(self, basic: BasicInfo, area: str) -> None:
        basic["last_name"] = self._unused(area, basic["first_name"])
        basic["full_name"] = f"{basic['first_name']} {basic['last_name']}"

    def _basic_info(self, area: str, *, for_adults: bool) -> BasicInfo:
        random = self._random
        salutation = random.choices(("Herr", "Frau"), (30, 70))[0]
        first = "" if random.random() < 0.004 else random.choice(self._first_names[salutation])
        last = self._unused(area, first)
        return {
            "salutation": "" if random.random() < 0.03 else salutation,
            "title": random.choice(_TITLES) if random.random() < 0.45 else "",
            "first_name": first,
            "last_name": last,
            "full_name": f"{first} {last}".strip(),
            "classification": random.choice(_CLASSIFICATIONS) if for_adults else _FOR_CHILDREN,
        }

    def _unused(self, area: str, first: str) -> str:
        """A last name that makes a name nobody else of the area has, whatever its spelling."""
        taken = self._names.setdefault(area, set())
        while True:
            last = self._last_name()
            key = name_key(first, last)
            if key not in taken:
                taken.add(key)
                return last

    def _last_name(self) -> str:
        choice = self._random.choice
        if self._random.random() >= 0.12:
            return choice(self._last_names)
        hyphen = " -" if self._random.random() < 0.04 else "-"
        return f"{choice(self._last_names)}{hyphen}{choice(self._last_names)}"

    def _address(self) -> Street:
        number = f"{self._random.randint(1, 180)}{self._random.choice(('', '', '', 'a', 'b'))}"
        return {"street": self._random.choice(self._streets), "house_number": number}

    def _contact(self, last: str, area_code: str) -> Contact:
        chance = self._random.random
        word = ascii_word(last)
        return {
            "phone": self._landline(area_code) if chance() < 0.97 else "",
            "email": f"praxis.{word}{self._made}@example.com" if chance() < 0.4 else "",
            "fax": self._landline(area_code) if chance() < 0.55 else "",
            "website": f"https://www.example.com/praxis-{word}/" if chance() < 0.3 else "",
        }

    def _landline(self, area_code: str) -> str:
        number = self._random.randint(200000, 9899999)
        return f"{self._random.choice(('+49 ', '+49 ', '0'))}{area_code} {number}"

    def _hours(self) -> dict[str, list[str]]:
        return {day: self._some(_HOURS, 1, 2) for day in self._some(_WEEKDAYS, 0.8, 4)}

    def _methods(self) -> list[str]:
        """Sentences as the search writes them, of one procedure or two; one practice in seven is for children only."""
        random = self._random
        groups = random.choices(((_ADULTS,), (_CHILDREN,), (_ADULTS, _CHILDREN)), (75, 14, 11))[0]
        settings = ("Einzeltherapie", "Gruppentherapie") if random.random() < 0.3 else ("Einzeltherapie",)
        procedures = random.choices(_PROCEDURES, _PROCEDURE_WEIGHTS, k=2 if random.random() < 0.15 else 1)
        return [f"{name} {who} {how}" for name in dict.fromkeys(procedures) for who in groups for how in settings]

    def _some(self, items: Sequence[str], chance: float, most: int) -> list[str]:
        """With this chance one to `most` of the items, in their order."""
        if self._random.random() >= chance:
            return []
        chosen = set(self._random.sample(items, self._random.randint(1, most)))
        return [item for item in items if item in chosen]
