"""The first page: is all well, and what is there to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from babel.dates import format_skeleton
from flask import Blueprint, redirect, render_template, url_for
from flask_babel import (
    LazyString,
    format_date,
    format_decimal,
    format_timedelta,
    get_locale,
    gettext,
    lazy_gettext,
)

from shared.console import plot, words
from shared.console.access import may
from shared.console.corrections import Correcting
from shared.console.figures import Compared, Week, compared, weeks
from shared.console.language import meaning, ngettext
from shared.console.needs import FailedFile, needs_somebody
from shared.core.clock import today
from shared.core.dependencies import Check
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.accesses import note_list
from shared.http.auth import needs
from shared.http.service import Service, current_service
from shared.imports import care
from shared.state.health import import_health
from shared.state.progress import running_pass
from shared.state.reading import read_snapshot
from shared.state.snapshot import Snapshot
from shared.words.codes import Code
from shared.words.statuses import FileStatus

CHECKS = {
    "import": lazy_gettext("Import"),
    "leader": lazy_gettext("A process runs the import"),
    "relay_leader": lazy_gettext("A process sends the events"),
    "mailer_leader": lazy_gettext("A process sends the mails"),
    "contacts_leader": lazy_gettext("A process reads who was contacted"),
    "last_pass": lazy_gettext("The import looks regularly"),
    "failed_files": lazy_gettext("Files"),
    "deletes_pending": lazy_gettext("Imported files leave the bucket"),
    "new_scrape": lazy_gettext("New scrapes come in"),
    "events_waiting": lazy_gettext("Events reach the other services"),
    "events_parked": lazy_gettext("The brokers take every event"),
    "alerts_waiting": lazy_gettext("Mails about problems are sent"),
    "unknown_copies": lazy_gettext("Copies without an entry"),
    "storage": lazy_gettext("Cloud storage"),
    "local_copies": lazy_gettext("Folder of the local copies"),
    "folder": lazy_gettext("Folder of the scrapes"),
    "broker": lazy_gettext("Kafka"),
    "communication_events": lazy_gettext("Events of the communication service"),
    "mail": lazy_gettext("Mail server"),
}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check in words: what is looked at, how it is, and what to do where it is not well."""

    title: str
    state: words.Badge
    advice: str


def add_overview(console: Blueprint, correcting: Correcting | None) -> None:
    """The overview at `/console`; `correcting` is how the service's failed files are read, where they can be."""
    console.get("", endpoint="index")(needs(Role.LOOK)(lambda: _overview(correcting)))
    console.get("/", endpoint="slash")(needs(Role.LOOK)(lambda: redirect(url_for("console.index"))))


def _overview(correcting: Correcting | None) -> str:
    service = current_service()
    # Before the transaction: a part that does not answer may take seconds, and no connection is to wait for it.
    outside = service.probes.checks()
    with transaction(service.engine) as connection:
        snapshot = read_snapshot(connection, service.kernel)
        waiting = needs_somebody(connection, service.kernel, correcting)
        carers = care.carers(connection, service.kernel, [need.id for need in waiting if isinstance(need, FailedFile)])
        arrivals = compared(connection, service.kernel)
        history = weeks(connection, service.kernel, today())
        due = service.count_due(connection)
    if any(isinstance(need, FailedFile) and need.who and need.who.is_told for need in waiting):
        note_list()
    checks = [*import_health(snapshot, service.expected), *outside]
    lines = _lines(check for check in checks if check.name not in _shown_elsewhere(service))
    return render_template(
        "console/overview.html",
        snapshot=snapshot,
        running=running_pass(snapshot),
        waiting=waiting,
        carers=carers,
        failed_total=_failed_files(snapshot),
        due=due,
        arrivals=_arrivals(arrivals, service.kernel.service_name),
        compared=arrivals,
        weeks=history,
        headline=_headline(snapshot, checks),
        lines=lines,
        troubles=[line for line in lines if line.state.tone == "bad"],
        files_plot=plot.stacked_bars([_files(week) for week in history]),
        records_plot=plot.stacked_bars([_records(week) for week in history]),
        plot=plot,
        interval=format_timedelta(service.interval_seconds),
        import_enabled=service.import_enabled,
    )


