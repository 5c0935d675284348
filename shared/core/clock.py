"""Today, as the people who use Curavani mean it."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

GERMANY = ZoneInfo("Europe/Berlin")


def today() -> date:
    """The calendar day in Germany, where patients, practices and staff are."""
    return datetime.now(GERMANY).date()


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)
