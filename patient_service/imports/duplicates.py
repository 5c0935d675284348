"""Who a registration is: a known patient, a new one, or a new one that a person should compare with others.

Pure rules over normalised keys. Data is written into an existing record only where name and e-mail both agree with
exactly one patient, or the registration token is that patient's own; anything less is a new record and a review.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum, auto


class Rule(StrEnum):
    """Which rule decided what becomes of a registration."""

    TOKEN = auto()
    EMAIL_AND_NAME = auto()
    NEW = auto()
    SAME_EMAIL = auto()
    SAME_NAME_AND_BIRTH_DATE = auto()
    SAME_TOKEN = auto()
    SEVERAL_MATCHES = auto()


@dataclass(frozen=True, slots=True)
class Person:
    """What identifies a person, normalised by `shared.text.keys`; an absent value is None and equals nothing."""

    name_key: str
    email_key: str | None
    geburtsdatum: date | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient who shares something with the registration; `owns_token` if an earlier one with its token is theirs."""

    patient_id: int
    person: Person
    owns_token: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """`patient_id` is the patient to update; None means a new one, to be compared with `similar` if there are any."""

    rule: Rule
    patient_id: int | None = None
    similar: tuple[int, ...] = ()


def decide(person: Person, candidates: Sequence[Candidate]) -> Match:
    """Whom one registration means. The same candidates in any order give the same match."""
    ordered = sorted(candidates, key=lambda candidate: candidate.patient_id)
    owners = [c for c in ordered if c.owns_token and _plausibly_same(person, c.person)]
    if len(owners) == 1:
        return Match(Rule.TOKEN, patient_id=owners[0].patient_id)
    matches = [c for c in ordered if _same_email(person, c.person) and _same_name(person, c.person)]
    if len(matches) == 1:
        return Match(Rule.EMAIL_AND_NAME, patient_id=matches[0].patient_id)
    similar = tuple(c.patient_id for c in ordered if c.owns_token or _resembles(person, c.person))
    if not similar:
        return Match(Rule.NEW)
    return Match(_why_similar(person, ordered, len(matches)), similar=similar)


def _why_similar(person: Person, candidates: Sequence[Candidate], matches: int) -> Rule:
    if matches > 1:
        return Rule.SEVERAL_MATCHES
    if any(_same_email(person, candidate.person) for candidate in candidates):
        return Rule.SAME_EMAIL
    if any(_resembles(person, candidate.person) for candidate in candidates):
        return Rule.SAME_NAME_AND_BIRTH_DATE
    return Rule.SAME_TOKEN


def _plausibly_same(person: Person, other: Person) -> bool:
    """A token alone is 32 bits and may be mixed up: something of the person has to agree as well."""
    return _same_name(person, other) or _same_email(person, other)


def _resembles(person: Person, other: Person) -> bool:
    same_birth = person.geburtsdatum is not None and person.geburtsdatum == other.geburtsdatum
    return _same_email(person, other) or (_same_name(person, other) and same_birth)


def _same_email(person: Person, other: Person) -> bool:
    return person.email_key is not None and person.email_key == other.email_key


def _same_name(person: Person, other: Person) -> bool:
    return person.name_key == other.name_key
