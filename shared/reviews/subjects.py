"""What a review is about, as values for people: records side by side, conflicting fields, people to be marked gone.

Pure: the services read the rows, this puts them next to each other, and console and command line show the result.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.text.keys import clean_text


@dataclass(frozen=True, slots=True)
class Side:
    """One record of a comparison. `entity_id` is None for a record that only a file holds so far."""

    entity_id: int | None
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ComparedField:
    """One field over all sides, in their order; `differs` where two sides say something different, or one says
    nothing."""

    field: str
    values: tuple[object, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class DuplicateSubject:
    """The record in question (the first side) and those it resembles. `merged` are those rows as they would be with the
    record merged into them; of a merge that is done, the sides are as they were before it."""

    sides: tuple[Side, ...]
    fields: tuple[ComparedField, ...]
    merged: tuple[Side, ...] = ()

    @property
    def candidates(self) -> tuple[int, ...]:
        """The rows that the record can be merged into."""
        return tuple(side.entity_id for side in self.sides[1:] if side.entity_id is not None)


@dataclass(frozen=True, slots=True)
class ConflictingField:
    """One field that staff and source changed differently. `base` is what the source said before, `source` what it says
    now, `staff` what the row held when the review was opened, `present` what it holds now."""

    field: str
    base: object
    staff: object
    source: object
    present: object


@dataclass(frozen=True, slots=True)
class ConflictSubject:
    """The row that it is about, None where it is gone, and its conflicting fields."""

    entity_id: int | None
    row: Mapping[str, object] | None
    fields: tuple[ConflictingField, ...]


@dataclass(frozen=True, slots=True)
class ProposedDeletion:
    """One therapist that a file calls deleted; `row` is None where the row is gone, `reappeared` where a later file
    lists the person, so that applying the deletion would leave them alone. `elsewhere` are rows of the same name, and
    `worked_on` is what staff wrote."""

    entity_id: int
    row: Mapping[str, object] | None
    reappeared: bool
    elsewhere: tuple[Side, ...] = ()
    worked_on: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeldDeletionsSubject:
    """All of one file or scrape day; `active_before` is how many active therapists its postal codes had."""

    deletions: tuple[ProposedDeletion, ...]
    active_before: int


Subject = DuplicateSubject | ConflictSubject | HeldDeletionsSubject
"""What a review is about."""


def side_by_side(fields: Iterable[str], sides: Sequence[Side]) -> tuple[ComparedField, ...]:
    """The fields that at least one side fills, in the given order."""
    compared = []
    for name in fields:
        values = tuple(side.values.get(name) for side in sides)
        if any(not _is_empty(value) for value in values):
            compared.append(ComparedField(name, values, len({_comparable(value) for value in values}) > 1))
    return tuple(compared)


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {})


def _comparable(value: object) -> str:
    """White space, capitals and the order of a list make no difference to a reader."""
    if _is_empty(value):
        return ""
    if isinstance(value, list):
        return repr(sorted(_comparable(entry) for entry in value))
    if isinstance(value, Mapping):
        return repr(sorted((key, _comparable(inner)) for key, inner in value.items()))
    return clean_text(str(value)).casefold()
