"""The demo: both imports on sample files, twice, and what became of each file, in tables for newcomers."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from curavani.cli.output import print_table, talk
from curavani.demo.samples.registrations import generate_registrations, specification_example
from curavani.demo.samples.scrapes import broken_scrapes, generate_scrapes
from curavani.demo.samples.scrapes import specification_example as therapist_example
from curavani.demo.serving import require_ports, serve
from curavani.demo.stack import BUCKET, DemoStack
from curavani.services import SERVICES, ServiceEntry
from shared.core.logs import configure_logging
from shared.core.settings import LogSettings, read_settings
from shared.database.engine import create_engine, transaction
from shared.database.locks import LockName, hold
from shared.state.reading import read_snapshot
from shared.words.codes import Code, describe
from shared.words.statuses import FileStatus, RecordOutcome, Work

_REGISTRATIONS = 12
_FIRST_SCRAPE = date(2025, 7, 9)
_SHOWN = 15


def run_demo(*, once: bool, seed: int, therapists: int, log: Path | None) -> int:
    """Runs the demo; returns the exit code. Without `once` it serves both services until Ctrl-C.

    The log goes to the file, or to one that is gone with the demo.
    """
    if not once:
        require_ports()
    # The default would end this process only, and leave its servers and folders behind.
    ending = _Ending()
    signal.signal(signal.SIGTERM, ending)
    talk("Starting PostgreSQL, a storage emulator, a mail sink and a mock broker …")
    with DemoStack() as stack, _log_in(log or stack.folder / "demo.log") as opened:
        # Google's client library finds the emulator by this variable, and by nothing else.
        os.environ["STORAGE_EMULATOR_HOST"] = stack.storage.host
        _fill(stack, seed, therapists)
        for entry in SERVICES.values():
            ending.look()
            _import_twice(entry, stack, ending)
        ending.look()
        _print_mails(stack)
        waiting = _print_waiting(stack)
        if log or not once:
            talk(f"The log is in {opened.name}")
        if once:
            talk("Next: make serve (or: curavani demo) keeps all this running, to be mended in the console.")
        else:
            serve(stack, opened, waiting)
    return 0


@contextmanager
def _log_in(path: Path) -> Iterator[TextIO]:
    """The tables tell what happened; the log's lines would only hide them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as opened:
        configure_logging(LogSettings.model_validate({}), stream=opened)
        yield opened


class _Ending:
    """Ends the process by an exception when a signal comes.

    Python drops an exception that is raised while it clears an object away. So the signal is remembered, too, for
    those who look now and then.
    """

    def __init__(self) -> None:
        self.code = 0

    def __call__(self, number: int, _frame: object) -> None:
        self.code = 128 + number
        sys.exit(self.code)

    def look(self) -> None:
        if self.code:
            sys.exit(self.code)


def _fill(stack: DemoStack, seed: int, therapists: int) -> None:
    registrations = [specification_example(), *generate_registrations(seed, _REGISTRATIONS)]
    for registration in registrations:
        stack.storage.put(BUCKET, registration.object_name, registration.content)
    scrapes = [
        therapist_example(),
        *generate_scrapes(seed, therapists, _FIRST_SCRAPE),
        *broken_scrapes(seed, _FIRST_SCRAPE),
    ]
    for scrape in scrapes:
        path = stack.scrapes / scrape.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scrape.content)
    talk(f"{len(registrations)} registrations lie in the bucket, {len(scrapes)} scrapes in the folder.")


def _import_twice(entry: ServiceEntry, stack: DemoStack, ending: _Ending) -> None:
    settings = read_settings(stack.environment, *entry.bootstrap.IMPORT_GROUPS)
    parts = entry.bootstrap.build_parts(settings)
    try:
        parts.monitor.run_once("demo")
        ending.look()
        for work, deliver in ((Work.RELAY, parts.relay.run_once), (Work.MAILER, parts.mailer.run_once)):
            with hold(parts.engine, LockName(entry.kernel.schema, work)) as locked:
                deliver(locked)
        with transaction(parts.engine) as connection:
            _print_files(connection, entry)
            before = _rows(connection, entry)
        again = parts.monitor.run_once("demo")
        with transaction(parts.engine) as connection:
            unchanged = before == _rows(connection, entry)
    finally:
        parts.close()
    talk(
        f"A second run of the {entry.name} import: "
        + ("nothing changed." if unchanged else "SOMETHING CHANGED, which it should not.")
        + (f" {sum(again.counts.values())} file(s) were touched." if again.counts else "")
    )


