"""Documents made from the code they describe, so that neither can drift from the other: `python -m curavani.pages`."""

from collections.abc import Callable, Mapping

from curavani.pages.codes import codes_page
from curavani.pages.commands import commands_page
from curavani.pages.environment import environment_example
from curavani.pages.events import event_pages
from curavani.pages.help import help_pages
from curavani.pages.inventory import inventory_page
from curavani.pages.metrics import metrics_page
from curavani.pages.roles import roles_page
from curavani.pages.settings import settings_page
from curavani.pages.words import words_page

PAGES: Mapping[str, Callable[[], str]] = {
    ".env.example": environment_example,
    "docs/codes.md": codes_page,
    "docs/commands.md": commands_page,
    "docs/data-inventory.md": inventory_page,
    "docs/metrics.md": metrics_page,
    "docs/roles.md": roles_page,
    "docs/settings.md": settings_page,
    "docs/words.md": words_page,
    **event_pages(),
    **help_pages(),
}
"""Each document's path below the project's root, and what makes its text."""
