"""Invented people: names with the difficulties of real ones, postal and e-mail addresses, phone numbers."""

import random
import unicodedata
from typing import NamedTuple

from faker import Faker

from curavani.demo.samples.places import PLACES, Place

# Names that programs stumble over. Each supply of people hands them out in turn, so that every sample has some.
AWKWARD_LAST_NAMES = (
    "Müller-Lüdenscheidt",
    "von der Heide",
    "Null",
    "Weiß",
    "O'Brien",
    "Özdemir",
    "Łukaszewski",
    "Nguyễn",
    "de la Cruz Grün",
    "Bärenthal-Schönfuß",
)
AWKWARD_FIRST_NAMES = ("Jörg", "Anna Maria", "Karl-Heinz", "Zoë", "Günther", "Änne", "Marie-Thérèse")
_AWKWARD_EVERY = 7
_MAIL_DOMAINS = ("example.com", "example.org", "example.net", "post.example.com", "mail.example.org")
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ł": "l", "đ": "d", "ø": "o"})


class Address(NamedTuple):
    street: str
    house_number: str
    postal_code: str
    city: str


class Person(NamedTuple):
    anrede: str
    vorname: str
    nachname: str


def seeded(*parts: object) -> random.Random:
    """A generator of its own for this purpose: the same parts, the same numbers, whatever else is drawn."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 - has to be reproducible, guards nothing


def ascii_word(name: str) -> str:
    """`name` in lower-case ASCII letters, umlauts spelled out, for e-mail addresses."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_SPELLED_OUT))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())


class People:
    """An endless, reproducible supply of invented people."""

    def __init__(self, seed: int, purpose: str) -> None:
        self.random = seeded(seed, purpose)
        self._faker = Faker("de_DE")
        self._faker.seed_instance(self.random.getrandbits(32))
        self._handed_out = 0

    def person(self) -> Person:
        number = self._handed_out
        self._handed_out += 1
        anrede = self.random.choice(("Herr", "Frau"))
        male = anrede == "Herr"
        vorname = self._faker.first_name_male() if male else self._faker.first_name_female()
        nachname = self._faker.last_name()
        turn, rest = divmod(number, _AWKWARD_EVERY)
        if rest == 2:
            nachname = AWKWARD_LAST_NAMES[turn % len(AWKWARD_LAST_NAMES)]
        if rest == 5:
            vorname = AWKWARD_FIRST_NAMES[turn % len(AWKWARD_FIRST_NAMES)]
        return Person(anrede, vorname, nachname)

    def address(self, place: Place | None = None, postal_code: str | None = None) -> Address:
        """An address anywhere, or in `place`, or under one of its postal codes."""
        where = place or self.random.choice(PLACES)
        code = postal_code or self.random.choice(where.postal_codes)
        return Address(self._faker.street_name(), self.house_number(), code, where.city)

    def house_number(self) -> str:
        return f"{self.random.randint(1, 180)}{self.random.choice(('', '', '', 'a', 'b'))}"

    def place(self) -> Place:
        return self.random.choice(PLACES)

    def email(self, person: Person) -> str:
        local = f"{ascii_word(person.vorname)}.{ascii_word(person.nachname)}{self.random.randint(1, 9999)}"
        return f"{local}@{self.random.choice(_MAIL_DOMAINS)}"

    def mobile(self) -> str:
        """A number of a block that the regulator keeps free for films and books."""
        return f"{self.random.choice(('0171 39200', '0172 99259', '0176 040690'))}{self.random.randint(0, 99):02d}"
