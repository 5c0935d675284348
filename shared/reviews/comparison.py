"""What a question is about, as values for people: records side by side, conflicting fields, people to be marked gone.

Pure: the services read the rows, this puts them next to each other, and console and command line show the result.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.text.keys import clean_text


@dataclass(frozen=True, slots=True)
class Side:
    """One record of a comparison. `entity_id` is None for a record that only a file holds so far."""

    entity_id: int | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One field over all sides, in their order; `differs` where two sides say something different, or one says
    nothing."""

    field: str
    values: tuple[Any, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The record in question (the first side) and those it resembles."""

    sides: tuple[Side, ...]
    lines: tuple[Line, ...]

    @property
    def candidates(self) -> tuple[int, ...]:
        """The rows that the record can be merged into."""
        return tuple(side.entity_id for side in self.sides[1:] if side.entity_id is not None)


@dataclass(frozen=True, slots=True)
class ConflictLine:
    """One field that staff and source changed differently. `base` is what the source said before, `staff` what the row
    held when the question was opened, `present` what it holds now."""

    field: str
    base: Any
    staff: Any
    source: Any
    present: Any


@dataclass(frozen=True, slots=True)
class Conflict:
    """The row that it is about, None where it is gone, and its conflicting fields."""

    entity_id: int
    row: Mapping[str, Any] | None
    lines: tuple[ConflictLine, ...]


@dataclass(frozen=True, slots=True)
class HeldDeletion:
    """One therapist that a file calls deleted; `row` is None where the row is gone, `reappeared` where a later file
    lists the person, so that applying the deletion would leave them alone."""

    entity_id: int
    row: Mapping[str, Any] | None
    reappeared: bool


@dataclass(frozen=True, slots=True)
class HeldDeletions:
    """All of one file; `active_before` is how many active therapists the file's postal code had."""

    deletions: tuple[HeldDeletion, ...]
    active_before: int


Subject = Duplicate | Conflict | HeldDeletions
"""What a question is about."""


def side_by_side(fields: Iterable[str], sides: Sequence[Side]) -> tuple[Line, ...]:
    """The fields that at least one side fills, in the given order."""
    lines = []
    for field in fields:
        values = tuple(side.values.get(field) for side in sides)
        if any(not _is_empty(value) for value in values):
            lines.append(Line(field, values, len({_comparable(value) for value in values}) > 1))
    return tuple(lines)


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _comparable(value: Any) -> str:
    """White space, capitals and the order of a list make no difference to a reader."""
    if _is_empty(value):
        return ""
    if isinstance(value, list):
        return repr(sorted(_comparable(entry) for entry in value))
    if isinstance(value, Mapping):
        return repr(sorted((key, _comparable(inner)) for key, inner in value.items()))
    return clean_text(str(value)).casefold()
