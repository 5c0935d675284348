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
from therapist_service.imports.traits import Traits

Named = dict[tuple[str | None, str | None], list[tuple[str, Traits]]]
"""Whom the files list, by last name and postal code, each with the postal code of the file."""


class Neighbours:
    """The files of one scrape day that are at hand, asked only where a record is compared with a row.

    Each question is one file's, named by its postal code: what do the others say?
    """

    def __init__(self, files: Sequence[Scrape]) -> None:
        self._files = files

    def lists(self, own_zip: str, traits: Traits) -> bool:
        """Whether one of the others lists the person."""
        return any(_is_same(traits, one) for zip_code, one in self._namesakes(traits) if zip_code != own_zip)

    def places(self, own_zip: str, traits: Traits) -> bool:
        """Whether one of the others lists the person at this full address."""
        return traits.numbered and any(
            one.street == traits.street and _is_same(traits, one)
            for zip_code, one in self._namesakes(traits)
            if zip_code != own_zip
        )

    def dismisses(self, traits: Traits) -> bool:
        """Whether one of the files calls this full name deleted."""
        last, first, _ = name = name_of(traits)
        return None not in (last, first) and not self._dismissed.isdisjoint((name, (last, first, None)))

    def file_lists(self, zip_code: str, traits: Traits) -> bool | None:
        """Whether the file of this postal code lists the person; None where it is not at hand."""
        if zip_code not in self._zips:
            return None
        return any(_is_same(traits, one) for other, one in self._namesakes(traits) if other == zip_code)

    def smaller_lists(self, own_zip: str, traits: Traits) -> bool:
        """Whether the file of a smaller postal code lists the person."""
        return any(_is_same(traits, one) for zip_code, one in self._namesakes(traits) if zip_code < own_zip)

    def _namesakes(self, traits: Traits) -> Sequence[tuple[str, Traits]]:
        return self._named.get((traits.last, traits.zip), ())

    @cached_property
    def _zips(self) -> frozenset[str]:
        return frozenset(scrape.envelope.zip for scrape in self._files)

    @cached_property
    def _named(self) -> Named:
        found: Named = defaultdict(list)
        # A file alone, which may be a large one, has no neighbours to look at.
        for scrape in self._files if len(self._zips) > 1 else ():
            for record in chain.from_iterable(scrape.chunks()):
                if isinstance(record, MappedRecord) and record.claim is not Claim.DELETED:
                    found[record.traits.last, record.traits.zip].append((scrape.envelope.zip, record.traits))
        return found

    @cached_property
    def _dismissed(self) -> frozenset[Name]:
        return frozenset().union(*(scrape.dismissed for scrape in self._files))


def _is_same(one: Traits, other: Traits) -> bool:
    """Whether two files mean one person, whose last name and postal code agree: files spell first names differently."""
    if one.last is None or one.zip is None:
        return False
    if one.first is not None and one.first == other.first:
        return True
    return one.numbered and one.street == other.street and not contradict(one.first_parts, other.first_parts)
