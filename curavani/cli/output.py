"""How commands speak: data to stdout, talk to stderr, and documented exit codes."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from shared.codes import describe
from shared.errors import (
    CuravaniError,
    DatabaseNotMigrated,
    LockHeld,
    NotFound,
    RejectedError,
    SettingsError,
    TransientError,
)
from shared.http.json_values import plain
from shared.imports.ledger import NotAllowedError
from shared.validation import InvalidInput

TROUBLE = 1
USAGE = 2
UNAVAILABLE = 3

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN_WIDTH = 160


def out() -> Console:
    """The console for data; wide enough not to cut tables where nobody is watching."""
    return Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False)


def talk(message: str) -> None:
    """Says something to the person, next to the data."""
    typer.echo(message, err=True)


def print_json(value: Any) -> None:
    """Prints data for programs."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """Prints data for people."""
    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*["" if cell is None else str(cell) for cell in row])
    out().print(table)


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Turns our failures into a sentence on stderr and the documented exit code; never a traceback for them."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with _told():
            return command(*args, **kwargs)

    return guarded


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        _end(str(error), USAGE)
    except (NotFound, NotAllowedError, InvalidInput) as error:
        _end(error.message, USAGE)
    except LockHeld as error:
        _end(f"Another process is importing just now: {error.holder}. Wait for it, or use --wait.", UNAVAILABLE)
    except (TransientError, DatabaseNotMigrated) as error:
        _end(f"{error.code}: {describe(error.code).english}", UNAVAILABLE)
    except RejectedError as error:
        _end(f"{error.code}: {describe(error.code).english}", TROUBLE)
    except CuravaniError as error:
        _end(f"{error.code}: {describe(error.code).english}", TROUBLE)
    except KeyboardInterrupt:
        _end("Stopped. Nothing is half done: what was in hand is finished or starts anew.", 130)


def _end(message: str, code: int) -> NoReturn:
    talk(message)
    raise typer.Exit(code)


def who() -> str:
    """The person at the terminal, as the history names them."""
    return f"api:{os.environ.get('SUDO_USER') or os.environ.get('USER') or os.environ.get('LOGNAME') or 'operator'}"
