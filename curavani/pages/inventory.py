"""What is stored in which table and column, for the record of processing activities (Art. 30 GDPR).

A test holds that every column of every table is classified here: a column that is added has to say whose data it holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from patient_service.patient import PATIENT
from shared.database.tables import OUTCOME_COUNTS
from shared.fields.declaration import Data, Fields
from therapist_service.therapist import THERAPIST

KINDS: Mapping[Data, str] = {
    Data.HEALTH: "Gesundheitsdaten (Art. 9 DSGVO)",
    Data.PERSON: "Angaben zu einer Person",
    Data.STAFF: "Wer von uns gehandelt hat, und Freitext von Mitarbeitenden",
    Data.TECHNICAL: "Technik, ohne Angaben zu einer Person",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """One table: what for, how long, and what an erasure leaves. German, because its readers are."""

    purpose: str
    kept: str
    erasure: str
    columns: Mapping[Data, tuple[str, ...]]


def _by_data(fields: Fields) -> Mapping[Data, tuple[str, ...]]:
    """The columns of a table of people, as their declaration sorts them."""
    return {data: tuple(field.name for field in fields if field.data is data) for data in Data}


_NOBODY = "betrifft niemanden"

PATIENTS: Mapping[str, Stored] = {
    "patienten": Stored(
        "Patientinnen und Patienten. Schon dass jemand hier steht, ist eine Angabe zur Gesundheit.",
        "bis zur Löschung durch eine Person; keine selbsttätige Frist",
        "die Zeile wird entfernt",
        _by_data(PATIENT),
    ),
    "patient_consents": Stored(
        "Nachweis der Einwilligung (Art. 7 Abs. 1 DSGVO), nur zum Anfügen; eine Zeile je Anmeldung.",
        "so lange wie die Patientin oder der Patient",
        "die Zeilen werden entfernt",
        {
            Data.PERSON: (
                "patient_id", "registration_token", "registration_timestamp", "given_at", "moment", "ip_address",
                "user_agent", "document",
            ),
            Data.TECHNICAL: ("id", "file_hash", "import_id", "created_at"),
        },
    ),
    "import_corrections": Stored(
        "Was jemand an einer fehlgeschlagenen Anmeldung berichtigt hat: jede Stelle mit beiden Werten, und warum.",
        "so lange wie die Patientin oder der Patient",
        "die Zeilen werden entfernt",
        {
            Data.HEALTH: ("old_value", "new_value", "reason"),
            Data.PERSON: ("pointer",),
            Data.STAFF: ("corrected_by",),
            Data.TECHNICAL: ("id", "import_id", "corrected_at"),
        },
    ),
    "restrictions": Stored(
        "Einschränkung der Verarbeitung (Art. 18 DSGVO) und Widerruf der Einwilligung (Art. 7 Abs. 3), mit Grund.",
        "so lange wie die Patientin oder der Patient",
        "die Zeilen werden entfernt",
        {
            Data.HEALTH: ("reason", "lifted_reason"),
            Data.PERSON: ("patient_id", "kind"),
            Data.STAFF: ("set_by", "lifted_by"),
            Data.TECHNICAL: ("id", "set_at", "lifted_at"),
        },
    ),
    "erasures": Stored(
        "Bescheinigung einer Löschung: Zahlen und Codes, keine Angaben zur Person außer der früheren Nummer.",
        "unbefristet, als Nachweis",
        "entsteht durch die Löschung",
        {Data.STAFF: ("erased_by",), Data.TECHNICAL: ("id", "patient_id", "erased_at", "certificate")},
    ),
    "tombstones": Stored(
        "Mit einem Schlüssel gebildete Prüfsummen gelöschter Anmeldungen (Pseudonyme), damit dieselbe Datei niemanden"
        " zurückbringt.",
        "unbefristet, zum Schutz der gelöschten Person",
        "entsteht durch die Löschung",
        {Data.PERSON: ("digest",), Data.TECHNICAL: ("kind", "erasure_id")},
    ),
    "digest_key": Stored(
        "Der Schlüssel dieser Prüfsummen.", "unbefristet", _NOBODY,
        {Data.TECHNICAL: ("only", "key", "names_are_keyed", "secret_fingerprint")},
    ),
}  # fmt: skip

THERAPISTS: Mapping[str, Stored] = {
    "therapeuten": Stored(
        "Psychotherapeutische Praxen: öffentliche Angaben des Arztverzeichnisses und unsere eigenen.",
        "unbefristet; wer aus dem Verzeichnis verschwindet, wird `inaktiv`, nicht entfernt",
        "die Zeile wird entfernt (`DELETE /api/therapists/{id}`, `curavani therapists erase`)",
        _by_data(THERAPIST),
    ),
    "scrape_fill": Stored(
        "Wie viele Datensätze jedes Abrufs welches Feld füllen, um Lücken der Quelle zu bemerken.",
        "unbefristet",
        _NOBODY,
        {Data.TECHNICAL: ("scrape_day", "zip", "records", "filled")},
    ),
    "scrape_days": Stored(
        "Wie viele aktive Praxen jede Postleitzahl vor einem Tag der Arztsuche hatte.",
        "unbefristet",
        _NOBODY,
        {Data.TECHNICAL: ("scrape_day", "active_before")},
    ),
    "proposed_deletions": Stored(
        "Welche Praxen eine Datei als gelöscht meldet, und was daraus wurde.",
        "unbefristet",
        "die Zeilen zur Person werden entfernt",
        {
            Data.PERSON: ("entity_id",),
            Data.TECHNICAL: ("import_id", "record_index", "scrape_day", "zip", "said_at", "rule", "outcome"),
        },
    ),
    "suppressions": Stored(
        "Mit einem Schlüssel gebildete Prüfsummen von Personen, die widersprochen haben (Pseudonyme), damit die"
        " Arztsuche sie nicht zurückbringt.",
        "bis jemand es zurücknimmt (`curavani therapists allow`)",
        "entsteht durch die Löschung",
        {
            Data.PERSON: ("known_by", "resembles"),
            Data.STAFF: ("erased_by",),
            Data.TECHNICAL: ("id", "erased_at", "certificate"),
        },
    ),
    "digest_key": Stored(
        "Der Schlüssel dieser Prüfsummen.", "unbefristet", _NOBODY,
        {Data.TECHNICAL: ("only", "key", "secret_fingerprint")},
    ),
}  # fmt: skip

KERNEL: Mapping[str, Stored] = {
    "import_tracking": Stored(
        "Das Verzeichnis der Dateien: was kam, was daraus wurde. Der Name einer Anmeldung nennt die Person.",
        "unbefristet",
        "Name, Prüfsumme, Begründung und Pfad der Kopie werden geleert; die Zahlen bleiben",
        {
            Data.PERSON: ("file_name", "local_path", "file_hash"),
            Data.STAFF: ("discard_reason",),
            Data.TECHNICAL: (
                "id", "source_key", "bucket", "uploaded_at", "file_version", "file_size", "zip", "scrape_date",
                "scrape_day",
                "mapping_version",
                "status", "attempts", "round_attempts", "interruptions", "next_attempt_at", "error_code",
                "delete_source", "copy_removed_at", "first_seen_at", "processed_at", "duration_ms", "source_deleted_at",
                *OUTCOME_COUNTS,
            ),
        },
    ),
    "import_attempts": Stored(
        "Jeder Versuch mit einer Datei: wann, und wie er endete.", "unbefristet", _NOBODY,
        {Data.TECHNICAL: ("import_id", "number", "started_at", "ended_at", "status", "code")},
    ),
    "import_outcomes": Stored(
        "Was aus jedem Datensatz einer Datei wurde.", "unbefristet", "die Nummer der Person wird geleert",
        {Data.PERSON: ("entity_id",), Data.TECHNICAL: ("id", "import_id", "record_index", "outcome", "code", "rule")},
    ),
    "import_findings": Stored(
        "Fundstellen in Dateien: Ort und Code, nie ein Wert. Ein unbekannter Feldname steht im Ort.",
        "unbefristet", "die Zeilen zu den Dateien der Person werden entfernt",
        {Data.TECHNICAL: ("id", "import_id", "record_index", "pointer", "code", "records")},
    ),
    "import_passes": Stored(
        "Die Durchläufe: wann, wie viele Dateien, was fehlte.", "unbefristet", _NOBODY,
        {
            Data.STAFF: ("actor",),
            Data.TECHNICAL: (
                "id", "started_at", "finished_at", "trigger", "counts", "ignored", "error_code", "next_pass_at",
            ),
        },
    ),
    "field_changes": Stored(
        "Jede Änderung an einer Person, mit altem und neuem Wert. Bei Patienten sind das Gesundheitsdaten.",
        "so lange wie die Person", "die Zeilen werden entfernt",
        {
            Data.HEALTH: ("old_value", "new_value"),
            Data.PERSON: ("entity_id", "field"),
            Data.STAFF: ("changed_by",),
            Data.TECHNICAL: ("id", "changed_at"),
        },
    ),
    "reviews": Stored(
        "Fragen, die eine Person entscheidet, mit den Angaben, um die es geht.", "unbefristet",
        "Angaben, Nummern und Kommentar werden geleert; eine offene Frage wird geschlossen",
        {
            Data.HEALTH: ("detail",),
            Data.PERSON: ("entity_id", "other_id"),
            Data.STAFF: ("comment", "decided_by"),
            Data.TECHNICAL: (
                "id", "kind", "state", "import_id", "record_index", "fingerprint", "choice", "decided_at", "created_at",
            ),
        },
    ),
    "operator_actions": Stored(
        "Was Mitarbeitende an Dateien, Fragen und Personen getan haben, mit Begründung und Notizen.", "unbefristet",
        "Begründungen und Notizen zu den Dateien der Person werden geleert",
        {
            Data.PERSON: ("entity_id",),
            Data.STAFF: ("actor", "reason"),
            Data.TECHNICAL: ("id", "action", "import_id", "review_id", "at"),
        },
    ),
    "event_outbox": Stored(
        "Ereignisse für die anderen Dienste, mit allen Angaben zur Person, bis Kafka sie bestätigt hat.",
        "nach dem Versand 7 Tage", "alle Ereignisse der Person werden entfernt; die Meldung der Löschung geht hinaus",
        {
            Data.HEALTH: ("payload",),
            Data.PERSON: ("key",),
            Data.TECHNICAL: ("id", "event_id", "event_type", "topic", "created_at", "sent_at", "parked_code"),
        },
    ),
    "alert_outbox": Stored(
        "Mails an uns: Nummer und Code, keine Angaben zur Person.", "unbefristet", "offene Meldungen enden",
        {
            Data.TECHNICAL: (
                "id", "kind", "code", "import_id", "fingerprint", "detail", "created_at", "sent_at", "resolved_at",
                "send_attempts", "next_attempt_at",
            ),
        },
    ),
    "worker_heartbeats": Stored(
        "Lebenszeichen der Prozesse.", "2 Tage", _NOBODY,
        {Data.TECHNICAL: ("worker", "process", "state", "started_at", "beat_at", "detail")},
    ),
    "access_log": Stored(
        "Wer wann welche Person oder Datei angesehen oder geändert hat, über Konsole und API. Die Datenbank lässt keine"
        " Zeile ändern.",
        "`ACCESS_LOG_RETENTION_DAYS`, voreingestellt 365 Tage", "bleibt, mit der früheren Nummer, als Nachweis",
        {
            Data.PERSON: ("entity_id",),
            Data.STAFF: ("actor",),
            Data.TECHNICAL: ("id", "at", "action", "import_id", "route"),
        },
    ),
    "sessions": Stored(
        "Wer an der Konsole angemeldet ist.", "bis zur Abmeldung, höchstens 12 Stunden", _NOBODY,
        {Data.STAFF: ("name", "began_at", "seen_at"), Data.TECHNICAL: ("digest", "proof")},
    ),
    "refused_callers": Stored(
        "Adressen, von denen falsche Zugangsschlüssel kamen, und Prüfsummen ihrer Anfänge, damit niemand sie"
        " durchprobiert.",
        "eine Stunde nach dem letzten Versuch", _NOBODY,
        {Data.PERSON: ("address",), Data.TECHNICAL: ("refused_at", "blocked_until")},
    ),
}  # fmt: skip

_HEADER = """# Verzeichnis der gespeicherten Daten

Jede Tabelle und jede Spalte, wozu sie da ist, wie lange sie bleibt und was eine Löschung (`curavani patients erase`)
mit ihr macht. [data-protection.md](data-protection.md) sagt, was außerhalb der Datenbank liegt und wer was sieht.
"""


def inventory_page() -> str:
    """The page's text."""
    sections = (
        ("Nur im Schema `patient_service`", PATIENTS),
        ("Nur im Schema `therapist_service`", THERAPISTS),
        ("In beiden Schemas", KERNEL),
    )
    return _HEADER + "".join(text for title, tables in sections for text in _section(title, tables))


def _section(title: str, tables: Mapping[str, Stored]) -> Iterator[str]:
    yield f"\n## {title}\n"
    for name, stored in tables.items():
        yield f"\n### `{name}`\n{stored.purpose}\n\n"
        yield f"- **Aufbewahrung:** {stored.kept}\n- **Löschung:** {stored.erasure}\n"
        for data, label in KINDS.items():
            columns = ", ".join(f"`{column}`" for column in stored.columns.get(data, ()))
            if columns:
                yield f"- **{label}:** {columns}\n"
