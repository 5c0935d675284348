"""Who a scraped record is: which row, if any, describes the same therapist.

The source's ids look like positions in a list. They propose a row and settle a tie, but what decides is the person:
name, address, title, e-mail. Each comparison holds against what the row says now or what the source said of it last,
because staff may have corrected either. An empty value equals nothing, with the one exception of the title.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypedDict

from shared.fields.declaration import Row
from shared.text.keys import compact_key, email_key, name_key_part

# The same names and titles come again and again, from row to row and from week to week.
last_name_key = lru_cache(maxsize=16_384)(name_key_part)
first_name_key = lru_cache(maxsize=16_384)(compact_key)
_title_key = lru_cache(maxsize=256)(compact_key)

Rule = Literal["exact", "id", "name", "compound", "renamed", "answered", "duplicate_in_file", "ambiguous", "none"]

_STREET_ENDING = re.compile(r"str(?:\.\s*|(?=\s|$))")
_RANGE = re.compile(r"(?<=\d)\s*[-–/+]\s*(?=\d)")


@dataclass(frozen=True, slots=True)
class Traits:
    """The keys by which people are compared, computed once per record or row; None where there is no value.

    `street` includes the house number; `numbered` says whether it has one, and so is a full address with `zip`.
    """

    last: str | None
    first: str | None
    title: str | None
    street: str | None
    numbered: bool
    zip: str | None
    email: str | None


class Keys(TypedDict):
    """By what a row is found, as its columns hold it: a name under a postal code.

    `last_key` and `first_key` are of what the row says now, `other_keys` what else it goes by because the source said
    it last; empty or null where there is none.
    """

    last_key: str
    first_key: str
    other_keys: list[str] | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A record of the file in hand, with the area in which its id means something."""

    area: str
    external_id: str | None
    traits: Traits


@dataclass(frozen=True, slots=True)
class Known:
    """A row: what it says now (`current`) and what the source said of it last (`source`, None if it never did)."""

    row_id: int
    area: str | None
    external_id: str | None
    current: Traits
    source: Traits | None = None

    def firsts(self) -> set[str]:
        """The first names by which the row is known, none if it lacks one."""
        return {traits.first for traits in self.versions() if traits.first}

    def versions(self) -> tuple[Traits, ...]:
        return (self.current,) if self.source is None else (self.current, self.source)


@dataclass(frozen=True, slots=True)
class Match:
    """The decision: a row, or nobody yet (`none`), a repetition within the file, or several rows (`ambiguous`).

    `reassigned` means that another row carried the record's id until now.
    """

    row_id: int | None
    rule: Rule
    ambiguous: tuple[int, ...] = ()
    reassigned: bool = False


def traits_of(fields: Row) -> Traits:
    """The traits of mapped columns, be they a record's, a row's, or what was kept of the source."""
    street = fields.get("strasse")
    return Traits(
        last=last_name_key(fields.get("nachname")),
        first=first_name_key(fields.get("vorname")),
        title=_title_key(fields.get("titel")),
        street=_street_key(street),
        numbered=any(character.isdigit() for character in street or ""),
        zip=fields.get("plz") or None,
        email=email_key(fields.get("email")),
    )


def look_up_keys(current: Row, said: Row | None) -> Keys:
    """The keys of a row, which says `current`, and of which the source `said` that last.

    Every rule but the id asks for a last or a first name under the same postal code, so whoever shares none of these
    with a record is nobody that it could mean.
    """
    last, first = (_key(current.get("plz"), name) for name in _names(current))
    if not said or all(current.get(name) == said.get(name) for name in ("plz", "nachname", "vorname")):
        return {"last_key": last, "first_key": first, "other_keys": None}
    versions = (current, said)
    zips, names = {version.get("plz") for version in versions}, {name for each in versions for name in _names(each)}
    others = {_key(zip_code, name) for zip_code in zips for name in names} - {last, first, ""}
    return {"last_key": last, "first_key": first, "other_keys": sorted(others) or None}


def record_keys(traits: Traits) -> list[str]:
    """The keys that a record is looked up by."""
    return [key for name in (traits.last, traits.first) if (key := _key(traits.zip, name))]


