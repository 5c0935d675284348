"""What people are compared and looked up by: the keys of a record or a row."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypedDict

from shared.fields.declaration import Row
from shared.text.keys import compact_key, email_key, line_key
from therapist_service.imports.names import first_name_key, first_name_parts, last_name_key, street_key

_title_key = lru_cache(maxsize=256)(compact_key)
# A new row is looked up by what its record was compared by.
_email_key = lru_cache(maxsize=4096)(email_key)
_line_key = lru_cache(maxsize=4096)(line_key)
_DIGIT = re.compile(r"\d")
_IN_KEYS = ("plz", "nachname", "vorname", "email", "telefon")


@dataclass(frozen=True)
class Traits:
    """The keys by which people are compared, computed once per record or row; None where there is no value.

    `first_parts` are those of the first name. `street` includes the house number; `numbered` says whether it has one,
    and so is a full address with `zip`. `line` is the telephone's.
    """

    last: str | None
    first: str | None
    first_parts: tuple[str, ...]
    title: str | None
    street: str | None
    numbered: bool
    zip: str | None
    email: str | None
    line: str | None

    @cached_property
    def name_keys(self) -> tuple[str, ...]:
        """The names under its postal code by which a record is looked up, also with first and last name swapped."""
        last, first = self.last, self.first
        names = (last, first, last and last.replace(" ", ""), " ".join(self.first_parts))
        return tuple(dict.fromkeys(key for name in names if (key := _key(self.zip, name))))

    @cached_property
    def contact_keys(self) -> tuple[str, ...]:
        """The last name with e-mail and telephone, by which a record is looked up."""
        return tuple(key for contact in (self.email, self.line) if (key := _key(self.last, contact)))


class Keys(TypedDict):
    """By what a row is found, as its columns hold it: a name under a postal code, a last name with e-mail or telephone.

    All but `other_keys` are of what the row says now; these are what else it goes by because the source said it last;
    empty or null where there is none.
    """

    last_key: str
    first_key: str
    mail_key: str
    line_key: str
    other_keys: list[str] | None


def traits_of(fields: Row) -> Traits:
    """The traits of mapped columns, be they a record's, a row's, or what was kept of the source."""
    street = fields.get("strasse")
    return Traits(
        last=last_name_key(fields.get("nachname")),
        first=first_name_key(fields.get("vorname")),
        first_parts=first_name_parts(fields.get("vorname")),
        title=_title_key(fields.get("titel")),
        street=street_key(street),
        numbered=has_number(street),
        zip=fields.get("plz") or None,
        email=_email_key(fields.get("email")),
        line=_line_key(fields.get("telefon")),
    )


def has_number(street: str | None) -> bool:
    """Whether a house number stands in it, and with a postal code it is a full address."""
    return street is not None and _DIGIT.search(street) is not None


def look_up_keys(current: Row, said: Row | None) -> Keys:
    """The keys of a row, which says `current`, and of which the source `said` that last.

    Every rule but the id asks for a last or a first name under the same postal code, or for a last name with the same
    e-mail or telephone, so whoever shares none of these with a record is nobody that it could mean.
    """
    last, first = (_key(current.get("plz"), name) for name in _names(current))
    mail, line = (_key(_names(current)[0], contact) for contact in _contacts(current))
    keys: Keys = {"last_key": last, "first_key": first, "mail_key": mail, "line_key": line, "other_keys": None}
    if not said or all(current.get(name) == said.get(name) for name in _IN_KEYS):
        return keys
    versions = (current, said)
    zips, names = {version.get("plz") for version in versions}, {name for each in versions for name in _names(each)}
    others = {_key(zip_code, name) for zip_code in zips for name in names}
    contacts = {contact for each in versions for contact in _contacts(each)}
    others |= {_key(_names(each)[0], contact) for each in versions for contact in contacts}
    keys["other_keys"] = sorted(others - {last, first, mail, line, ""}) or None
    return keys


def _names(version: Row) -> tuple[str | None, str | None]:
    return last_name_key(version.get("nachname")), first_name_key(version.get("vorname"))


def _contacts(version: Row) -> tuple[str | None, str | None]:
    return _email_key(version.get("email")), _line_key(version.get("telefon"))


def _key(first: str | None, second: str | None) -> str:
    return f"{first}|{second}" if first and second else ""
