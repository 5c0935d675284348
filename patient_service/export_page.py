"""What a patient is told of what is held about them (Art. 15 GDPR), as a page in German."""

from collections.abc import Mapping
from datetime import datetime

from flask_babel import LazyString, lazy_gettext
from jinja2 import Environment, PackageLoader

from patient_service.export import Export
from patient_service.models import kernel
from patient_service.patient import PATIENT, Group
from shared.console import words
from shared.console.language import in_german
from shared.core.clock import GERMANY

_WORDS: Mapping[str, Mapping[str, LazyString | words.Badge]] = {
    "kind": {**words.REVIEW_KINDS, **words.RESTRICTIONS},
    "state": words.REVIEW_STATES,
    "choice": words.CHOICES,
    "action": {**words.ACCESSES, **words.ACTIONS},
    "event_type": {
        "patient.created": lazy_gettext("New entry"),
        "patient.updated": lazy_gettext("changed"),
        "patient.status_changed": lazy_gettext("New status"),
        "patient.deleted": lazy_gettext("deleted"),
    },
}
"""The technical words, by the column that they stand in."""

_ACTORS = ("set_by", "corrected_by", "changed_by", "decided_by", "actor")


def export_page(export: Export) -> str:
    """All that is held, in words for the person."""
    loader = PackageLoader("patient_service")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"said": _said, "worded": _worded, "in_order": words.in_order_of_the_week}
    fields = [(PATIENT.labels[name], export.patient[name]) for group in Group for name in PATIENT.in_group(group)]
    with in_german():
        page = environment.get_template("export.html")
        return page.render(export=export, fields=fields, labels=PATIENT.labels)


def _said(value: object) -> str:
    """A value as people write it."""
    if isinstance(value, datetime):
        return f"{value.astimezone(GERMANY):%d.%m.%Y, %H:%M} Uhr"
    return words.value(value) or "–"


def _worded(value: object, column: str) -> object:
    """A cell of this column: a technical word, a place or an actor as people call it, anything else as it is."""
    if column in _ACTORS:
        kind, _, name = str(value or "").partition(":")
        return f"Datei {kernel.number(name)}" if kind == "import" else name
    if column in ("pointer", "field"):
        name = str(value).rpartition("/")[2]
        return PATIENT.labels.get(name, value)
    found = _WORDS.get(column, {}).get(str(value))
    return value if found is None else str(found.word if isinstance(found, words.Badge) else found)
