"""Bars for the overview, as numbers that a template draws: a server-made picture needs no script and no library."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 8, 14, 30
_GAP = 0.35
"""Share of a column that is left empty between bars."""


@dataclass(frozen=True, slots=True)
class Column:
    """One bar: its parts from the ground up, each with a kind (a class of the style sheet) and a number; `figures` says
    them in words."""

    label: str
    figures: str
    parts: Sequence[tuple[str, int]]

    @property
    def total(self) -> int:
        return sum(number for _, number in self.parts)


@dataclass(frozen=True, slots=True)
class Box:
    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale, or a column's label, with where its text stands."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Strip:
    """The room of one column from top to ground, whatever its height, with its figures."""

    figures: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Boxes, texts and strips to point at in a field of `WIDTH` by `HEIGHT`."""

    boxes: Sequence[Box]
    scale: Sequence[Tick]
    labels: Sequence[Tick]
    strips: Sequence[Strip]
    left: float
    right: float


def stacked_bars(columns: Sequence[Column]) -> Plot:
    """Bars above a scale from 0 to a round number."""
    top = round_up(max((column.total for column in columns), default=0))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(columns), 1)
    ground, room = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    boxes, labels, strips = [], [], []
    for position, column in enumerate(columns):
        x, below = _LEFT + step * (position + _GAP / 2), 0
        for kind, number in column.parts:
            height = room * number / top
            if number:
                y = ground - room * below / top - height
                boxes.append(Box(kind, round(x, 1), round(y, 1), round(step * (1 - _GAP), 1), round(height, 1)))
            below += number
        strips.append(Strip(column.figures, round(_LEFT + step * position, 1), round(step, 1)))
        labels.append(Tick(column.label, round(_LEFT + step * (position + 0.5), 1), HEIGHT - 8))
    scale = [Tick(str(value), _LEFT - 8, round(ground - room * value / top, 1)) for value in _marks(top)]
    return Plot(boxes, scale, labels, strips, _LEFT, WIDTH - _RIGHT)


def round_up(number: int) -> int:
    """The next number of the kind 4, 10, 20, 40, 100, 200 …: halves of it are whole."""
    size = 1
    while True:
        for step in (4, 10, 20):
            if number <= step * size:
                return step * size
        size *= 10


def _marks(top: int) -> Sequence[int]:
    return (0, top // 2, top)
