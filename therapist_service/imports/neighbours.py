"""What the other files of a scrape day say, those at hand and those to come: whom they list, whom they call deleted.

Without a look at the others, what becomes of a person would depend on which file comes first.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property

from therapist_service.imports.files_to_come import FilesToCome, listed
from therapist_service.imports.mapping import MappedRecord
from therapist_service.imports.names import contradict, last_name_key
from therapist_service.imports.scrape import Name, Scrape, name_of
from therapist_service.imports.traits import Traits


class Neighbours:
    """The files of one scrape day that are at hand or to come, asked only where a record is compared with a row.

    Each question is one file's, named by its postal code: what do the others say? Deletions of those to come are not
    known: who is gone is decided at the day's end.
    """

    def __init__(self, files: Sequence[Scrape], to_come: FilesToCome | None = None) -> None:
        self._files = files
        self._to_come = to_come

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
        """Whether the file of this postal code lists the person; None where it is neither at hand nor to come."""
        if zip_code not in self._zips and not (self._to_come and self._to_come.of(zip_code) is not None):
            return None
        return any(_is_same(traits, one) for other, one in self._namesakes(traits) if other == zip_code)

    def smaller_lists(self, own_zip: str, traits: Traits) -> bool:
        """Whether the file of a smaller postal code lists the person."""
        return any(_is_same(traits, one) for zip_code, one in self._namesakes(traits) if zip_code < own_zip)

    def _namesakes(self, traits: Traits) -> Iterator[tuple[str, Traits]]:
        for zip_code, record in self._at_hand.get((traits.last, traits.zip), ()):
            yield zip_code, record.traits
        for listing in self._to_come.listing(traits.zip) if self._to_come else ():
            yield from listing.get((traits.last, traits.zip), ())

    @cached_property
    def _zips(self) -> frozenset[str]:
        return frozenset(scrape.envelope.zip for scrape in self._files)

    @cached_property
    def _at_hand(self) -> dict[tuple[str | None, str | None], list[tuple[str, MappedRecord]]]:
        """The records of the files at hand by last name and postal code, each with its file's postal code."""
        found = defaultdict(list)
        # A file alone, which may be a large one, has no neighbours at hand to look at.
        for zip_code, record in listed(self._files) if len(self._zips) > 1 else ():
            # Most are compared with nobody: of these nothing else is worked out.
            found[last_name_key(record.fields["nachname"]), record.fields["plz"]].append((zip_code, record))
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
