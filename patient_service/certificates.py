"""The certificate of an erasure: what it says, what can be answered on it, and the page that the person is given."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TypedDict

from sqlalchemy.engine import RowMapping

from shared.core.clock import GERMANY


class Certificate(TypedDict):
    """What an erasure removed, found outside the database, and left.

    `files` are the ledger's numbers, `copies` the paths of copies that no file of the ledger knows and that are still
    to go. `doubtful` are the numbers of files that may be the person's, `possible_duplicates` those of patients who may
    be the person, `decisions` the answers of people to both. `completed_at` is null until nothing of that is left open.
    """

    patient_id: int
    erased_at: str
    erased_by: str
    removed: dict[str, int]
    found: dict[str, int]
    files: list[int]
    copies: list[str]
    doubtful: list[int]
    possible_duplicates: list[int]
    decisions: list[dict[str, object]]
    not_reached: list[str]
    out_of_reach: list[str]
    completed_at: str | None


def complete(row: RowMapping) -> Certificate:
    """The certificate of a row of erasures. Of one that is known from the list beside the copies alone, or was made by
    an earlier version, some things are not on record.
    """
    unknown: Certificate = {
        "patient_id": row["patient_id"],
        "erased_at": row["erased_at"].isoformat(),
        "erased_by": row["erased_by"],
        "removed": {},
        "found": {},
        "files": [],
        "copies": [],
        "doubtful": [],
        "possible_duplicates": [],
        "decisions": [],
        "not_reached": [],
        "out_of_reach": [],
        "completed_at": None,
    }
    kept: Certificate = row["certificate"]
    return {**unknown, **kept}


def is_open(certificate: Certificate) -> bool:
    """Whether anything is still to be reached or answered."""
    return bool(certificate["not_reached"] or certificate["doubtful"] or certificate["possible_duplicates"])


@dataclass(frozen=True, slots=True)
class DoubtAnswers:
    """Answers to doubts, by number: files that are the person's, files and patients that are not."""

    also: Sequence[int] = ()
    keep: Sequence[int] = ()
    others: Sequence[int] = ()


_REMOVED: Mapping[str, str] = {
    "patient": "Eintrag der Person",
    "consents": "Einwilligungen",
    "field_changes": "Frühere Angaben",
    "reviews": "Offene und getroffene Entscheidungen",
    "outcomes": "Verweise auf Dateien",
    "corrections": "Korrekturen an Dateien",
    "findings": "Auffälligkeiten in Dateien",
    "events": "Gespeicherte Meldungen an andere Dienste",
    "reasons": "Notierte Begründungen",
    "local_copies": "Kopien der Anmeldungen",
    "unknown_copies": "Kopien ohne Eintrag",
    "cloud_objects": "Dateien im Cloud-Speicher",
}
_OUT_OF_REACH: Mapping[str, str] = {
    "kafka_retention": "Frühere Meldungen an unsere anderen Dienste verfallen dort von selbst; sie wurden aufgefordert,"
    " die Daten ebenfalls zu löschen.",
    "storage_soft_delete": "Der Betreiber des Cloud-Speichers kann gelöschte Dateien noch bis zu 7 Tage lang"
    " wiederherstellen.",
    "database_backups": "Ältere Datensicherungen enthalten die Daten, bis sie ablaufen. Würde eine zurückgespielt,"
    " löschen wir erneut.",
    "restored_from_list": "Die Datenbank wurde nach dieser Löschung aus einer Datensicherung wiederhergestellt."
    " Einzelheiten der Löschung sind deshalb nicht mehr bekannt.",
    "local_copies": "Kopien der Anmeldungen ließen sich noch nicht löschen; es wird von selbst erneut versucht.",
    "cloud_objects": "Der Cloud-Speicher war nicht erreichbar; es wird von selbst erneut versucht.",
    "tombstones": "Das Verzeichnis der Löschungen ließ sich noch nicht schreiben; es wird von selbst erneut versucht.",
}
_CHOICES: Mapping[object, str] = {
    "also": "Datei P{number}: gehört zur Person, ebenfalls gelöscht",
    "keep": "Datei P{number}: gehört einer anderen Person, nicht gelöscht",
    "others": "Eintrag {number}: ist eine andere Person, nicht gelöscht",
}
_PAGE = """<!doctype html>
<html lang="de"><head><meta charset="utf-8"><title>Bescheinigung über die Löschung</title>
<style>body{{font:11pt/1.5 sans-serif;max-width:42em;margin:2em auto;padding:0 1em}}
td{{padding:.1em 1em .1em 0;vertical-align:top}}h2{{font-size:1.1em;margin-top:1.5em}}
@media print{{body{{margin:0}}}}</style></head><body>
<h1>Bescheinigung über die Löschung personenbezogener Daten</h1>
<p>Nach Artikel 17 der Datenschutz-Grundverordnung haben wir die Daten zu Eintrag Nummer {patient_id} gelöscht.</p>
<table>{facts}</table>
{sections}
<p>Nach der Löschung bleiben nur verschlüsselte Prüfsummen, an denen wir dieselbe Anmeldung wiedererkennen, ohne zu
wissen, von wem sie ist, und diese Bescheinigung.</p>
</body></html>
"""


def certificate_page(certificate: Certificate) -> str:
    """The certificate in German, as a page of its own that can be printed. It names no file and no person."""
    completed = certificate["completed_at"]
    facts = {
        "Gelöscht am": _moment(certificate["erased_at"]),
        "Abgeschlossen am": _moment(completed) if completed else _unfinished(certificate),
    }
    sections = [
        _section("Sicher zur Person gehörend und gelöscht", _removed(certificate["removed"])),
        _section("Noch zu klären", _doubts(certificate)),
        _section("Geklärte Zweifel", _answered(certificate["decisions"])),
        _section("Noch nicht erreicht", _said(certificate["not_reached"])),
        _section("Das konnten wir nicht löschen", _said(certificate["out_of_reach"])),
    ]
    rows = "".join(f"<tr><td>{name}</td><td>{escape(value)}</td></tr>" for name, value in facts.items())
    return _PAGE.format(patient_id=certificate["patient_id"], facts=rows, sections="\n".join(filter(None, sections)))


def _unfinished(certificate: Certificate) -> str:
    return "noch nicht abgeschlossen" if is_open(certificate) else "nicht bekannt"


def _section(title: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h2>{title}</h2><ul>{items}</ul>" if items else ""


def _removed(counts: Mapping[str, int]) -> list[str]:
    return [f"{said}: {counts[name]}" for name, said in _REMOVED.items() if counts.get(name)]


def _doubts(certificate: Certificate) -> list[str]:
    files = [f"Datei P{number} gehört vielleicht zur Person" for number in certificate["doubtful"]]
    return files + [f"Eintrag {number} ist vielleicht dieselbe Person" for number in certificate["possible_duplicates"]]


def _answered(answers: Sequence[Mapping[str, object]]) -> list[str]:
    return [
        f"{_CHOICES[each['choice']].format(number=each['number'])} ({_moment(str(each['at']))})" for each in answers
    ]


def _said(sentences: Iterable[str]) -> list[str]:
    return [_OUT_OF_REACH.get(sentence.partition(":")[0], sentence) for sentence in sentences]


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(GERMANY):%d.%m.%Y, %H:%M} Uhr"
