"""`curavani baseline`: what the source said last, from scrapes that were imported before."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.options import Json
from curavani.cli.output import TROUBLE, examples, print_json, print_table, talk, with_exit_codes
from shared.words.codes import describe

if TYPE_CHECKING:
    from curavani.baseline import Report

EPILOG = examples("curavani baseline scrapes", "curavani baseline scrapes/20250702 52066.json --json")


@with_exit_codes
def baseline(
    paths: Annotated[list[Path], typer.Argument(help="Scrapes (ZIP.json), or folders of them.")], as_json: Json = False
) -> None:
    """Takes former scrapes as what the source said last.

    For rows that have no such word yet. No row, event or review changes: the
    first scrape after it asks only where staff and source really differ.
    Files below the import folder are not imported again. A second run changes
    nothing. Ends with 1 where a file is broken; the others are done.
    """
    from curavani.baseline import take_baseline

    report, stop = take_baseline(paths)
    _show(report, as_json=as_json)
    if stop:
        raise typer.Exit(stop)
    if report.broken:
        raise typer.Exit(TROUBLE)


def _show(report: "Report", *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_json())
        return
    numbers = [(name.replace("_", " "), number) for name, number in report.as_json().items() if isinstance(number, int)]
    print_table(("", "number"), numbers, title="Baseline")
    if report.ambiguous:
        print_table(("file", "record"), report.ambiguous, title="Several rows may be meant: left out")
    if report.broken:
        rows = [(file, code, describe(code).english) for file, code in report.broken]
        print_table(("file", "code", "meaning"), rows, title="Broken: left out")
    talk("Next: start the therapist service, or: curavani imports run therapist")
