"""The first page: is all well, and what is there to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from babel.dates import format_skeleton
from flask import Blueprint, redirect, render_template, url_for
from flask_babel import LazyString, format_timedelta, get_locale, gettext, lazy_gettext, ngettext

from shared.console import plot, words
from shared.console.figures import Week, latest_failed, weeks
from shared.console.language import meaning
from shared.core.clock import today
from shared.core.dependencies import Check
from shared.core.tokens import Role
from shared.database.engine import transaction
from shared.http.auth import needs
from shared.http.service import Service, current_service
from shared.imports import care
from shared.state.health import import_health
from shared.state.progress import running_pass
from shared.state.reading import read_snapshot
from shared.state.snapshot import Snapshot
from shared.words.codes import Code
from shared.words.statuses import FileStatus

_CHECKS = {
    "import": lazy_gettext("Import"),
    "leader": lazy_gettext("A process runs the import"),
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
class Line:
    """One check in words: what is looked at, how it is, and what to do where it is not well."""

    title: str
    state: words.Badge
    advice: str


def add_overview(console: Blueprint) -> None:
    """The overview at `/console`."""
    console.get("", endpoint="index")(needs(Role.LOOK)(_overview))
    console.get("/", endpoint="slash")(needs(Role.LOOK)(lambda: redirect(url_for("console.index"))))


def _overview() -> str:
    service = current_service()
    # Before the transaction: a part that does not answer may take seconds, and no connection is to wait for it.
    outside = service.probes.checks()
    with transaction(service.engine) as connection:
        snapshot = read_snapshot(connection, service.kernel)
        failed = latest_failed(connection, service.kernel)
        carers = care.carers(connection, service.kernel, [file.id for file in failed])
        history = weeks(connection, service.kernel, today())
        due = service.count_due(connection)
    checks = [*import_health(snapshot, service.expected), *outside]
    return render_template(
        "console/overview.html",
        snapshot=snapshot,
        running=running_pass(snapshot),
        failed=failed,
        carers=carers,
        failed_total=_failed_files(snapshot),
        due=due,
        weeks=history,
        headline=_headline(snapshot, checks),
        lines=_lines(check for check in checks if check.name not in _shown_elsewhere(service)),
        files_plot=plot.stacked_bars([_files(week) for week in history]),
        records_plot=plot.stacked_bars([_records(week) for week in history]),
        plot=plot,
        interval=format_timedelta(service.interval_seconds),
        import_enabled=service.import_enabled,
    )


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
        return "warn", gettext("The import works. For you: %(todo)s.", todo=", ".join(todo))
    return "good", gettext("All is well. There is nothing to do.")


def _lines(checks: Iterable[Check]) -> list[Line]:
    """The checks in words, trouble first."""
    urgency = {"bad": 0, "warn": 1}
    return sorted(map(_line, checks), key=lambda line: urgency.get(line.state.tone, 2))


def _line(check: Check) -> Line:
    title = str(_CHECKS.get(check.name, check.name))
    if check.code in _OWN_WORDS:
        return Line(title, words.Badge(_OWN_WORDS[check.code], "calm"), "")
    advice = meaning(check.code) if check.code else ""
    if not check.ok:
        return Line(title, words.Badge(lazy_gettext("not well"), "bad"), advice)
    if advice:
        return Line(title, words.Badge(lazy_gettext("to be watched"), "warn"), advice)
    return Line(title, words.Badge(lazy_gettext("well"), "good"), "")


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
    return plot.Column(_day(week), parts)


def _records(week: Week) -> plot.Column:
    return plot.Column(_day(week), (("good", week.records),))
