"""Options that several commands have in common."""

from typing import Annotated

import typer

from curavani.cli.output import FEW

Json = Annotated[bool, typer.Option("--json", help="Data for programs.")]
Limit = Annotated[int | None, typer.Option(min=1, help=f"At most so many; {FEW} if left out, with --json all.")]
ALL = 2**31 - 1


def most_of(limit: int | None, *, as_json: bool) -> int:
    """How many rows are wanted."""
    return limit or (ALL if as_json else FEW)
