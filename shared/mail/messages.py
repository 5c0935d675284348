"""German plain-text mails from alert rows: numbers, codes and what to do; never a name, an address or a file name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import make_msgid, parseaddr

from shared.core.settings import MailSettings
from shared.mail.digest_text import GIST, counted, detail_of, digest_text, grouped, state_of
from shared.words.codes import explain
from shared.words.statuses import AlertKind

_IMPORTS = {"patient": "Patienten-Import", "therapist": "Therapeuten-Import"}
_STATES: Mapping[str, str] = {
    AlertKind.PROBLEM: "",
    AlertKind.REMINDER: "weiterhin offen",
    AlertKind.RESOLVED: "behoben",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One row to tell of; `import_id` where it is about a file. `detail` holds ids, counts and codes."""

    kind: str
    code: str
    import_id: int | None
    detail: Mapping[str, object] = field(default_factory=dict)


def compose(
    settings: MailSettings, service_name: str, alerts: Sequence[Alert], console_base_url: str | None, moment: datetime
) -> EmailMessage:
    """One mail about all of them, to whom the settings say."""
    message = EmailMessage()
    message["Subject"] = subject(service_name, alerts)
    message["From"] = settings.sender
    message["To"] = settings.recipient
    message["Date"] = moment
    message["Message-ID"] = make_msgid(domain=parseaddr(settings.sender)[1].rpartition("@")[2] or "curavani")
    message.set_content(body(service_name, alerts, console_base_url))
    return message


def subject(service_name: str, alerts: Sequence[Alert]) -> str:
    """The subject of one mail about all of them."""
    return f"[Curavani] {_IMPORTS[service_name]}: {_gist(alerts)}"


def body(service_name: str, alerts: Sequence[Alert], console_base_url: str | None) -> str:
    """A paragraph per alert: which file, what it means and what to do, and where to look. A digest has its own text."""
    if alerts[0].kind == AlertKind.DIGEST:
        return "\n\n".join([digest_text(detail_of(alerts[0].detail)), _closing(console_base_url)]) + "\n"
    paragraphs = [_paragraph(service_name, alert, console_base_url) for alert in alerts]
    return "\n\n".join([*paragraphs, _closing(console_base_url)]) + "\n"


def _gist(alerts: Sequence[Alert]) -> str:
    kinds = {alert.kind for alert in alerts}
    if kinds == {AlertKind.DIGEST}:
        return f"Tagesbericht, {GIST[state_of(detail_of(alerts[0].detail))]}"
    if kinds == {AlertKind.RESOLVED}:
        return "Problem behoben" if len(alerts) == 1 else f"{grouped(len(alerts))} Probleme behoben"
    files = [alert for alert in alerts if alert.import_id is not None and alert.kind != AlertKind.RESOLVED]
    others = [alert for alert in alerts if alert.import_id is None and alert.kind != AlertKind.RESOLVED]
    parts = []
    if files:
        parts.append(counted(len(files), "Datei", "Dateien") + " fehlgeschlagen")
    if others:
        parts.append("Störung" if len(others) == 1 else f"{grouped(len(others))} Störungen")
    reminded = "Erinnerung: " if AlertKind.PROBLEM not in kinds else ""
    return reminded + ", ".join(parts)


def _paragraph(service_name: str, alert: Alert, console_base_url: str | None) -> str:
    about = _IMPORTS[service_name] if alert.import_id is None else f"Datei {service_name[0].upper()}{alert.import_id}"
    state = _STATES.get(alert.kind, alert.kind)
    lines = [f"{about}: {alert.code}" + (f" ({state})" if state else "")]
    if alert.kind != AlertKind.RESOLVED:
        reason = alert.detail.get("reason")
        lines.append(explain(alert.code, None if reason is None else str(reason)).german)
    if "field" in alert.detail:
        lines.append(
            "Feld {label}: {now} % statt sonst {usual} % gefüllt.".format_map(
                {"label": alert.detail["field"], **alert.detail}
            )
        )
    if "number" in alert.detail:
        lines.append("Anzahl: {number}.".format(**alert.detail))
    if "generation" in alert.detail:
        lines.append("Generation des Objekts: {generation}.".format(**alert.detail))
    if alert.import_id is not None and console_base_url:
        lines.append(f"{console_base_url.rstrip('/')}/console/imports/{alert.import_id}")
    return "\n".join(lines)


def _closing(console_base_url: str | None) -> str:
    if console_base_url:
        return f"Übersicht: {console_base_url.rstrip('/')}/console"
    return "Diese Nachricht wurde automatisch erstellt."
