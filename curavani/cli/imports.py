"""`curavani imports`: passes and files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.options import Json, Limit, most_of, since_option
from curavani.cli.output import TROUBLE, USAGE, end, examples, operator, print_json, print_table, talk, with_exit_codes
from shared.words.codes import Code, describe
from shared.words.statuses import FileStatus, ServiceName

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from curavani.services import ServiceEntry
    from shared.imports.passes import PassReport
    from shared.imports.queries import FileStory

app = typer.Typer(no_args_is_help=True, help="Passes of the imports, and the files they know.")


@app.command(
    epilog=examples(
        "curavani imports run patient",
        "curavani imports run therapist --wait",
        "curavani imports run therapist --json",
    )
)
@with_exit_codes
def run(
    service: Annotated[ServiceName, typer.Argument(help="Whose import.")],
    wait: Annotated[
        bool, typer.Option("--wait", help="Where another process imports: ask it, or wait for it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """One pass now, in this process.

    Where another process imports, the command says which one, and ends with
    3. With --wait it asks a running service for a pass, and reports that one
    as its own; the pass of another command it waits for, then runs its own.

    Ends with 0 if all is well, 1 if something of this pass failed, is tried
    again, is held or waits for its delete, 3 if database, storage or the
    import lock cannot be had. Ctrl-C finishes the file in hand, and ends
    with 130.
    """
    from curavani.logs import log_to_stderr
    from curavani.passes import run_pass
    from curavani.services import SERVICES

    entry = SERVICES[service]
    log_to_stderr(service=entry.bootstrap.NAME)
    report, stop = run_pass(entry, wait=wait)
    _print_report(entry, report, as_json=as_json)
    if stop:
        end("Stopped before the pass was through. The next run goes on with the rest.", stop)
    if report.has_trouble:
        talk(f"Something needs a look: curavani imports list {entry.name}, curavani reviews list")
        raise typer.Exit(TROUBLE)


@app.command(
    "list",
    epilog=examples(
        "curavani imports list",
        "curavani imports list patient --status failed",
        "curavani imports list patient --since 2026-03-01 --search mustermann",
        "curavani imports list --json",
    ),
)
@with_exit_codes
def list_command(
    service: Annotated[ServiceName | None, typer.Argument(help="Whose files; both services' if left out.")] = None,
    *,
    status: Annotated[FileStatus | None, typer.Option(help="Only files of this status.")] = None,
    since: Annotated[datetime | None, since_option("Only files that came in since then")] = None,
    search: Annotated[str | None, typer.Option(help="Only files with all of these words in their names.")] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Files that the imports know, newest first."""
    from curavani.services import SERVICES, connected
    from shared.imports.queries import list_imports, visible

    most = most_of(limit, as_json=as_json)
    found: list[tuple[datetime, Mapping[str, object]]] = []
    in_all = 0
    with connected() as connection:
        for entry in [SERVICES[service]] if service else SERVICES.values():
            rows, total = list_imports(connection, entry.kernel, status=status, since=since, search=search, limit=most)
            found += [(row["first_seen_at"], visible(row) | {"id": entry.number(row["id"])}) for row in rows]
            in_all += total
    files = [file for _, file in sorted(found, key=lambda it: it[0], reverse=True)[:most]]
    if as_json:
        print_json(files)
        return
    if not files:
        talk("There are no such files. A pass looks for them: curavani imports run patient|therapist")
        return
    columns = ("id", "status", "error_code", "attempts", "first_seen_at", "processed_at", "file_name")
    print_table(("id", "status", "code", "tries", "came", "processed", "file"), _picked(files, columns), most=None)
    if in_all > len(files):
        talk(f"{len(files)} of {in_all} files. More: --limit {in_all}")


@app.command(epilog=examples("curavani imports show P12", "curavani imports show T7 --json"))
@with_exit_codes
def show(number: Annotated[str, typer.Argument(help="P12 or T7")], as_json: Json = False) -> None:
    """One file: outcomes, findings, attempts, what is next."""
    from curavani.services import connected, numbered
    from shared.imports.queries import show_import

    entry, import_id = numbered(number)
    with connected() as connection:
        _must_exist(connection, entry, import_id)
        story = show_import(connection, entry.kernel, import_id)
    number = entry.kernel.number(import_id)
    reviews = [asdict(review) | {"id": entry.kernel.review_number(review.id)} for review in story.reviews]
    if as_json:
        print_json(story.as_json() | {"id": number, "reviews": reviews})
    else:
        _print_file(number, story, reviews)


