"""What somebody types to find a person, a file or a decision, taken apart. Pure rules.

Callers say their name in either order, their birthday as they write it and their phone number without its country code;
people here say "P18", "PE3" or "Patient 15".
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from itertools import groupby

from shared.core.clock import today
from shared.text.keys import composed, search_key, search_words

LONGEST_SEARCH = 1000
MOST_WORDS = 20
"""Each word is one look through all that is searched."""

_MONTHS = (
    *("januar", "februar", "maerz", "april", "mai", "juni"),
    *("juli", "august", "september", "oktober", "november", "dezember"),
)
_ISO_DAY = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_GERMAN_DAY = re.compile(r"\b(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4}|\d{2})(?![\d.])")
_SPELLED_DAY = re.compile(r"\b(\d{1,2})\.?\s*(" + "|".join(_MONTHS).replace("maerz", "märz|maerz") + r")\s+(\d{4})\b")
_BETWEEN = re.compile(r"[\s,;]+")
_PHONE_WORD = re.compile(r"[+(]*\d[\d()/.\-]*")
_NO_DIGIT = re.compile(r"\D")
_COUNTRY = re.compile(r"^(?:(?:00|\+)490?|0)")
_LEAST_DIGITS = 4
_NUMBER = re.compile(
    r"(?:(?P<patient>patient(?:in)?)|(?P<therapist>therapeut(?:in)?|therapist|praxis)|(?P<person>person)"
    r"|(?P<file>datei|file|import)|(?P<review>entscheidung|decision)|nr\.?|nummer|number|\#)?\s*"
    r"(?:(?P<service>[pt])\s*(?P<decision>e)?)?\s*(?P<digits>\d{1,10})",
    re.IGNORECASE,
)
_SAID_BESIDE = frozenset({"frau", "herr", "herrn", "dr", "dr.", "geb", "geb.", "geboren", "am", "*"})
"""What goes with a name or a day and is looked for in nobody."""


class Numbered(Enum):
    """What a number may be one of."""

    PERSON = auto()
    FILE = auto()
    REVIEW = auto()


@dataclass(frozen=True, slots=True)
class Reference:
    """A number that was asked for: of what, and of which service (`P` or `T`) where that was said."""

    number: int
    kinds: frozenset[Numbered]
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """Words that have to occur all; or, of a run of digits, `digits` that occur in a phone number."""

    words: tuple[str, ...]
    digits: str | None = None


@dataclass(frozen=True, slots=True)
class Sought:
    """What to look for: every term, and somebody born on one of the days where there are any."""

    terms: tuple[Term, ...] = ()
    days: tuple[date, ...] = ()
    reference: Reference | None = None

    def fits(self, text: str, phone: str | None, born: date | None) -> bool:
        """Whether it is this person, of whom `text` holds all that a search looks in."""
        key, digits = search_key(text) or "", _NO_DIGIT.sub("", phone or "")
        return (not self.days or born in self.days) and all(
            all(word in key for word in term.words) or bool(term.digits and term.digits in digits)
            for term in self.terms
        )


def is_too_long(text: str) -> bool:
    """Whether so much is asked that nothing is computed of it."""
    return len(text) > LONGEST_SEARCH or len(_words(text)) > MOST_WORDS


def read_search(text: str) -> Sought:
    """What the text asks for. The caller has seen that it is not too long."""
    days: list[date] = []
    rest = composed(text).casefold()
    for pattern in (_ISO_DAY, _GERMAN_DAY, _SPELLED_DAY):
        rest = pattern.sub(lambda match: "" if _keep(days, match) else match[0], rest)
    words = _words(rest)
    told = [word for word in words if word not in _SAID_BESIDE]
    return Sought(tuple(_terms(told if told or days else words)), tuple(days), _reference(text.strip()))


def _words(text: str) -> list[str]:
    return [word for word in _BETWEEN.split(text) if word]


def _terms(words: Sequence[str]) -> Iterator[Term]:
    for is_phone, run in groupby(words, lambda word: _PHONE_WORD.fullmatch(word) is not None):
        if is_phone:
            yield _of_digits(tuple(run))
        else:
            yield from (Term(tuple(_spelled_out(word))) for word in run if _spelled_out(word))


def _of_digits(run: tuple[str, ...]) -> Term:
    joined = "".join(run).replace("(0)", "")
    plain = ("+" if joined.startswith("+") else "") + _NO_DIGIT.sub("", joined)
    digits = _COUNTRY.sub("", plain).removeprefix("+")
    return Term(run, digits if len(digits) >= _LEAST_DIGITS else None)


def _spelled_out(word: str) -> list[str]:
    """A hyphen in a name may be written or not; in an address of mail it is a letter like others."""
    return search_words(word if "@" in word else word.replace("-", " "))


def _keep(days: list[date], match: re.Match[str]) -> bool:
    """Adds the day, or both that two digits of a year can mean; false for a day that there is not."""
    first, second, third = match.groups()
    if match.re is _ISO_DAY:
        years, month, day = [int(first)], int(second), int(third)
    else:
        month = int(second) if second.isdecimal() else _MONTHS.index(second.replace("ä", "ae")) + 1
        years, day = [int(third)] if len(third) == 4 else [1900 + int(third), 2000 + int(third)], int(first)
    found = [made for year in years if (made := _day(year, month, day)) is not None]
    days += found
    return bool(found)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        made = date(year, month, day)
    except ValueError:
        return None
    return made if made <= today() else None


def _reference(text: str) -> Reference | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    number, prefix = int(match["digits"]), match["service"] and match["service"].upper()
    for word, of_service in (("patient", "P"), ("therapist", "T"), ("person", None)):
        if match[word]:
            return Reference(number, frozenset({Numbered.PERSON}), of_service)
    if match["review"] or match["decision"]:
        return Reference(number, frozenset({Numbered.REVIEW}), prefix)
    if match["file"] or prefix:
        return Reference(number, frozenset({Numbered.FILE}), prefix)
    return Reference(number, frozenset(Numbered))