def _print_files(connection: Connection, entry: ServiceEntry) -> None:
    table = entry.kernel.import_tracking
    files = connection.execute(sa.select(table).order_by(table.c.id)).mappings().all()
    counts = Counter((row["status"], row["error_code"]) for row in files)
    rows = [
        (status, code, number, describe(code).english if code else _MEANING.get(status, ""))
        for (status, code), number in sorted(counts.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    ]
    title = f"{entry.name} import: {len(files)} files came in"
    print_table(("became", "code", "files", "what it means"), rows, title=title)
    records = {name: sum(row[f"{name}_count"] for row in files) for name in RecordOutcome}
    counted = [(name, number) for name, number in records.items() if number]
    print_table(("became", "records"), counted, title="Records in them")
    _print_trouble(files, entry)
    sent, waiting = _events(connection, entry)
    talk(f"Events: {sent} sent to the broker, {waiting} waiting.")


def _print_trouble(files: Sequence[RowMapping], entry: ServiceEntry) -> None:
    trouble = [row for row in files if row["status"] in (FileStatus.FAILED, FileStatus.PARTIAL, FileStatus.RETRYING)]
    rows = [(entry.kernel.number(row["id"]), row["status"], row["error_code"] or "see its records") for row in trouble]
    if rows:
        print_table(("file", "became", "why"), rows[:_SHOWN], title="Files that need a look")


_MEANING: Mapping[str, str] = {
    FileStatus.SUCCESS: "Imported.",
    FileStatus.PARTIAL: "Imported, but some records failed or wait for a decision.",
    FileStatus.SKIPPED: "Known already.",
}


def _events(connection: Connection, entry: ServiceEntry) -> tuple[int, int]:
    outbox = entry.kernel.event_outbox.c
    total, waiting = connection.execute(
        sa.select(sa.func.count(), sa.func.count().filter(outbox.sent_at.is_(None))).select_from(
            entry.kernel.event_outbox
        )
    ).one()
    return total - waiting, waiting


def _rows(connection: Connection, entry: ServiceEntry) -> list[object]:
    """What an import must leave alone when there is nothing new: every row of people, history, events and ledger."""
    kernel = entry.kernel
    people = kernel.import_tracking.metadata.tables[f"{kernel.schema}.{_PEOPLE[entry.name]}"]
    tables = (people, kernel.field_changes, kernel.event_outbox, kernel.import_tracking, kernel.import_outcomes)
    return [
        connection.execute(sa.select(sa.func.count(), sa.func.max(sa.cast(table.c.id, sa.BigInteger)))).one()
        for table in tables
    ] + [connection.execute(sa.select(sa.func.max(people.c.updated_at))).scalar()]


_PEOPLE = {"patient": "patienten", "therapist": "therapeuten"}


def _print_mails(stack: DemoStack) -> None:
    rows = [(message["To"], message["Subject"]) for message in stack.mail.messages]
    print_table(("mail to", "subject"), rows, title="Mails that were sent")


def _print_waiting(stack: DemoStack) -> int:
    """What a person has to do now; returns the number of the registration that only a person can put right."""
    rows: list[tuple[str, int, str]] = []
    engine = create_engine(stack.environment["DATABASE_URL"], application_name="curavani demo", pool_size=1)
    try:
        with transaction(engine) as connection:
            for entry in SERVICES.values():
                snapshot = read_snapshot(connection, entry.kernel)
                failed, decisions = snapshot.files.get(FileStatus.FAILED, 0), sum(snapshot.open_reviews.values())
                what, mending = _MENDING[entry.name]
                rows += [(what, failed, mending)] if failed else []
                rows += [(f"decisions about {entry.name}s", decisions, _DECIDING)] if decisions else []
            files = SERVICES["patient"].kernel.import_tracking.c
            wrong = sa.select(files.id).where(files.error_code == Code.VALIDATION_FAILED).limit(1)
            number: int = connection.execute(wrong).scalar_one()
    finally:
        engine.dispose()
    print_table(("what", "number", "what to do"), rows, title="What waits for somebody now")
    return number


_MENDING = {
    "patient": ("failed registrations", "Somebody waits behind each: correct it in the console, or discard it."),
    "therapist": ("failed scrapes", "Have the scraper send it again, retry it, or discard it."),
}
_DECIDING = "Look at both sides in the console, and choose."
