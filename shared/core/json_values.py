"""Values that JSON has no form for."""

from collections.abc import Mapping
from datetime import date


def json_default(value: object) -> object:
    """For `default` of JSON writers: dates and times as ISO 8601 texts, rows as objects. Raises `TypeError`."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"No JSON value: {type(value).__name__}")