_ARRIVALS: Mapping[str, Mapping[str, LazyString]] = {
    "patient": {
        "files": lazy_gettext("Registrations"),
        "new": lazy_gettext("New patients"),
        "updated": lazy_gettext("Patients with new answers"),
    },
    "therapist": {
        "files": lazy_gettext("Files of the doctors' search"),
        "new": lazy_gettext("New practices"),
        "updated": lazy_gettext("Changed practices"),
    },
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of what came in: today and this week, each beside what is usual."""

    title: str
    today: int
    usual_day: int
    this_week: int
    usual_week: int


def _arrivals(compared: Compared, service_name: str) -> list[Row]:
    spans = (compared.today, compared.usual_day, compared.this_week, compared.usual_week)
    return [
        Row(str(title), *(getattr(span, name) for span in spans)) for name, title in _ARRIVALS[service_name].items()
    ]


def _failed_files(snapshot: Snapshot) -> int:
    return snapshot.files.get(FileStatus.FAILED, 0)


def _shown_elsewhere(service: Service) -> set[str]:
    """Checks that have a card of their own, or are about nothing: scrapes stay in their folder."""
    return {"failed_files"} if service.kernel.service_name == "patient" else {"failed_files", "deletes_pending"}


def _headline(snapshot: Snapshot, checks: Iterable[Check]) -> tuple[words.Tone, str]:
    """The one sentence that matters most, and its tone."""
    if not all(check.ok for check in checks):
        return "bad", gettext("Something is wrong: the import needs help.")
    failed, reviews = _failed_files(snapshot), sum(snapshot.open_reviews.values())
    todo: list[str] = [ngettext("%(num)s file failed", "%(num)s files failed", failed)] if failed else []
    todo += [ngettext("%(num)s decision waits", "%(num)s decisions wait", reviews)] if reviews else []
    if todo:
        if not may(Role.OPERATE):
            return "warn", gettext("The import works. Waiting: %(todo)s.", todo=", ".join(todo))
        return "warn", gettext("The import works. For you: %(todo)s.", todo=", ".join(todo))
    return "good", gettext("All is well. There is nothing to do.")


def _lines(checks: Iterable[Check]) -> list[CheckLine]:
    """The checks in words, trouble first."""
    urgency = {"bad": 0, "warn": 1}
    return sorted(map(_line, checks), key=lambda line: urgency.get(line.state.tone, 2))


def _line(check: Check) -> CheckLine:
    title = str(CHECKS.get(check.name, check.name))
    if check.code in _OWN_WORDS:
        return CheckLine(title, words.Badge(_OWN_WORDS[check.code], "calm"), "")
    advice = meaning(check.code) if check.code else ""
    if not check.ok:
        return CheckLine(title, words.Badge(lazy_gettext("not well"), "bad"), advice)
    if advice:
        return CheckLine(title, words.Badge(lazy_gettext("to be watched"), "warn"), advice)
    return CheckLine(title, words.Badge(lazy_gettext("well"), "good"), "")


_OWN_WORDS: Mapping[str | None, LazyString] = {
    Code.DISABLED: lazy_gettext("switched off"),
    Code.NO_PASS_YET: lazy_gettext("not yet run"),
    Code.NOT_CONFIGURED: lazy_gettext("not set up"),
}


def _day(week: Week) -> str:
    """The week's first day, as short as a label has to be."""
    return format_skeleton("Md", week.monday, locale=get_locale())


def _files(week: Week) -> plot.Column:
    parts = (("good", week.imported), ("calm", week.left_out), ("bad", week.failed))
    figures = gettext(
        "Week from %(day)s: %(imported)s imported, %(left_out)s left out, %(failed)s failed",
        day=format_date(week.monday, "long"),
        imported=format_decimal(week.imported),
        left_out=format_decimal(week.left_out),
        failed=format_decimal(week.failed),
    )
    return plot.Column(_day(week), figures, parts)


def _records(week: Week) -> plot.Column:
    records = ngettext("%(num)s record", "%(num)s records", week.records)
    figures = gettext("Week from %(day)s: %(records)s", day=format_date(week.monday, "long"), records=records)
    return plot.Column(_day(week), figures, (("good", week.records),))
