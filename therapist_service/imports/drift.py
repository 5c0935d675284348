"""When a field is filled so much less than usual that the source, or its scraper, must have changed. Pure rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from therapist_service.therapist import MAPPED_FIELDS

LEAST_RECORDS = 100
"""Below that a share says little: a day's first files, or a single postal code."""
EARLIER_DAYS = 5
"""What is usual is the median of so many scrapes; a change that stays is usual after three of them."""
_LEAST_DROP = 0.15
_LEAST_SHARE_OF_USUAL = 0.75
_RARE = 0.05
"""A field that fewer have may well be empty for once."""


@dataclass(frozen=True, slots=True)
class Fill:
    """How many records a scrape listed, and in how many of them each field was filled."""

    records: int
    filled: Mapping[str, int]

    def share(self, name: str) -> float:
        return self.filled.get(name, 0) / self.records


@dataclass(frozen=True, slots=True)
class Drop:
    """A field that is filled far less than usual; both in percent of the records."""

    usual: int
    now: int


def drops(latest: Fill, earlier: Sequence[Fill]) -> dict[str, Drop]:
    """The fields that dropped. `earlier` are scrapes of the same postal codes on other days, the latest of them first.

    A drop is at least 15 points and a quarter of what is usual (80 % to 60 %, 40 % to 25 %), or from at least 5 % to
    nothing. Days with fewer than `LEAST_RECORDS` say nothing.
    """
    usable = [fill for fill in earlier if fill.records >= LEAST_RECORDS][:EARLIER_DAYS]
    if latest.records < LEAST_RECORDS or not usable:
        return {}
    usual = {name: median(fill.share(name) for fill in usable) for name in MAPPED_FIELDS}
    return {
        name: Drop(round(100 * share), round(100 * latest.share(name)))
        for name, share in usual.items()
        if _dropped(share, latest.share(name))
    }


def _dropped(usual: float, present: float) -> bool:
    if present == 0:
        return usual >= _RARE
    # Shares are quotients of counts: 0.80 - 0.65 has to count as fifteen points.
    return round(usual - present, 6) >= _LEAST_DROP and present <= usual * _LEAST_SHARE_OF_USUAL
