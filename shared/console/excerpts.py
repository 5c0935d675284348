"""A text with the place marked at which it cannot be read."""

from dataclasses import dataclass

from shared.text.json_faults import Position

_AROUND = 40
_LARGEST = 20_000
"""Characters of a file that a page shows; the whole is there to download."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The place at which a text cannot be read, with what stands around it."""

    place: Position
    before: str
    at: str
    after: str


def excerpt_of(text: str, place: Position, around: int = _AROUND) -> Excerpt:
    """The place with some of its line around it."""
    line, index = [*text.split("\n"), ""][place.line - 1], place.column - 1
    return Excerpt(place, line[max(0, index - around) : index], line[index : index + 1], line[index + 1 :][:around])


def whole_text(text: str, place: Position) -> Excerpt:
    """The text as it came with the place marked; of a very long one what stands around it."""
    lines = text.split("\n")
    index = sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column - 1
    begin = max(0, index - _LARGEST // 2)
    return Excerpt(place, text[begin:index], text[index : index + 1], text[index + 1 : begin + _LARGEST])
