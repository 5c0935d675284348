"""German, and English as the second language. Messages in the code are English; the catalogue has the German ones."""

import re
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, has_request_context
from flask_babel import Babel, Domain, get_locale
from werkzeug.utils import cached_property

from shared.console import sessions
from shared.words.codes import describe

LANGUAGES: Final = {"de": "Deutsch", "en": "English"}
"""Each language in its own name; the first is the default."""
_DEFAULT: Final = next(iter(LANGUAGES))
_LOCALES: Final = {"de": "de_DE", "en": "en_GB"}
"""How dates and numbers are written; English as in Europe, with the day first."""


class _Catalogues(Domain):  # type: ignore[misc] # the library ships no types
    """Catalogues read from their sources when asked for: no compiled file could be missing or old."""

    def get_translations(self) -> NullTranslations:
        code = current_language()
        if code not in self.cache:
            self.cache[code] = _read_catalogue(code)
        found: NullTranslations = self.cache[code]
        return found


class _Babel(Babel):  # type: ignore[misc] # the library ships no types
    @cached_property
    def domain_instance(self) -> Domain:
        return _Catalogues()


def install_languages(app: Flask) -> None:
    """German unless the person chose otherwise; times as in Germany."""
    _Babel(
        app,
        default_locale=_LOCALES[_DEFAULT],
        default_timezone="Europe/Berlin",
        locale_selector=lambda: _LOCALES[_selected() or _DEFAULT],
    )


def current_language() -> str:
    """The code of the language in hand, `de` or `en`."""
    locale = get_locale()
    return str(locale.language) if locale is not None else _DEFAULT


def meaning(code: str) -> str:
    """What a code means and what to do about it, from the catalogue of codes."""
    described = describe(code)
    return described.german if current_language() == "de" else described.english


def gist(code: str) -> str:
    """The beginning of a code's meaning, for a list: what is the matter, without what to do."""
    return re.split(r"[.;:(,]", meaning(code), maxsplit=1)[0].strip()


def _selected() -> str | None:
    chosen = sessions.language() if has_request_context() else None
    return chosen if chosen in LANGUAGES else None


def _read_catalogue(code: str) -> NullTranslations:
    source = files("shared.console") / "translations" / code / "LC_MESSAGES" / "messages.po"
    if not source.is_file():
        return NullTranslations()
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return Translations(compiled)
