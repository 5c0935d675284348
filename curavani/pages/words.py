"""The page of the technical words, `docs/words.md`, made from the console's words for them."""

from collections.abc import Mapping

from flask import Flask
from flask_babel import LazyString, force_locale

from shared.console import words
from shared.console.language import install_languages

_HEADER = """# Words

What stands in tables, in the API and on the command line, and what the console says for it.

Was in der Datenbank, in der Schnittstelle und auf der Kommandozeile steht, und was die Konsole dafür sagt.
"""

SECTIONS: Mapping[str, Mapping[str, LazyString | words.Badge]] = {
    "Status of a file · Status einer Datei": words.FILE_STATES,
    "How an attempt ended · Wie ein Versuch endete": words.ATTEMPTS,
    "Outcome of a record · Ergebnis eines Eintrags": words.OUTCOMES,
    "Rule by which somebody was recognised · Woran jemand erkannt wurde": words.RULES,
    "Kind of a review · Art einer Entscheidung": words.REVIEW_KINDS,
    "State of a review · Stand einer Entscheidung": words.REVIEW_STATES,
    "Choice in a review · Was entschieden wurde": words.CHOICES,
    "Action of a person · Was jemand getan hat": words.ACTIONS,
    "What was done with personal data · Was mit den Daten einer Person geschah": words.ACCESSES,
    "Kind of a mail · Art einer Mail": words.ALERTS,
    "Background work · Arbeit im Hintergrund": words.WORKERS,
    "State of background work · Stand der Arbeit": words.WORKER_STATES,
}


def words_page() -> str:
    """The page's text."""
    app = Flask(__name__)
    install_languages(app)
    with app.app_context():
        return _HEADER + "".join(_section(*section) for section in SECTIONS.items())


def _section(title: str, listed: Mapping[str, LazyString | words.Badge]) -> str:
    rows = [f"| `{word}` | {_said(meaning, 'de_DE')} | {_said(meaning, 'en_GB')} |" for word, meaning in listed.items()]
    return f"\n## {title}\n| word | Deutsch | English |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _said(meaning: LazyString | words.Badge, locale: str) -> str:
    with force_locale(locale):
        return str(meaning.word if isinstance(meaning, words.Badge) else meaning)
