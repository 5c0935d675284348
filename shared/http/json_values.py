"""Database values as JSON ones."""

from collections.abc import Mapping
from datetime import date
from typing import Any


def plain(value: Any) -> Any:
    """Dates and times as ISO 8601 texts, rows as objects; everything else as it is."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    return value
