"""The console's messages: `python -m curavani.messages` brings the German catalogue in line with code and templates.

New messages appear in it untranslated, those no longer used leave it; a test holds that none is missing, unsure or
left over.
"""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
PACKAGES = ("shared", "patient_service", "therapist_service")
CATALOGUE = Path("shared/console/translations/de/LC_MESSAGES/messages.po")
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
_OPTIONS = {"**/templates/**.html": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}}
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "lazy_gettext": None,
    "lazy_ngettext": (1, 2),
}


def extracted() -> Catalog:
    """Every message that the code and the templates hold, without places: those change with every line."""
    catalogue = Catalog(locale="de", charset="utf-8", fuzzy=False)
    for package in PACKAGES:
        found = extract_from_dir(
            str(ROOT / package), method_map=_METHODS, options_map=_OPTIONS, keywords=_KEYWORDS, comment_tags=()
        )
        for _file, _line, message, _comments, context in found:
            catalogue.add(message, context=context)
    return catalogue


def read() -> Catalog:
    """The German catalogue as it stands."""
    path = ROOT / CATALOGUE
    if not path.exists():
        return Catalog(locale="de", charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale="de")


def main() -> None:
    """Writes the catalogue anew."""
    catalogue = read()
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    with (ROOT / CATALOGUE).open("wb") as file:
        # Sorted and without dates, so that two branches seldom touch the same line.
        write_po(file, catalogue, width=120, omit_header=True, sort_output=True, no_location=True)


if __name__ == "__main__":
    main()