def decide(listed: Listed, candidates: Sequence[Known], claimed: Collection[int]) -> Match:
    """The row of `listed` among `candidates`: rows that share its id, or its name or address; more do no harm.

    The rules are tried in their order, and the first that finds a free row decides; rows in `claimed` belong to other
    records of the same file. If several are left, the same address and then the same id decides, else nobody does.
    """
    for rule, holds in _RULES:
        match = _attempt(rule, holds, listed, candidates, claimed)
        if match is not None:
            return match
    return _nobody(listed, candidates)


def assign(
    records: Sequence[Listed], candidates: Sequence[Sequence[Known]], claimed: Collection[int] = ()
) -> list[Match]:
    """`decide` for the records of a file together, each with its own candidates; the matches in the same order.

    A rule is tried on all records before the next one, so that a vague resemblance never takes the row of somebody who
    stands further down. The second of two records of one person is a `duplicate_in_file`, also where no row exists yet.
    """
    matches = _repetitions(records)
    taken = set(claimed)
    pending = [index for index in range(len(records)) if index not in matches and candidates[index]]
    for rule, holds in _RULES:
        # Two rounds: who seems ambiguous may not be once the others of this rule have taken theirs.
        for last_round in (False, True):
            for index in pending:
                match = _attempt(rule, holds, records[index], candidates[index], taken)
                if match is None or (match.rule == "ambiguous" and not last_round):
                    continue
                matches[index] = match
                taken |= {match.row_id} if match.row_id is not None else set()
            pending = [index for index in pending if index not in matches]
    return [matches.get(index) or _nobody(records[index], candidates[index]) for index in range(len(records))]


def decide_by_id_alone(area: str, external_id: str, candidates: Sequence[Known], claimed: Collection[int]) -> Match:
    """The row of a record that carries nothing but its id: the only one with it among those of this file's last scrape.

    `candidates` are the rows last seen in the file of this postal code. An id that two of them carry proves nothing.
    """
    found = [known for known in candidates if known.area == area and known.external_id == external_id]
    free = [known for known in found if known.row_id not in claimed]
    if len(free) != 1:
        return Match(None, "none")
    return Match(free[0].row_id, "id")


def same_person(one: Traits, other: Traits) -> bool:
    """Whether two records of one file are the same person twice: same full name and postal code, no other address.

    Two addresses are two practices and stay two rows. Without any first name the full address has to agree.
    """
    if one.last is None or one.last != other.last or one.zip is None or one.zip != other.zip:
        return False
    if one.first is None and other.first is None:
        return one.numbered and one.street == other.street
    return one.first == other.first and (one.street == other.street or not one.street or not other.street)


def _names(version: Row) -> tuple[str | None, str | None]:
    return last_name_key(version.get("nachname")), first_name_key(version.get("vorname"))


def _key(zip_code: str | None, name: str | None) -> str:
    return f"{zip_code}|{name}" if zip_code and name else ""


def _attempt(
    rule: Rule,
    holds: Callable[[Listed, Known], bool],
    listed: Listed,
    candidates: Sequence[Known],
    claimed: Collection[int],
) -> Match | None:
    """What one rule says, None if nothing."""
    found = [known for known in candidates if holds(listed, known)]
    free = _preferred(listed, [known for known in found if known.row_id not in claimed])
    if len(free) > 1:
        return Match(None, "ambiguous", tuple(sorted(known.row_id for known in free)))
    if free:
        return Match(free[0].row_id, rule, reassigned=_takes_id(listed, candidates, free[0]))
    if any(same_person(listed.traits, version) for known in found for version in known.versions()):
        return Match(None, "duplicate_in_file")
    return None


def _nobody(listed: Listed, candidates: Sequence[Known]) -> Match:
    return Match(None, "none", reassigned=_takes_id(listed, candidates, None))


def _repetitions(records: Sequence[Listed]) -> dict[int, Match]:
    """The records of persons who stand further up already, by position."""
    found: dict[int, Match] = {}
    earlier: dict[tuple[str | None, ...], list[Traits]] = {}
    for index, listed in enumerate(records):
        traits = listed.traits
        namesakes = earlier.setdefault((traits.last, traits.first, traits.zip), [])
        if any(same_person(traits, namesake) for namesake in namesakes):
            found[index] = Match(None, "duplicate_in_file")
        else:
            namesakes.append(traits)
    return found


