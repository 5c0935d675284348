"""Documents made from the code they describe, so that neither can drift from the other: `python -m curavani.pages`."""

from collections.abc import Callable, Mapping

from curavani.pages.events import event_pages
from curavani.pages.settings import settings_page

PAGES: Mapping[str, Callable[[], str]] = {
    "docs/settings.md": settings_page,
    **event_pages(),
}
"""Each document's path below the project's root, and what makes its text."""
