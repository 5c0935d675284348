"""`curavani check` and `curavani plan`: what a file says and what it would do, touching nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.options import Json
from curavani.cli.output import TROUBLE, USAGE, end, exit_codes, print_json, print_table, talk, with_exit_codes
from shared.words.codes import describe

if TYPE_CHECKING:
    from shared.core.errors import Finding


def check(
    files: Annotated[list[Path], typer.Argument(help="Registration or therapist files.")], as_json: Json = False
) -> None:
    """Validates files, touching nothing; needs no database.

    Every finding with its place. A file named like a postal code is read as a
    scrape, any other as a registration. Ends with 1 on an error, and with 2
    where a file cannot be read; the others are validated all the same.
    """
    with exit_codes():
        _check(files, as_json=as_json)


@with_exit_codes
def plan(file: Annotated[Path, typer.Argument(help="A therapist file, ZIP.json.")], as_json: Json = False) -> None:
    """What importing this therapist file would change.

    Per record and field; the database stays as it is.
    """
    from curavani.checking import scrape_in
    from curavani.rehearsal import rehearse
    from therapist_service.imports.scrape_files import FileChanging, FileUnreadable

    try:
        scrape = scrape_in(file)
    except (FileUnreadable, FileChanging, OSError):
        end(_unreadable(file), USAGE)
    if scrape is None:
        end(f"{file.name} is no therapist file: its name is not a postal code, such as 52066.json", USAGE)
    found = rehearse(scrape, file.parent)
    if as_json:
        print_json(found)
        return
    if found["error_code"]:
        talk(f"Nothing of it would be applied. {found['error_code']}: {describe(found['error_code']).english}")
    print_table(("", "records"), sorted(found["counts"].items()), title=f"Importing {file.name} would give")
    if found["outcomes"]:
        records = [list(outcome.values()) for outcome in found["outcomes"]]
        print_table(("record", "outcome", "row", "rule", "code"), records, title="Records")
    if found["changes"]:
        changes = [list(change.values()) for change in found["changes"]]
        print_table(("row", "field", "from", "to"), changes, title="Changes")


def _check(files: list[Path], *, as_json: bool) -> None:
    from curavani.checking import findings_of

    checked = [(path, findings_of(path)) for path in files]
    results = [(path, found) for path, found in checked if found is not None]
    if as_json:
        print_json([{"file": str(path), "findings": [_shown(finding) for finding in found]} for path, found in results])
    else:
        for path, found in results:
            rows = [(f.pointer, f.code, describe(f.code).severity, describe(f.code).english) for f in found]
            if rows:
                print_table(("place", "code", "severity", "meaning"), rows, title=str(path))
            else:
                talk(f"{path}: no findings")
    unreadable = [path for path, found in checked if found is None]
    if unreadable:
        end(_unreadable(*unreadable), USAGE)
    if any(describe(finding.code).severity == "error" for _, found in results for finding in found):
        raise typer.Exit(TROUBLE)


def _unreadable(*paths: Path) -> str:
    return f"{', '.join(map(str, paths))}: cannot be read. Check path and permissions."


def _shown(finding: "Finding") -> dict[str, object]:
    return {
        "record_index": finding.record_index,
        "pointer": finding.pointer,
        "code": finding.code,
        "severity": describe(finding.code).severity,
    }
