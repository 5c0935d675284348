"""JSON as PostgreSQL's JSON columns take it."""

import json
from datetime import date

import orjson


def json_text(value: object) -> str:
    """The value as compact JSON text; dates in ISO form, numbers with every digit."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits, which somebody may well write into a free document.
        return json.dumps(value, ensure_ascii=False, default=_as_text)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
