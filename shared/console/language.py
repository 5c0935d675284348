"""German, and English as the second language. Messages in the code are English; the catalogue has the German ones."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Final

from flask import Flask, has_request_context
from flask_babel import Babel, force_locale, format_decimal, get_locale, get_translations

from shared.console import sessions
from shared.words.codes import describe

LANGUAGES: Final = {"de": "Deutsch", "en": "English"}
"""Each language in its own name; the first is the default."""
_DEFAULT: Final = next(iter(LANGUAGES))
_LOCALES: Final = {"de": "de_DE", "en": "en_GB"}
"""How dates and numbers are written; English as in Europe, with the day first."""


def install_languages(app: Flask) -> None:
    """German unless the person chose otherwise; times as in Germany."""
    Babel(
        app,
        default_translation_directories=str(files("shared.console") / "translations"),
        default_locale=_LOCALES[_DEFAULT],
        default_timezone="Europe/Berlin",
        locale_selector=lambda: _LOCALES[_selected() or _DEFAULT],
    )
    app.jinja_env.install_gettext_callables(_said, _counted, newstyle=True)  # type: ignore[attr-defined]


@contextmanager
def in_german() -> Iterator[None]:
    """The console's words in German, also where no request is in hand, as on the command line."""
    app = Flask(__name__)
    install_languages(app)
    with app.app_context(), force_locale(_LOCALES["de"]):
        yield


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


def ngettext(singular: str, plural: str, num: int, **variables: str) -> str:
    """The message for so many, its number written as people write it: `10.024 Einträge`."""
    return _counted(singular, plural, num) % variables


def _counted(singular: str, plural: str, num: int) -> str:
    return str(get_translations().ungettext(singular, plural, num)).replace("%(num)s", format_decimal(num))


def _said(message: str) -> str:
    return str(get_translations().ugettext(message))


def _selected() -> str | None:
    chosen = sessions.language() if has_request_context() else None
    return chosen if chosen in LANGUAGES else None