@app.command(
    epilog=examples(
        "curavani imports retry P12 T7",
        "curavani imports retry --all-failed patient",
        "curavani imports retry --all-failed patient --code storage_unavailable",
    )
)
@with_exit_codes
def retry(
    numbers: Annotated[list[str] | None, typer.Argument(help="P12 T7 …")] = None,
    all_failed: Annotated[ServiceName | None, typer.Option(help="Every failed file of this service.")] = None,
    code: Annotated[str | None, typer.Option(help="With --all-failed: only those with this code.")] = None,
) -> None:
    """Makes files due at once; a running service is woken.

    Of a file with the code implausible_count this says that its few records
    are right: it is applied as it is. With --all-failed this holds of all.
    """
    from curavani.services import SERVICES, connected, numbered
    from shared.imports import mend

    if bool(numbers) == bool(all_failed):
        end("Give numbers, or --all-failed patient|therapist.", USAGE)
    if code and not all_failed:
        end("--code goes with --all-failed.", USAGE)
    if code and code not in set(Code):
        end(f"{code} is no code. docs/codes.md lists them all; curavani imports list shows those of files.", USAGE)
    wanted = [numbered(number) for number in numbers or []]
    with connected() as connection:
        if all_failed:
            entry = SERVICES[all_failed]
            wanted = [(entry, found) for found in mend.failed_ids(connection, entry.kernel, code)]
        for entry in {entry.name: entry for entry, _ in wanted}.values():
            ids = [found for other, found in wanted if other is entry]
            for import_id in ids:
                _must_exist(connection, entry, import_id)
            mend.retry(connection, entry.kernel, ids, operator())
    if wanted:
        due = f"{len(wanted)} files are" if len(wanted) > 1 else "1 file is"
        talk(f"{due} due now. Where no service runs: curavani imports run patient|therapist")
    else:
        talk("No such file has failed; nothing is due.")


@app.command(
    epilog=examples(
        'curavani imports discard P12 --reason "sent twice by the form"',
        'curavani imports discard P12 --reason "a test" --delete-source',
    )
)
@with_exit_codes
def discard(
    number: Annotated[str, typer.Argument(help="P12 or T7")],
    reason: Annotated[str, typer.Option(help="Why; kept with the file.")],
    delete_source: Annotated[
        bool, typer.Option("--delete-source", help="Delete the object in the bucket, too.")
    ] = False,
) -> None:
    """The file is never imported; its local copy stays."""
    from curavani.services import connected, numbered
    from shared.imports import mend

    if not reason.strip():
        end("Say why with --reason: somebody will want to know it.", USAGE)
    entry, import_id = numbered(number)
    with connected() as connection:
        _must_exist(connection, entry, import_id)
        mend.discard(connection, entry.kernel, import_id, operator(), reason, delete_source=delete_source)
    talk(f"{entry.number(import_id)} is discarded.")


def _must_exist(connection: "Connection", entry: "ServiceEntry", import_id: int) -> None:
    from shared.core.errors import NotFound
    from shared.imports import ledger

    try:
        ledger.find(connection, entry.kernel, import_id)
    except NotFound:
        raise NotFound(f"There is no file {entry.number(import_id)}. Known ones: curavani imports list") from None


def _print_report(entry: "ServiceEntry", report: "PassReport", *, as_json: bool) -> None:
    if as_json:
        trouble = report.has_trouble
        print_json({"service": entry.name, "files": report.counts, "left_alone": report.ignored, "trouble": trouble})
        return
    rows = [(status, number) for status, number in sorted(report.counts.items())]
    rows += [(f"left alone: {reason}", number) for reason, number in sorted(report.ignored.items())]
    print_table(("what became of it", "files"), rows or [("nothing to do", 0)], title=f"{entry.name} import")


def _print_file(number: str, story: "FileStory", reviews: Sequence[Mapping[str, object]]) -> None:
    counts = [(name, records) for name, records in story.row.items() if name.endswith("_count") and records]
    head = ("status", "error_code", "attempts", "file_size", "first_seen_at", "processed_at", "file_name")
    facts = [*[(name, story.row[name]) for name in head], *counts, ("next", story.next_step)]
    print_table(("", ""), facts, title=number)
    attempts = [list(astuple(attempt)) for attempt in story.attempts_made]
    _print_section(("attempt", "began", "ended", "how", "code"), attempts, "Attempts")
    findings = [
        (f["record_index"], f["pointer"], f["code"], f["records"], describe(str(f["code"])).english)
        for f in story.findings
    ]
    _print_section(("record", "place", "code", "records", "meaning"), findings, "Findings")
    outcomes = ("record_index", "outcome", "entity_id", "code", "rule")
    _print_section(("record", "outcome", "row", "code", "rule"), _picked(story.outcomes, outcomes), "Records")
    changed = _picked(story.changed_fields, ("entity_id", "field"))
    _print_section(("row", "field"), changed, "Changed fields")
    opened = _picked(reviews, ("id", "kind", "state"))
    _print_section(("review", "kind", "state"), opened, "Reviews: curavani reviews show ID")
    actions = _picked(story.actions, ("at", "action", "actor", "reason"))
    _print_section(("when", "what", "who", "why"), actions, "What people did")


def _print_section(columns: tuple[str, ...], rows: Sequence[Sequence[object]], title: str) -> None:
    if rows:
        print_table(columns, rows, title=title)


def _picked(rows: Sequence[Mapping[str, object]], names: Sequence[str]) -> list[list[object]]:
    return [[row[name] for name in names] for row in rows]
