"""Help for each page: the sections of the handbook that it needs, as templates made from that (`make docs`)."""

from collections.abc import Mapping

from flask import Blueprint, render_template

from shared.core.tokens import Role
from shared.http.auth import needs
from shared.http.requests import word

SECTIONS = (
    "worum-es-geht",
    "die-konsole",
    "suchen-und-listen",
    "wenn-eine-mail-kommt",
    "eine-datei-ist-fehlgeschlagen",
    "eine-stoerung",
    "zu-entscheiden",
    "jemand-verlangt-loeschung-oder-auskunft",
    "wer-was-angesehen-hat",
    "einmal-in-der-woche",
    "was-nie-passieren-darf",
)
"""The handbook's sections in its order."""
_OF_PAGE: Mapping[str, tuple[str, ...]] = {
    "overview": ("die-konsole", "eine-stoerung", "einmal-in-der-woche"),
    "search": ("suchen-und-listen",),
    "imports": ("eine-datei-ist-fehlgeschlagen", "suchen-und-listen"),
    "reviews": ("zu-entscheiden",),
    "people": ("suchen-und-listen", "jemand-verlangt-loeschung-oder-auskunft"),
    "accesses": ("wer-was-angesehen-hat",),
}


def add_help(console: Blueprint) -> None:
    """The help at `/console/help`; `?about=` names the page that it is for."""
    console.get("/help", endpoint="help")(needs(Role.LOOK)(_help))


def _help() -> str:
    chapters = _OF_PAGE.get(word("about") or "", SECTIONS)
    return render_template("console/help.html", chapters=chapters, is_whole=chapters is SECTIONS)
