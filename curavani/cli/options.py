"""Options that several commands have in common."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from curavani.cli.output import FEW

Json = Annotated[bool, typer.Option("--json", help="Data for programs.")]
Limit = Annotated[int | None, typer.Option(min=1, help=f"At most so many; {FEW} if left out, with --json all.")]
ALL = 2**31 - 1


def _moment(text: str) -> datetime:
    """A day, or a time of it; what a person types carries no zone."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter("that is no date like 2026-03-01, or time like 2026-03-01T14:30") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def since_option(help_text: str) -> object:
    """An option that takes a moment."""
    return typer.Option(parser=_moment, metavar="DATE", help=f"{help_text}; UTC.")


def most_of(limit: int | None, *, as_json: bool) -> int:
    """How many rows are wanted."""
    return limit or (ALL if as_json else FEW)
