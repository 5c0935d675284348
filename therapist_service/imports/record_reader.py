"""Taking texts out of one scraped record: cleaned, repaired or refused, with what is wrong or odd about them.

The ordinary text takes the short way through each check.
"""

import re
from collections.abc import Mapping

from shared.core.errors import Finding
from shared.text.keys import clean_text
from shared.text.strict_json import escaped, is_storable
from shared.words.codes import Code
from therapist_service.imports.repairs import decoded, is_broken, is_clean, is_ordinary, is_placeholder

_RECORD_KEYS = frozenset(
    {"id", "status", "last_modified", "basic_info", "location", "contact"}
    | {"telephone_hours", "languages", "therapy_methods"}
)
_SECTION_KEYS = {
    "basic_info": frozenset({"salutation", "title", "first_name", "last_name", "full_name", "classification"}),
    "location": frozenset({"street", "house_number", "postal_code", "city"}),
    "contact": frozenset({"phone", "email", "fax", "website"}),
}
_DIGIT_BUT_ZERO = re.compile(r"[^\D0]")
_NO_NUMBER = re.compile(r"@|://|\bwww\.", re.IGNORECASE)
_NO_WEBSITE = re.compile(r"[^/]+@[^/]+|[\d\s()+/.-]+")
_KEY_LENGTH = 60  # of a foreign key's name in a pointer


class Reader:
    """Takes texts and sections out of one record and collects what is wrong (`faults`) or odd (`findings`)."""

    __slots__ = ("basic", "contact", "faults", "findings", "index", "location", "raw")

    def __init__(self, raw: dict[str, object], index: int) -> None:
        self.raw = raw
        self.index = index
        self.faults: list[Finding] = []
        self.findings: list[Finding] = []
        if not raw.keys() <= _RECORD_KEYS:
            self._report_unknown(raw, _RECORD_KEYS, "")
        self.basic = self._section("basic_info")
        self.location = self._section("location")
        self.contact = self._section("contact")

    def fault(self, path: str, code: Code) -> None:
        self.faults.append(Finding(f"/therapists/{self.index}{path}", code, self.index))

    def finding(self, path: str, code: Code) -> None:
        self.findings.append(Finding(f"/therapists/{self.index}{path}", code, self.index))

    def text(self, section: Mapping[str, object], path: str, key: str, length: int) -> str | None:
        """The cleaned text, None where it is absent or says nothing; anything but a text of this length is a fault."""
        value = section.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self.fault(f"{path}/{key}", Code.INVALID_TYPE)
            return None
        if len(value) <= length and is_ordinary(value):
            return value
        value = self.repaired(value, f"{path}/{key}")
        if len(value) > length:
            self.fault(f"{path}/{key}", Code.TOO_LONG)
        return self.said(value, path, key)

    def said(self, value: str, path: str, key: str) -> str | None:
        """The cleaned text, None where it says nothing."""
        if is_placeholder(value) and not (key == "last_name" and value.casefold() == "null"):
            self.finding(f"{path}/{key}", Code.PLACEHOLDER)
            return None
        return value or None

    def number(self, key: str) -> str | None:
        """A telephone number, None where there is no digit in it but zeros, or something else stands there."""
        value = self.text(self.contact, "/contact", key, 50)
        if value is None:
            return None
        if not _DIGIT_BUT_ZERO.search(value):
            self.finding(f"/contact/{key}", Code.PLACEHOLDER)
            return None
        return self._in_its_place(value, key, is_foreign=_NO_NUMBER.search(value) is not None)

    def address(self) -> str | None:
        """The website's, None where something else stands there."""
        value = self.text(self.contact, "/contact", "website", 255)
        return value and self._in_its_place(value, "website", is_foreign=_NO_WEBSITE.fullmatch(value) is not None)

    def _in_its_place(self, value: str, key: str, *, is_foreign: bool) -> str | None:
        """A scraper that mixes up its columns must not put a mail address over a telephone number."""
        if is_foreign:
            self.finding(f"/contact/{key}", Code.MISPLACED_VALUE)
            return None
        return value

    def texts(self, value: object, path: str) -> list[str]:
        """The distinct, cleaned texts of a list that say something, in its order."""
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(path, Code.INVALID_TYPE)
            return []
        found: dict[str, None] = {}
        for position, item in enumerate(value):
            if isinstance(item, str) and is_ordinary(item):
                found[item] = None
                continue
            place = f"{path}/{position}"
            if not isinstance(item, str):
                self.fault(place, Code.INVALID_TYPE)
            elif is_placeholder(text := self.repaired(item, place)):
                self.finding(place, Code.PLACEHOLDER)
            else:
                found[text] = None
        found.pop("", None)
        return list(found)

    def repaired(self, text: str, path: str) -> str:
        """The text as its author wrote it; a text of which that cannot be told is a fault."""
        if is_clean(text):
            return text
        plain = decoded(text)
        if plain != text:
            self.finding(path, Code.HTML_ENTITY)
        if is_broken(plain) or not is_storable(plain):
            self.fault(path, Code.INVALID_CHARACTER)
        return clean_text(plain)

    def _section(self, name: str) -> Mapping[str, object]:
        value = self.raw.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(f"/{name}", Code.INVALID_TYPE)
            return {}
        if not value.keys() <= _SECTION_KEYS[name]:
            self._report_unknown(value, _SECTION_KEYS[name], f"/{name}")
        return value

    def _report_unknown(self, section: Mapping[str, object], known: frozenset[str], path: str) -> None:
        for key in sorted(section.keys() - known):
            self.finding(f"{path}/{step(key)}", Code.UNKNOWN_FIELD)


def step(key: str) -> str:
    """A foreign key as a step of a pointer, cut where somebody put a text in a name's place."""
    return escaped(key[:_KEY_LENGTH])