def _by_exact_place(listed: Listed, known: Known) -> bool:
    """Full name and full address. Before the id, or two practices of one person would swap rows with their ids."""
    return _by_name(listed, known) and _same_address(listed.traits, known)


def _by_id(listed: Listed, known: Known) -> bool:
    """Same area and id, and the person fits: last name without contradiction, or first name at the full address."""
    if not _has_id(listed, known):
        return False
    traits = listed.traits
    if _agrees(known, "last", traits.last) and not _contradicts_first(traits, known):
        return True
    return _agrees(known, "first", traits.first) and _same_address(traits, known)


def _by_name(listed: Listed, known: Known) -> bool:
    traits = listed.traits
    return (
        _agrees(known, "last", traits.last)
        and _agrees(known, "first", traits.first)
        and _agrees(known, "zip", traits.zip)
    )


def _by_compound(listed: Listed, known: Known) -> bool:
    """At the same address: a first name missing on one side, or one spelling of a compound last name."""
    traits = listed.traits
    if not _same_address(traits, known):
        return False
    if _agrees(known, "last", traits.last) and (traits.first is None or not known.firsts()):
        return True
    return _agrees(known, "first", traits.first) and any(
        _compound(traits.last, version.last) for version in known.versions()
    )


def _by_first_name(listed: Listed, known: Known) -> bool:
    """A changed last name: first name, full address and title agree, and the e-mails unless one is missing."""
    traits = listed.traits
    titles = {version.title for version in known.versions()}
    emails = {version.email for version in known.versions() if version.email}
    return (
        _agrees(known, "first", traits.first)
        and _same_address(traits, known)
        and traits.title in titles
        and (traits.email is None or not emails or traits.email in emails)
    )


_RULES: tuple[tuple[Rule, Callable[[Listed, Known], bool]], ...] = (
    ("exact", _by_exact_place),
    ("id", _by_id),
    ("name", _by_name),
    ("compound", _by_compound),
    ("renamed", _by_first_name),
)


def _preferred(listed: Listed, found: list[Known]) -> list[Known]:
    """Those at the same address if there are any, and of them those with the same id if there are any."""
    if len(found) > 1:
        found = [known for known in found if _agrees(known, "street", listed.traits.street)] or found
    if len(found) > 1:
        found = [known for known in found if _has_id(listed, known)] or found
    return found


def _takes_id(listed: Listed, candidates: Sequence[Known], chosen: Known | None) -> bool:
    # An id may repeat: whoever carries it already takes it from nobody.
    if listed.external_id is None or (chosen is not None and _has_id(listed, chosen)):
        return False
    return any(_has_id(listed, known) for known in candidates)


def _has_id(listed: Listed, known: Known) -> bool:
    return listed.external_id is not None and (listed.area, listed.external_id) == (known.area, known.external_id)


def _agrees(known: Known, trait: str, value: str | None) -> bool:
    return value is not None and any(getattr(version, trait) == value for version in known.versions())


def _contradicts_first(traits: Traits, known: Known) -> bool:
    firsts = known.firsts()
    return traits.first is not None and bool(firsts) and traits.first not in firsts


def _same_address(traits: Traits, known: Known) -> bool:
    return traits.numbered and _agrees(known, "street", traits.street) and _agrees(known, "zip", traits.zip)


def _compound(one: str | None, other: str | None) -> bool:
    """Whether last names differ only in separators, or one consists of parts of the other ("Berg" is no "Bergmann")."""
    if one is None or other is None:
        return False
    if one.replace(" ", "") == other.replace(" ", ""):
        return True
    parts, others = set(one.split()), set(other.split())
    return parts <= others or others <= parts


def _street_key(street: str | None) -> str | None:
    """The street with its number: "Haupt-Str. 15 a" is "Hauptstraße 15a", but "1-5" is not "15"."""
    if not street:
        return None
    return compact_key(_RANGE.sub("bis", _STREET_ENDING.sub("strasse ", street.casefold())))
