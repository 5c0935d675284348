"""Fields of a person, declared once: what tables, API, events, pages and documents say of them is made from it.

A declaration is a frozen dataclass whose every line is one field: its type in Python (which may be `None` where the
field may be empty), and beside it what `field` takes. It knows no database and no framework.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from types import NoneType
from typing import Any, get_args, get_type_hints

Values = Mapping[str, object]
"""Values of some fields by their names, validated, words as texts."""
Row = Mapping[str, Any]
"""A row of a table of people by its columns, as the database gives it."""


class Owner(StrEnum):
    """Whose a field is, and so who may write it."""

    SELF_REPORTED = "self_reported"
    """What people say of themselves: the registration form writes it."""
    SOURCE = "source"
    """What the source of the scrapes says: the import of scrapes writes it."""
    STAFF = "staff"
    """What only our staff and our rules write: no import touches it in a row that exists."""
    TECHNICAL = "technical"
    """What the program keeps for itself: nobody sends it."""


class Data(StrEnum):
    """Whose data a column holds, as the record of processing activities sorts it."""

    HEALTH = "health"
    PERSON = "person"
    STAFF = "staff"
    TECHNICAL = "technical"


@dataclass(frozen=True, slots=True)
class Text:
    """A text of one line, at most so long; without a length it is not for people to write."""

    longest: int | None = None


@dataclass(frozen=True, slots=True)
class FreeText:
    """A text that keeps its line breaks."""

    longest: int = 10_000


@dataclass(frozen=True, slots=True)
class Email:
    """An e-mail address; whether mail arrives there is not looked at."""

    longest: int = 255


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a vocabulary. Messages call it `said_as`; null means the default where `null_is_default`."""

    vocabulary: type[StrEnum]
    said_as: str | None = None
    null_is_default: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time; one that may not be empty is set by the database when the row is made."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no; one that may not be empty is off unless it is set."""


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object; one that may not be empty is `{}` unless it is set. `is_distance` where it says how far, as
    `{"max_km": 25}`, else people are shown an example with weekdays."""

    is_distance: bool = False


@dataclass(frozen=True, slots=True)
class JsonList:
    """A JSON list; one that may not be empty is `[]` unless it is set."""


@dataclass(frozen=True, slots=True)
class Age:
    """Whole years of a life."""

    highest: int = 120


@dataclass(frozen=True, slots=True)
class RowNumber:
    """The number by which a row is known, given by the database."""


@dataclass(frozen=True, slots=True)
class BigNumber:
    """A number of another table's row."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Look-up keys, each a text."""


ValueKind = (
    Text | FreeText | Email | Word | Day | Moment | Flag | JsonObject | JsonList | Age | RowNumber | BigNumber | Keys
)
_DECLARED = "declared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A declared field: `name` and `type` are those of its line, the rest is what `field` was given."""

    kind: ValueKind
    label: str
    group: StrEnum | None
    owner: Owner
    data: Data
    announced: bool
    settable: bool
    required: bool
    searched: bool
    given_default: str | None
    name: str = ""
    type: object = None

    @property
    def nullable(self) -> bool:
        """Whether it may be empty."""
        return NoneType in get_args(self.type)

    @property
    def default(self) -> object:
        """What a new row holds where nothing was given; None where that is nothing, or must not happen."""
        if self.given_default is not None or self.nullable:
            return self.given_default
        match self.kind:
            case Flag():
                return False
            case JsonObject():
                return {}
            case JsonList():
                return []
        return None

    @property
    def null_is_default(self) -> bool:
        """Whether null, sent for this field, sets it back to its default."""
        if isinstance(self.kind, Word):
            return self.kind.null_is_default
        return self.default is not None


def field(
    kind: ValueKind,
    label: str = "",
    group: StrEnum | None = None,
    *,
    owner: Owner,
    data: Data,
    announced: bool | None = None,
    settable: bool | None = None,
    required: bool = False,
    searched: bool = False,
    default: str | None = None,
) -> Any:
    """One line of a declaration. `owner` and `data` have no default: what nobody thought about cannot be declared.

    `label` is what people call it, in German; `group` is the heading it stands under on a person's page. `required`
    fields have to be given when a person is created; `searched` ones are looked through by a search. `announced` fields
    stand in API answers and events, `settable` ones callers of the API may write: both are all but the technical ones
    unless it is said otherwise.
    """
    for_people = owner is not Owner.TECHNICAL
    declared = Field(
        kind=kind,
        label=label,
        group=group,
        owner=owner,
        data=data,
        announced=for_people if announced is None else announced,
        settable=for_people if settable is None else settable,
        required=required,
        searched=searched,
        given_default=None if default is None else str(default),
    )
    return dataclasses.field(metadata={_DECLARED: declared})


@dataclass(frozen=True)
class Fields:
    """All fields of a person, in the order of the declaration."""

    all: tuple[Field, ...]

    def __iter__(self) -> Iterator[Field]:
        return iter(self.all)

    @cached_property
    def announced(self) -> tuple[Field, ...]:
        """What the API returns and events carry."""
        return tuple(field for field in self.all if field.announced)

    @cached_property
    def content(self) -> tuple[str, ...]:
        """The names of what a person is described by: changes of it are history, and announced."""
        return tuple(field.name for field in self.announced if field.owner is not Owner.TECHNICAL)

    @cached_property
    def settable(self) -> tuple[Field, ...]:
        """What callers of the API may write."""
        return tuple(field for field in self.all if field.settable)

    @cached_property
    def searched(self) -> tuple[str, ...]:
        """The names of what a search looks through."""
        return tuple(field.name for field in self.all if field.searched)

    @cached_property
    def labels(self) -> dict[str, str]:
        """What people call the fields, by name."""
        return {field.name: field.label for field in self.all if field.label}

    def owned_by(self, owner: Owner) -> tuple[str, ...]:
        """The names of the fields of this owner."""
        return tuple(field.name for field in self.all if field.owner is owner)

    def in_group(self, group: StrEnum) -> tuple[str, ...]:
        """The names of the fields under this heading."""
        return tuple(field.name for field in self.all if field.group is group)


def fields_of(declaration: type[Any]) -> Fields:
    """The fields that the dataclass declares."""
    types = get_type_hints(declaration)
    lines = dataclasses.fields(declaration)
    return Fields(tuple(replace(line.metadata[_DECLARED], name=line.name, type=types[line.name]) for line in lines))
