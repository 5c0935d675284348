"""Documents made from the code they describe, so that neither can drift from the other: `python -m curavani.pages`."""

from collections.abc import Callable, Mapping

from curavani.pages.commands import commands_page
from curavani.pages.settings import settings_page

PAGES: Mapping[str, Callable[[], str]] = {
    "docs/commands.md": commands_page,
    "docs/settings.md": settings_page,
}
"""Each document's path below the project's root, and what makes its text."""
