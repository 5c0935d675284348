"""What every page of the console can use: who is signed in, where to go, and words for what the database holds."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, current_app, g, request, url_for

from shared.console import words
from shared.console.access import may
from shared.console.language import LANGUAGES, current_language, gist, meaning
from shared.console.sections import Section
from shared.core.tokens import Role
from shared.http.service import current_service


def add_context(console: Blueprint, sections: Sequence[Section]) -> None:
    """Hands the templates their common values."""

    @console.context_processor
    def values() -> dict[str, object]:
        service = current_service()
        return {
            "service_title": words.SERVICES[service.kernel.service_name],
            "service_name": service.kernel.service_name,
            "person": g.get("caller"),
            "caller_name": g.caller.name if "caller" in g else "",
            "sign_in_is_off": service.serving.api_auth == "off",
            "sections": [section for section in sections if may(section.role)],
            "here": _section_in_hand(),
            "language": current_language(),
            "languages": LANGUAGES,
            "may_read": may(Role.READ),
            "may_write": may(Role.WRITE),
            "may_operate": may(Role.OPERATE),
            "meaning": meaning,
            "gist": gist,
            "number": words.number,
            "review_number": words.review_number,
            "link_to": link_to,
            "words": words,
        }


def _section_in_hand() -> str:
    """The section that the page belongs to; empty for pages of none."""
    if request.endpoint == "console.index":
        return "overview"
    return (request.blueprint or "").removeprefix("console").removeprefix(".")


def link_to(endpoint: str, **values: Any) -> str | None:
    """The address of a page that another section may contribute; None where this service has no such page."""
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else None
