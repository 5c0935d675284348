"""What axe, which knows the rules of accessible pages, finds on a page."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Only the violations leave the page: all that was found right is much to carry.
_RUN = "async options => (await axe.run(document, options)).violations"
_SCRIPT = Axe().axe_script
COLOURS: dict[str, Any] = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""The rules about colours, which are all that the dark theme changes."""


def violations(page: Page, **options: Any) -> list[dict[str, Any]]:
    """What breaks a rule on the page as it stands; options are axe's own."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_SCRIPT)
    found: list[dict[str, Any]] = page.evaluate(_RUN, {"resultTypes": ["violations"], **options})
    return found


def grave_faults(page: Page) -> list[tuple[str, str, str]]:
    """What is seriously wrong with the page in either theme; it must not move its colours from one to the other."""
    found = []
    for scheme, options in (("light", {}), ("dark", COLOURS)):
        page.emulate_media(color_scheme=scheme)
        grave = [entry for entry in violations(page, **options) if entry["impact"] in ("serious", "critical")]
        found += [(scheme, entry["id"], entry["nodes"][0]["html"]) for entry in grave]
    return found
