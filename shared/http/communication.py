"""The history of mails and calls with a person, from the communication service."""

from collections.abc import Mapping
from typing import Any

import requests

from shared.core.errors import CuravaniError
from shared.words.codes import Code

_TIMEOUT = (2.0, 5.0)


class CommunicationUnavailable(CuravaniError):
    """The communication service does not answer as it should."""

    code = Code.COMMUNICATION_UNAVAILABLE


def communication_of(base_url: str | None, query: Mapping[str, int]) -> dict[str, Any]:
    """E-mails and calls, latest first, with their numbers; empty where no communication service is configured.

    Raises `CommunicationUnavailable`.
    """
    emails = _fetch(base_url, "/api/emails", query) if base_url else []
    calls = _fetch(base_url, "/api/phone-calls", query) if base_url else []
    entries = [{"type": "email", **entry} for entry in emails] + [{"type": "phone_call", **entry} for entry in calls]
    entries.sort(key=_moment, reverse=True)
    return {"total_emails": len(emails), "total_calls": len(calls), "communications": entries}


def _fetch(base_url: str, path: str, query: Mapping[str, int]) -> list[dict[str, Any]]:
    try:
        answer = requests.get(base_url.rstrip("/") + path, params=dict(query), timeout=_TIMEOUT)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError):
        # The client's text quotes the address with the person's number.
        raise CommunicationUnavailable from None
    data = found.get("data") if isinstance(found, dict) else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise CommunicationUnavailable
    return data


def _moment(entry: Mapping[str, Any]) -> str:
    known = ("sent_at", "created_at", "call_date", "scheduled_date", "date")
    return next((str(entry[name]) for name in known if entry.get(name)), "")
