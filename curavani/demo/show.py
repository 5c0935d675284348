"""The demo: both imports on sample files, twice, and what became of each file, in tables for newcomers."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial

import requests
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from curavani.cli.output import print_table, talk
from curavani.demo.samples.registrations import generate_registrations, specification_example
from curavani.demo.samples.scrapes import broken_scrapes, generate_scrapes
from curavani.demo.samples.scrapes import specification_example as therapist_example
from curavani.demo.stack import BUCKET, TOKENS, DemoStack
from curavani.services import SERVICES, ServiceEntry
from shared.core.logs import configure_logging
from shared.core.settings import LogSettings, read_settings
from shared.database.engine import transaction
from shared.database.locks import LockName, hold
from shared.words.codes import describe
from shared.words.statuses import FileStatus, RecordOutcome, Work
from standins.local import wait_until

_REGISTRATIONS = 12
_FIRST_SCRAPE = date(2025, 7, 9)
_PORTS = {"patient": 8001, "therapist": 8002}
_SHOWN = 15
_START_SECONDS = 60


def run_demo(*, once: bool, seed: int, therapists: int) -> int:
    """Runs the demo; returns the exit code. Without `once` it serves both services until Ctrl-C."""
    # The default would end this process only, and leave its servers and folders behind.
    ending = _Ending()
    signal.signal(signal.SIGTERM, ending)
    talk("Starting PostgreSQL, a storage emulator, a mail sink and a mock broker …")
    with DemoStack() as stack, (stack.folder / "log").open("w", encoding="utf-8") as log:
        # The tables tell what happened; the log's lines would only hide them.
        configure_logging(LogSettings.model_validate({}), stream=log)
        # Google's client library finds the emulator by this variable, and by nothing else.
        os.environ["STORAGE_EMULATOR_HOST"] = stack.storage.host
        _fill(stack, seed, therapists)
        for entry in SERVICES.values():
            ending.look()
            _import_twice(entry, stack, ending)
        ending.look()
        _print_mails(stack)
        if not once:
            _serve(stack)
    return 0


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
    tracking = entry.kernel.import_tracking
    files = connection.execute(sa.select(tracking).order_by(tracking.c.id)).mappings().all()
    counts = Counter((row["status"], row["error_code"]) for row in files)
    rows = [
        (status, code, number, describe(code).english if code else _MEANING.get(status, ""))
        for (status, code), number in sorted(counts.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    ]
    title = f"{entry.name} import: {len(files)} files came in"
    print_table(("became", "code", "files", "what it means"), rows, title=title)
    records = {name: sum(row[f"{name}_count"] for row in files) for name in RecordOutcome}
    print_table(("record", "number"), [(name, number) for name, number in records.items() if number])
    _print_trouble(files, entry)
    sent, waiting = _events(connection, entry)
    talk(f"Events: {sent} sent to the broker, {waiting} waiting.")


def _print_trouble(files: Sequence[RowMapping], entry: ServiceEntry) -> None:
    trouble = [row for row in files if row["status"] in (FileStatus.FAILED, FileStatus.PARTIAL, FileStatus.RETRYING)]
    rows = [(entry.kernel.number(row["id"]), row["status"], row["error_code"] or "see its records") for row in trouble]
    if rows:
        print_table(("file", "became", "why"), rows[:_SHOWN], title="Files that need a look")


_MEANING: Mapping[str, str] = {
    FileStatus.SUCCESS: "Imported; the file's copy is kept.",
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


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=1).ok
    except requests.RequestException:
        return False


def _serve(stack: DemoStack) -> None:
    environment = {**os.environ, **stack.environment}
    processes = [
        subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "curavani", "serve", name, "--port", str(port)],
            env={**environment, "CONSOLE_BASE_URL": f"http://127.0.0.1:{port}"},
        )
        for name, port in _PORTS.items()
    ]
    try:
        for name, port in _PORTS.items():
            # An address that does not answer yet would be taken for a broken one.
            wait_until(partial(_answers, port), _START_SECONDS)
            talk(f"{name} service: console http://127.0.0.1:{port}/console, API http://127.0.0.1:{port}/docs")
        print_table(
            ("who", "token"), list(TOKENS.items()), title="Tokens for both, also to sign in: may read, write, operate"
        )
        talk("Ctrl-C ends everything.")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        for process in processes:
            process.wait()
    except KeyboardInterrupt:
        talk("Ending …")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
