"""The present moment by the database's clock, and today as the people who use Curavani mean it.

Two machines that share a database may differ by hours. What one of them writes, the other one decides by: so both go by
the clock that they share, and their own only counts the seconds since they last read it.
"""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

GERMANY = ZoneInfo("Europe/Berlin")


@dataclass(slots=True)
class _Reading:
    """What the database's clock said, and when by the counter of this machine; nothing before it was first read."""

    moment: datetime | None = None
    counted: float = 0.0


# One clock for the process, as the machine's is.
_read = _Reading()


def set_clock(moment: datetime) -> None:
    """Tells what the database's clock says just now."""
    _read.moment, _read.counted = moment, time.monotonic()


def now() -> datetime:
    """The present moment, in UTC: the database's since the first connection to it, before that the machine's."""
    if _read.moment is None:
        return datetime.now(UTC)
    return (_read.moment + timedelta(seconds=time.monotonic() - _read.counted)).astimezone(UTC)


def today() -> date:
    """The calendar day in Germany, where patients, practices and staff are."""
    return now().astimezone(GERMANY).date()
