"""What the other files of a scrape day say, as far as they are at hand: whom they list, whom they call deleted.

Files of one day are read and applied together in batches. Without a look at the others, what becomes of a person would
depend on which file comes first.
"""

from collections.abc import Sequence
from functools import cached_property

from therapist_service.imports.mapping import Claim, MappedRecord
from therapist_service.imports.scrape import Name, Scrape, name_of
from therapist_service.imports.traits import Traits, traits_of


class Neighbours:
    """The other files of one scrape day, asked only where a record is compared with a row."""

    def __init__(self, own: Scrape, others: Sequence[Scrape] = ()) -> None:
        self._own = own
        self._others = others

    def lists(self, traits: Traits) -> bool:
        """Whether one of the others lists this full name under this postal code."""
        return _is_full(traits) and any(name_of(traits) in names for names in self._names.values())

    def places(self, traits: Traits) -> bool:
        """Whether one of the others lists this full name at this full address."""
        return _is_full(traits) and traits.numbered and (*name_of(traits), traits.street) in self._places

    def dismisses(self, traits: Traits) -> bool:
        """Whether one of the files, this one included, calls this full name deleted."""
        last, first, _ = name = name_of(traits)
        return _is_full(traits) and not self._dismissed.isdisjoint((name, (last, first, None)))

    def file_lists(self, zip_code: str, traits: Traits) -> bool | None:
        """Whether the file of this postal code lists the full name; None where it is not at hand."""
        names = self._names.get(zip_code)
        return None if names is None else name_of(traits) in names

    @cached_property
    def _traits(self) -> list[tuple[str, list[Traits]]]:
        return [
            (
                other.envelope.zip,
                [
                    traits_of(record.fields)
                    for chunk in other.chunks()
                    for record in chunk
                    if isinstance(record, MappedRecord) and record.claim is not Claim.DELETED
                ],
            )
            for other in self._others
        ]

    @cached_property
    def _names(self) -> dict[str, set[Name]]:
        names: dict[str, set[Name]] = {}
        for zip_code, people in self._traits:
            names.setdefault(zip_code, set()).update(map(name_of, people))
        return names

    @cached_property
    def _places(self) -> set[tuple[str | None, ...]]:
        return {(*name_of(traits), traits.street) for _, people in self._traits for traits in people}

    @cached_property
    def _dismissed(self) -> frozenset[Name]:
        return frozenset().union(self._own.dismissed, *(other.dismissed for other in self._others))


def _is_full(traits: Traits) -> bool:
    return traits.last is not None and traits.first is not None
