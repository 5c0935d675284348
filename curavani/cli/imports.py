"""`curavani imports`: passes and files."""

import os
import sys
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from curavani.cli.output import TROUBLE, USAGE, out, print_json, print_table, talk, told, who
from curavani.cli.services import SERVICES, ServiceEntry, connected, numbered, service_named
from shared.codes import describe
from shared.database.locks import LockName, hold, wait_for
from shared.errors import LockHeld
from shared.imports import ledger
from shared.imports.passes import PassReport
from shared.imports.passes import Progress as Done
from shared.imports.queries import list_imports, show_import, visible
from shared.logs import configure_logging
from shared.settings import LogSettings, read_settings

app = typer.Typer(no_args_is_help=True, help="Passes of the imports, and the files they know.")

Json = Annotated[bool, typer.Option("--json", help="Data for programs.")]
_LONG = 500


@app.command()
@told
def run(
    service: Annotated[str, typer.Argument(help="patient or therapist")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another importer instead of ending.")] = False,
) -> None:
    """One pass now, in this process. Example: curavani imports run patient"""
    entry = service_named(service)
    settings = read_settings(os.environ, *entry.bootstrap.IMPORT_GROUPS)
    configure_logging(settings[LogSettings], stream=sys.stderr, service=entry.bootstrap.NAME)
    base_url = os.environ.get("CONSOLE_BASE_URL") or None
    parts = entry.bootstrap.build_parts(settings, console_base_url=base_url)
    try:
        report = _pass(entry, parts, wait=wait)
        _deliver(entry, parts)
    finally:
        parts.engine.dispose()
    _print_report(entry, report)
    if report.has_trouble:
        raise typer.Exit(TROUBLE)


@app.command("list")
@told
def list_command(
    service: Annotated[str | None, typer.Argument(help="patient or therapist; both if left out")] = None,
    status: Annotated[str | None, typer.Option(help="Only files of this status, such as failed.")] = None,
    as_json: Json = False,
) -> None:
    """Files that the imports know, newest first. Example: curavani imports list --status failed"""
    entries = [service_named(service)] if service else list(SERVICES.values())
    found: list[dict[str, Any]] = []
    with connected() as connection:
        for entry in entries:
            rows, _ = list_imports(connection, entry.kernel, status=status, limit=_LONG)
            found += [visible(row) | {"id": f"{entry.prefix}{row['id']}"} for row in rows]
    if as_json:
        print_json(found)
        return
    columns = ("id", "status", "error_code", "attempts", "processed_at", "file_name")
    print_table(columns, [[_short(row[name]) for name in columns] for row in found])


@app.command()
@told
def show(number: Annotated[str, typer.Argument(help="P12 or T7")], as_json: Json = False) -> None:
    """One file: outcomes, findings, attempts, and what happens next."""
    entry, import_id = numbered(number)
    with connected() as connection:
        found = show_import(connection, entry.kernel, import_id)
    found["id"] = f"{entry.prefix}{import_id}"
    if as_json:
        print_json(found)
        return
    _print_file(found)


@app.command()
@told
def retry(
    numbers: Annotated[list[str] | None, typer.Argument(help="P12 T7 …")] = None,
    all_failed: Annotated[str | None, typer.Option(help="patient or therapist: every failed file.")] = None,
    code: Annotated[str | None, typer.Option(help="With --all-failed: only those with this code.")] = None,
) -> None:
    """Makes files due at once; a running service is woken. Example: curavani imports retry P12"""
    if bool(numbers) == bool(all_failed):
        talk("Give numbers, or --all-failed patient|therapist.")
        raise typer.Exit(USAGE)
    wanted = [numbered(number) for number in numbers or []]
    with connected() as connection:
        if all_failed:
            entry = service_named(all_failed)
            wanted = [(entry, found) for found in ledger.failed_ids(connection, entry.kernel, code)]
        for entry in {entry.name: entry for entry, _ in wanted}.values():
            ledger.retry(connection, entry.kernel, [found for other, found in wanted if other is entry], who())
    talk(f"{len(wanted)} file(s) are due now.")


@app.command()
@told
def discard(
    number: Annotated[str, typer.Argument(help="P12 or T7")],
    reason: Annotated[str, typer.Option(help="Why; kept with the file.")],
    delete_source: Annotated[
        bool, typer.Option("--delete-source", help="Delete the object in the bucket, too.")
    ] = False,
) -> None:
    """The file is never imported; its local copy stays."""
    entry, import_id = numbered(number)
    with connected() as connection:
        ledger.discard(connection, entry.kernel, import_id, who(), reason, delete_source=delete_source)
        if delete_source:
            ledger.wake(connection, entry.kernel)
    talk(f"{entry.prefix}{import_id} is discarded.")


def _pass(entry: ServiceEntry, parts: Any, *, wait: bool) -> PassReport:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=out() if sys.stdout.isatty() else None,
        disable=not sys.stdout.isatty(),
        transient=True,
    ) as progress:
        task = progress.add_task(f"{entry.name} import", total=None)

        def watch(done: Done) -> None:
            progress.update(task, completed=done.done, total=done.due)

        parts.importer.watch = watch
        while True:
            try:
                report: PassReport = parts.monitor.run_once(who())
            except LockHeld:
                if not wait:
                    raise
                wait_for(parts.engine, LockName(entry.kernel.schema, "import"))
            else:
                return report


def _deliver(entry: ServiceEntry, parts: Any) -> None:
    """One turn of relay and mailer, where no service does that."""
    for work, deliver in (("relay", parts.relay.run_once), ("mailer", parts.mailer.run_once)):
        try:
            with hold(parts.engine, LockName(entry.kernel.schema, work)) as locked:
                deliver(locked)
        except LockHeld:
            continue
    parts.relay.close()


def _print_report(entry: ServiceEntry, report: PassReport) -> None:
    rows = [(status, number) for status, number in sorted(report.counts.items())]
    rows += [(f"left alone: {reason}", number) for reason, number in sorted(report.ignored.items())]
    print_table(("what became of it", "files"), rows or [("nothing to do", 0)], title=f"{entry.name} import")


def _print_file(found: dict[str, Any]) -> None:
    counts = {name: number for name, number in found.items() if name.endswith("_count") and number}
    head = ("id", "status", "error_code", "attempts", "file_size", "first_seen_at", "processed_at", "file_name")
    rows = [(name, _short(found[name])) for name in head] + list(counts.items())
    print_table(("", ""), [*rows, ("next", found["next_step"])])
    findings = [(f["record_index"], f["pointer"], f["code"], describe(f["code"]).english) for f in found["findings"]]
    if findings:
        print_table(("record", "place", "code", "meaning"), findings, title="Findings")
    if found["outcomes"]:
        columns = ("record_index", "outcome", "entity_id", "code", "rule")
        print_table(columns, [[o[name] for name in columns] for o in found["outcomes"]], title="Records")
    if found["changed_fields"]:
        changed = [(entry["entity_id"], entry["field"]) for entry in found["changed_fields"]]
        print_table(("row", "field"), changed, title="Changed fields")


def _short(value: Any) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "hour") else str(value)
