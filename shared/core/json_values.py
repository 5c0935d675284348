"""Values that JSON has no form for."""

from collections.abc import Mapping
from datetime import date, datetime


def json_default(value: object) -> object:
    """For `default` of JSON writers: dates and times as ISO 8601 texts, rows as objects. Raises `TypeError`.

    Times always have microseconds, as events carry them, so that their texts sort as they do.
    """
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"No JSON value: {type(value).__name__}")
