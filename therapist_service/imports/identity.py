"""Who a scraped record is: which row, if any, describes the same therapist.

The source's ids look like positions in a list. They propose a row and settle a tie, but what decides is the person:
name, address, title, e-mail. Each comparison holds against what the row says now or what the source said of it last,
because staff may have corrected either. An empty value equals nothing, with the one exception of the title.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto

from therapist_service.imports.names import contradict, is_compound
from therapist_service.imports.traits import Traits


class Rule(StrEnum):
    """Which rule decided what becomes of a record."""

    SAME_RECORD = auto()
    EXACT = auto()
    ID = auto()
    NAME = auto()
    COMPOUND = auto()
    RENAMED = auto()
    SIMILAR = auto()
    DUPLICATE_IN_FILE = auto()
    AMBIGUOUS = auto()
    ANSWERED = auto()
    NEW = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Listed:
    """A record of the file in hand, with the area in which its id means something."""

    area: str
    external_id: str | None
    traits: Traits


@dataclass(frozen=True, slots=True)
class Known:
    """A row: what it says now (`current`) and what the source said of it last (`source`, None if it never did).

    What other files of the same scrape day say of it: `placed` where one lists it at an address of its own, `listed`
    where one lists its full name, `dismissed` where one, or this file, calls its full name deleted.
    """

    row_id: int
    area: str | None
    external_id: str | None
    current: Traits
    source: Traits | None = None
    placed: bool = False
    listed: bool = False
    dismissed: bool = False

    def versions(self) -> tuple[Traits, ...]:
        return (self.current,) if self.source is None else (self.current, self.source)


@dataclass(frozen=True, slots=True)
class Match:
    """Whom it means: a row, or nobody yet (`none`), a repetition within the file, or rows among which a person has to
    choose: several that fit (`ambiguous`), or one that fits several records or is only `similar`.

    `reassigned` means that another row carried the record's id until now.
    """

    row_id: int | None
    rule: Rule
    ambiguous: tuple[int, ...] = ()
    reassigned: bool = False


def assign(
    records: Sequence[Listed], candidates: Sequence[Sequence[Known]], claimed: Collection[int] = ()
) -> list[Match]:
    """The row of each record of a file among its own candidates; the matches in the same order.

    Candidates are rows that share an id, a name, an address or a contact; more do no harm. Rows in `claimed` belong to
    other records of the file. The rules are tried in their order, each on all records before the next one, so that a
    vague resemblance never takes the row of somebody who stands further down. If several rows are left to one record,
    the same address and then the same id decides, else nobody does. The second of two records of one person is a
    `duplicate_in_file`, also where no row exists yet.
    """
    matches = _repetitions(records)
    taken = set(claimed)
    pending = [index for index in range(len(records)) if index not in matches and candidates[index]]
    for rule, holds in _RULES:
        if rule in _VAGUE:
            matches |= _rivals(rule, holds, [(index, records[index], candidates[index]) for index in pending], taken)
        # Two rounds: who seems ambiguous may not be once the others of this rule have taken theirs.
        for last_round in (False, True):
            for index in (index for index in pending if index not in matches):
                match = _attempt(rule, holds, records[index], candidates[index], taken)
                if match is None or (match.rule is Rule.AMBIGUOUS and not last_round):
                    continue
                matches[index] = match
                taken |= {match.row_id} if match.row_id is not None else set()
        pending = [index for index in pending if index not in matches]
    return [matches.get(index) or _nobody(records[index], candidates[index], taken) for index in range(len(records))]


def decide_deletion_of(listed: Listed, candidates: Sequence[Known], claimed: Collection[int]) -> Match:
    """Whom a record that claims `deleted` means: likeness is not enough to make somebody inactive.

    The full name at the full address, or the id with the same last name and a first name that does not contradict.
    """
    for rule, holds in _OF_DELETIONS:
        match = _attempt(rule, holds, listed, candidates, claimed)
        if match is not None:
            return match
    return Match(None, Rule.NONE)


def decide_by_id_alone(area: str, external_id: str, candidates: Sequence[Known], claimed: Collection[int]) -> Match:
    """The row of a record that carries nothing but its id: the only one with it among those of this file's last scrape.

    `candidates` are the rows last seen in the file of this postal code. An id that two of them carry proves nothing.
    """
    found = [known for known in candidates if known.area == area and known.external_id == external_id]
    free = [known for known in found if known.row_id not in claimed]
    if len(free) != 1:
        return Match(None, Rule.NONE)
    return Match(free[0].row_id, Rule.ID)


def same_person(one: Traits, other: Traits) -> bool:
    """Whether two records of one file are the same person twice: same full name and postal code, no other address.

    Two addresses are two practices and stay two rows. Without any first name the full address has to agree.
    """
    if one.last is None or one.last != other.last or one.zip is None or one.zip != other.zip:
        return False
    if one.first is None and other.first is None:
        return one.numbered and one.street == other.street
    return one.first == other.first and (one.street == other.street or not one.street or not other.street)


_Holds = Callable[[Listed, Known], bool]


def _attempt(
    rule: Rule, holds: _Holds, listed: Listed, candidates: Sequence[Known], claimed: Collection[int]
) -> Match | None:
    """What one rule says, None if nothing."""
    found = [known for known in candidates if holds(listed, known)]
    free = _preferred(listed, [known for known in found if _is_free(listed, known, claimed)])
    if len(free) > 1:
        return Match(None, Rule.AMBIGUOUS, tuple(sorted(known.row_id for known in free)))
    if free:
        return Match(free[0].row_id, rule, reassigned=_takes_id(listed, candidates, free[0]))
    if any(same_person(listed.traits, version) for known in found for version in known.versions()):
        return Match(None, Rule.DUPLICATE_IN_FILE)
    return None


def _is_free(listed: Listed, known: Known, claimed: Collection[int]) -> bool:
    """Whether nobody else has the row: no record of this file, no practice of the same person at another address."""
    if known.row_id in claimed:
        return False
    traits = listed.traits
    has_its_own = known.placed and traits.numbered and any(version.numbered for version in known.versions())
    return not has_its_own or _same_address(traits, known)


def _rivals(
    rule: Rule, holds: _Holds, pending: Sequence[tuple[int, Listed, Sequence[Known]]], taken: Collection[int]
) -> dict[int, Match]:
    """Records with different names whom the rule gives one and the same row: two people, and nobody knows whose it is.

    "A. Berg" may be Anna or Arno; whoever of them stands first in the file must not get the row for that.
    """
    contenders: dict[int, list[tuple[int, Listed]]] = defaultdict(list)
    for index, listed, candidates in pending:
        match = _attempt(rule, holds, listed, candidates, taken)
        if match is not None and match.row_id is not None:
            contenders[match.row_id].append((index, listed))
    return {
        index: Match(None, Rule.AMBIGUOUS, (row_id,))
        for row_id, rivals in contenders.items()
        if len({(rival.traits.last, rival.traits.first) for _, rival in rivals}) > 1
        for index, _ in rivals
    }


def _nobody(listed: Listed, candidates: Sequence[Known], taken: Collection[int]) -> Match:
    """No rule finds a row; where strong evidence speaks for some, a person has to say."""
    similar = {
        known.row_id
        for known in candidates
        if known.row_id not in taken and not known.listed and _is_similar(listed, known)
    }
    if similar:
        return Match(None, Rule.SIMILAR, tuple(sorted(similar)))
    return Match(None, Rule.NONE, reassigned=_takes_id(listed, candidates, None))


def _is_similar(listed: Listed, known: Known) -> bool:
    """Strong evidence without a match: e-mail or telephone with the last name, or first and last name swapped.

    An e-mail speaks for the person even where the first name is another one: that may be a correction of it.
    """
    traits = listed.traits
    if _agrees(known, "last", traits.last):
        if _agrees(known, "email", traits.email):
            return True
        if _agrees(known, "line", traits.line) and not _contradicts_first(traits, known):
            return True
    return _is_swapped(traits, known) and (_has_id(listed, known) or _same_address(traits, known))


def _is_swapped(traits: Traits, known: Known) -> bool:
    if traits.last is None or traits.first is None:
        return False
    return any(
        version.last is not None
        and version.first == traits.last.replace(" ", "")
        and version.last.replace(" ", "") == traits.first
        for version in known.versions()
    )


def _repetitions(records: Sequence[Listed]) -> dict[int, Match]:
    """The records of persons who stand further up already, by position."""
    found: dict[int, Match] = {}
    earlier: dict[tuple[str | None, ...], list[Listed]] = {}
    for index, listed in enumerate(records):
        namesakes = earlier.setdefault((listed.traits.last, listed.traits.zip), [])
        if any(_repeats(listed, namesake) for namesake in namesakes):
            found[index] = Match(None, Rule.DUPLICATE_IN_FILE)
        else:
            namesakes.append(listed)
    return found


def _repeats(listed: Listed, earlier: Listed) -> bool:
    """Whether both are one person: the same name, or two spellings of it under one id at one full address."""
    one, other = listed.traits, earlier.traits
    if same_person(one, other):
        return True
    return (
        listed.external_id is not None
        and listed.external_id == earlier.external_id
        and (one.last, one.zip) == (other.last, other.zip)
        and None not in (one.last, one.zip)
        and one.numbered
        and one.street == other.street
        and not contradict(one.first_parts, other.first_parts)
    )


def _by_exact_place(listed: Listed, known: Known) -> bool:
    """Full name and full address. Before the id, or two practices of one person would swap rows with their ids."""
    return _by_name(listed, known) and _same_address(listed.traits, known)


def _by_id_and_name(listed: Listed, known: Known) -> bool:
    """Same area and id, the last name, and a first name that does not contradict."""
    traits = listed.traits
    return _has_id(listed, known) and _agrees(known, "last", traits.last) and not _contradicts_first(traits, known)


def _by_id(listed: Listed, known: Known) -> bool:
    """Same area and id, and the person fits: by name, or with a changed last name at the full address."""
    if _by_id_and_name(listed, known):
        return True
    return _has_id(listed, known) and _has_renamed_itself(listed.traits, known)


def _by_name(listed: Listed, known: Known) -> bool:
    traits = listed.traits
    return (
        _agrees(known, "last", traits.last)
        and _agrees(known, "first", traits.first)
        and _agrees(known, "zip", traits.zip)
    )


def _by_compound(listed: Listed, known: Known) -> bool:
    """At the same address: first names that do not contradict, or one spelling of a compound last name."""
    traits = listed.traits
    if not _same_address(traits, known):
        return False
    if _agrees(known, "last", traits.last) and not _contradicts_first(traits, known):
        return True
    return _agrees(known, "first", traits.first) and any(
        is_compound(traits.last, version.last) for version in known.versions()
    )


def _by_first_name(listed: Listed, known: Known) -> bool:
    """A changed last name: first name, full address and title agree, and the e-mails unless one is missing."""
    traits = listed.traits
    if not _has_renamed_itself(traits, known):
        return False
    titles = {version.title for version in known.versions()}
    emails = {version.email for version in known.versions() if version.email}
    return traits.title in titles and (traits.email is None or not emails or traits.email in emails)


def _has_renamed_itself(traits: Traits, known: Known) -> bool:
    """Whether it may be the row's person under another last name: the first name and the full address agree.

    Not where the same day lists or deletes the row's own name: then there are two people, and one has succeeded the
    other in the practice.
    """
    if known.listed or known.dismissed:
        return False
    return _agrees(known, "first", traits.first) and _same_address(traits, known)


_RULES: tuple[tuple[Rule, _Holds], ...] = (
    (Rule.EXACT, _by_exact_place),
    (Rule.ID, _by_id),
    (Rule.NAME, _by_name),
    (Rule.COMPOUND, _by_compound),
    (Rule.RENAMED, _by_first_name),
)
_VAGUE = frozenset({Rule.ID, Rule.COMPOUND, Rule.RENAMED})
"""Rules that can hold for people of different names."""
_OF_DELETIONS: tuple[tuple[Rule, _Holds], ...] = ((Rule.EXACT, _by_exact_place), (Rule.ID, _by_id_and_name))


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
    if value is None:
        return False
    said = known.source
    return getattr(known.current, trait) == value or (said is not None and getattr(said, trait) == value)


def _contradicts_first(traits: Traits, known: Known) -> bool:
    firsts = [version.first_parts for version in known.versions() if version.first_parts]
    return bool(firsts) and all(contradict(traits.first_parts, parts) for parts in firsts)


def _same_address(traits: Traits, known: Known) -> bool:
    return traits.numbered and _agrees(known, "street", traits.street) and _agrees(known, "zip", traits.zip)
