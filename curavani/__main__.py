"""The command `curavani`."""

import os
import sys
from typing import Annotated

import typer

from curavani.cli import decisions, events, files, imports, operations
from curavani.cli.output import told
from shared.logs import configure_logging
from shared.settings import LogSettings, read_settings

app = typer.Typer(
    name="curavani",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
@told
def prepare() -> None:
    """Runs and mends the imports of Curavani. Settings come from the environment."""
    # Data goes to stdout, so the log must not.
    configure_logging(read_settings(os.environ, LogSettings)[LogSettings], stream=sys.stderr)


app.add_typer(imports.app, name="imports")
app.add_typer(operations.db, name="db")
app.add_typer(events.events, name="events")
app.add_typer(decisions.reviews, name="reviews")
app.add_typer(decisions.patients, name="patients")
app.command()(operations.serve)
app.command()(operations.doctor)
app.command()(files.check)
app.command()(files.plan)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the imports instead of serving.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same people.")] = 1,
    therapists: Annotated[int, typer.Option(help="How many scraped therapists.")] = 500,
) -> None:
    """Both imports on sample files against embedded parts; says what happened."""
    # Only here: a service's image has none of the demo's parts.
    from curavani.demo.show import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(once=once, seed=seed, therapists=therapists))


def main() -> None:
    """Runs the command line."""
    app()


if __name__ == "__main__":
    main()
