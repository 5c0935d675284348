"""The command `curavani`."""

import errno
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from curavani.cli import (
    adoption,
    baseline,
    corrections,
    events,
    files,
    imports,
    operations,
    patients,
    reviews,
    sessions,
    therapists,
)
from curavani.cli.output import TROUBLE, UNAVAILABLE, examples, talk, with_exit_codes
from shared.words.codes import Code

app = typer.Typer(
    name="curavani",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Frames around help and errors would be padded in a pipe, and what draws them takes longer than all the rest.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"curavani {version('curavani')}")
        raise typer.Exit


@app.callback(epilog=examples("curavani doctor", "curavani imports run patient", "curavani reviews list"))
def prepare(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Runs and mends the imports of Curavani.

    Settings come from the environment. Data goes to stdout, talk to stderr.

    Exit codes: 0 all well; 1 finished, but something failed, is tried again,
    is held or waits for its delete; 2 wrong usage or settings; 3 a needed
    service cannot be had.
    """


app.add_typer(imports.app, name="imports")
imports.app.add_typer(corrections.app)
operations.db.command("adopt", epilog=adoption.EPILOG)(adoption.adopt_command)
app.add_typer(operations.db, name="db")
app.add_typer(events.events, name="events")
app.add_typer(reviews.app, name="reviews")
app.add_typer(patients.app, name="patients")
app.add_typer(sessions.app, name="sessions")
app.add_typer(therapists.app, name="therapists")
app.command(epilog=examples("curavani serve patient", "curavani serve therapist --host 0.0.0.0 --port 80"))(
    operations.serve
)
app.command(epilog=examples("curavani doctor", "curavani doctor --json"))(operations.doctor)
app.command(epilog=baseline.EPILOG)(baseline.baseline)
app.command(epilog=examples("curavani check 52066.json", "curavani check *.json --json"))(files.check)
app.command(epilog=examples("curavani plan 52066.json", "curavani plan scrapes/20250702/52066.json --json"))(files.plan)


@app.command(epilog=examples("curavani demo", "curavani demo --once --seed 7 --therapists 2000"))
@with_exit_codes
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the imports instead of serving.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same people.")] = 1,
    therapists: Annotated[int, typer.Option(min=0, help="How many scraped therapists.")] = 500,
    log: Annotated[Path | None, typer.Option(help="Where to keep the log; else it goes with the demo.")] = None,
) -> None:
    """Both imports on sample files; says what happened.

    Against embedded parts: PostgreSQL, a storage emulator, a mail sink and a
    mock broker.
    """
    from curavani.demo.show import run_demo

    raise typer.Exit(run_demo(once=once, seed=seed, therapists=therapists, log=log))


def main() -> None:
    """Runs the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A file's name may hold what the terminal's encoding cannot say; that must not end a command.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            _tell_crash()
        talk("Error: The disk is full: not all that the command prints could be written. Make room, then run it again.")
        sys.exit(UNAVAILABLE)
    except Exception:  # noqa: BLE001 - the edge of the process, and logged
        _tell_crash()


def _tell_crash() -> NoReturn:
    from curavani.logs import log_to_stderr
    from shared.core.logs import get_logger

    # A traceback's text may quote a row: the log keeps types and places only.
    log_to_stderr()
    get_logger(__name__).exception("command_crashed", code=Code.INTERNAL_ERROR)
    talk(f"Error: {Code.INTERNAL_ERROR}: {Code.INTERNAL_ERROR.english} `curavani doctor` looks at every part.")
    sys.exit(TROUBLE)


if __name__ == "__main__":
    main()
