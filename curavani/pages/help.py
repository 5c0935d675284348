"""The console's help, made from the handbook: what people read there and in the console is one text."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path

from markdown_it import MarkdownIt

HANDBOOK = Path(__file__).parents[2] / "docs" / "handbook.md"
_FOLDER = "shared/console/templates/console/help"
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_OF_OTHER_DOCUMENT = re.compile(r'<a href="[^"#?][^"]*">(.*?)</a>')
_OF_HANDBOOK = re.compile(r'<a href="#')
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_REGION = '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table>'
_MARKDOWN = MarkdownIt("commonmark").enable("table")


def help_pages() -> Mapping[str, Callable[[], str]]:
    """A template of each section, by its path; read where there is a checkout, which alone has the handbook."""
    if not HANDBOOK.is_file():
        return {}
    return {f"{_FOLDER}/{_file_name(title)}.html": partial(_page, title, text) for title, text in _sections()}


def slug(title: str) -> str:
    """The anchor of a heading, as links in the handbook have it."""
    return re.sub(r"[^\w-]", "", title.lower().replace(" ", "-"))


def _file_name(title: str) -> str:
    return slug(title).translate(_UMLAUTS)


def _sections() -> Iterator[tuple[str, str]]:
    parts = _SECTION.split(HANDBOOK.read_text(encoding="utf-8"))
    yield from zip(parts[1::2], parts[2::2], strict=True)


def _page(title: str, text: str) -> str:
    html = _MARKDOWN.render(text)
    # A link within the handbook leads to the page that has all of it; other documents are not here.
    html = _OF_OTHER_DOCUMENT.sub(r"\1", _OF_HANDBOOK.sub('<a href="?#', html))
    # Regions of one page need a name each.
    numbers = count(1)
    html = re.sub("<table>", lambda _: _REGION.format(f"{title}: Tabelle {next(numbers)}"), html)
    html = html.replace("</table>", "</table></div>")
    anchor = slug(title)
    opening = f'<section class="card help-text" aria-labelledby="{anchor}">\n<h2 id="{anchor}">{title}</h2>\n'
    return f"{opening}{html}</section>\n"
