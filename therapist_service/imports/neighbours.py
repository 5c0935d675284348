"""What the other files of a scrape day say, as far as they are at hand: whom they list, whom they call deleted.

Files of one day are read and applied together in batches. Without a look at the others, what becomes of a person would
depend on which file comes first.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import chain

from therapist_service.imports.mapping import Claim, MappedRecord
from therapist_service.imports.names import contradict
from therapist_service.imports.scrape import Name, Scrape, name_of
from therapist_service.imports.traits import Traits, traits_of

People = dict[tuple[str | None, str | None], list[Traits]]
"""Whom a file lists, by last name and postal code."""


class Neighbours:
    """The other files of one scrape day, asked only where a record is compared with a row."""

    def __init__(self, own: Scrape, others: Sequence[Scrape] = ()) -> None:
        self._own = own
        self._others = others

    def lists(self, traits: Traits) -> bool:
        """Whether one of the others lists the person."""
        return any(_is_among(traits, people) for people in self._people.values())

    def places(self, traits: Traits) -> bool:
        """Whether one of the others lists the person at this full address."""
        return traits.numbered and any(
            one.street == traits.street
            for people in self._people.values()
            for one in people.get((traits.last, traits.zip), ())
            if _is_same(traits, one)
        )

    def dismisses(self, traits: Traits) -> bool:
        """Whether one of the files, this one included, calls this full name deleted."""
        last, first, _ = name = name_of(traits)
        return None not in (last, first) and not self._dismissed.isdisjoint((name, (last, first, None)))

    def file_lists(self, zip_code: str, traits: Traits) -> bool | None:
        """Whether the file of this postal code lists the person; None where it is not at hand."""
        people = self._people.get(zip_code)
        return None if people is None else _is_among(traits, people)

    def smaller_lists(self, zip_code: str, traits: Traits) -> bool:
        """Whether the file of a smaller postal code lists the person."""
        return any(other < zip_code and _is_among(traits, people) for other, people in self._people.items())

    @cached_property
    def _people(self) -> dict[str, People]:
        found: dict[str, People] = {}
        for other in self._others:
            people = found.setdefault(other.envelope.zip, defaultdict(list))
            for record in chain.from_iterable(other.chunks()):
                if isinstance(record, MappedRecord) and record.claim is not Claim.DELETED:
                    traits = traits_of(record.fields)
                    people[traits.last, traits.zip].append(traits)
        return found

    @cached_property
    def _dismissed(self) -> frozenset[Name]:
        return frozenset().union(self._own.dismissed, *(other.dismissed for other in self._others))


def _is_among(traits: Traits, people: People) -> bool:
    return any(_is_same(traits, one) for one in people.get((traits.last, traits.zip), ()))


def _is_same(one: Traits, other: Traits) -> bool:
    """Whether two files mean one person, whose last name and postal code agree: files spell first names differently."""
    if one.last is None or one.zip is None:
        return False
    if one.first is not None and one.first == other.first:
        return True
    return one.numbered and one.street == other.street and not contradict(one.first_parts, other.first_parts)
