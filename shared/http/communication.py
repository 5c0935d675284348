"""The history of mails and calls with a person, from the communication service."""

from collections.abc import Mapping

import requests

from shared.core.errors import CuravaniError
from shared.http.answers import Answer
from shared.words.codes import Code

_TIMEOUT = (2.0, 5.0)
Entry = dict[str, object]


class CommunicationUnavailable(CuravaniError):
    """The communication service does not answer as it should."""

    code = Code.COMMUNICATION_UNAVAILABLE


class CommunicationHistory(Answer):
    """E-mails and calls as the communication service has them, with `type` (`email` or `phone_call`), latest first."""

    total_emails: int
    total_calls: int
    communications: list[Entry]


def communication_of(base_url: str | None, query: Mapping[str, int]) -> CommunicationHistory:
    """The history; empty where no communication service is configured. Raises `CommunicationUnavailable`."""
    emails = _fetch(base_url, "/api/emails", query) if base_url else []
    calls = _fetch(base_url, "/api/phone-calls", query) if base_url else []
    entries = [{"type": "email", **entry} for entry in emails] + [{"type": "phone_call", **entry} for entry in calls]
    entries.sort(key=_moment, reverse=True)
    return CommunicationHistory(total_emails=len(emails), total_calls=len(calls), communications=entries)


def _fetch(base_url: str, path: str, query: Mapping[str, int]) -> list[Entry]:
    try:
        answer = requests.get(base_url.rstrip("/") + path, params=dict(query), timeout=_TIMEOUT)
        answer.raise_for_status()
        found: object = answer.json()
    except (requests.RequestException, ValueError):
        # The client's text quotes the address with the person's number.
        raise CommunicationUnavailable from None
    data = found.get("data") if isinstance(found, dict) else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise CommunicationUnavailable
    return data


def _moment(entry: Entry) -> str:
    known = ("sent_at", "created_at", "call_date", "scheduled_date", "date")
    return next((str(entry[name]) for name in known if entry.get(name)), "")
