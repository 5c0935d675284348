"""What every page of the console can use: who is signed in, where to go, and words for what the database holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, current_app, g, request, url_for
from flask_babel import LazyString, lazy_gettext

from shared.console import words
from shared.console.access import may, who_may
from shared.console.language import LANGUAGES, current_language, gist, meaning
from shared.console.sections import Section
from shared.core.tokens import Role
from shared.http.service import Service, current_service

_DEEDS: Mapping[str, tuple[Role, LazyString]] = {
    "see": (Role.READ, lazy_gettext("Names and values can be seen by: %(names)s.")),
    "change": (Role.WRITE, lazy_gettext("Entries can be changed by: %(names)s.")),
    "correct": (Role.WRITE, lazy_gettext("Registrations can be corrected by: %(names)s.")),
    "mend": (Role.OPERATE, lazy_gettext("Further attempts and discarding are for these: %(names)s.")),
    "decide": (Role.OPERATE, lazy_gettext("Decisions are for these: %(names)s.")),
    "settle": (Role.OPERATE, lazy_gettext("Decisions and further attempts are for these: %(names)s.")),
    "erase": (Role.OPERATE, lazy_gettext("Entries can be erased by: %(names)s.")),
}
"""What takes a greater role than some have, and how a page says whom they can ask."""


def add_context(console: Blueprint, sections: Sequence[Section]) -> None:
    """Hands the templates their common values."""

    @console.context_processor
    def values() -> dict[str, object]:
        service = current_service()
        return {
            "service_title": words.SERVICES[service.kernel.service_name],
            "service_name": service.kernel.service_name,
            "consoles": _consoles(service),
            "searched": "",
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
            "who_can": _who_can,
            "meaning": meaning,
            "gist": gist,
            "number": words.number,
            "review_number": words.review_number,
            "link_to": link_to,
            "words": words,
        }


def _consoles(service: Service) -> list[tuple[str, str]]:
    """Both services' consoles as name and address, in the same order on either; only ours where nobody named the
    other's."""
    other = service.serving.other_console_url
    if other is None:
        return []
    address = f"{other.rstrip('/').removesuffix('/console')}/console"
    here = service.kernel.service_name
    return [(str(title), url_for("console.index") if name == here else address)
            for name, title in words.CONSOLES.items()]  # fmt: skip


def _who_can(deed: str) -> str:
    """Whom to ask for what the person who is signed in may not do; empty where they may themselves."""
    role, sentence = _DEEDS[deed]
    return "" if may(role) else str(sentence) % {"names": who_may(role)}


def _section_in_hand() -> str:
    """The section that the page belongs to; empty for pages of none."""
    own = {"console.index": "overview", "console.search": "search", "console.find": "search"}
    if request.endpoint in own:
        return own[request.endpoint]
    return (request.blueprint or "").removeprefix("console").removeprefix(".")


def link_to(endpoint: str, **values: Any) -> str | None:
    """The address of a page that another section may contribute; None where this service has no such page."""
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else None
