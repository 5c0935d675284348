"""How commands speak: data to stdout, talk to stderr, and documented exit codes."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

import typer

from shared.core.errors import (
    CuravaniError,
    DatabaseNotMigrated,
    LockHeld,
    NotAllowedError,
    NotFound,
    SettingsError,
    TransientError,
)
from shared.core.json_values import json_default
from shared.words.codes import explain
from shared.words.statuses import FileStatus, RecordOutcome, ReviewState

if TYPE_CHECKING:
    from rich.console import Console

TROUBLE = 1
USAGE = 2
UNAVAILABLE = 3
INTERRUPTED = 130

FEW = 50
"""Rows of a table for people, unless they ask for more."""

P = ParamSpec("P")
R = TypeVar("R")

_SHORT = 24
# What steers a terminal, turns the direction of text, or cannot be seen at all.
_UNSEEN = (
    "\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_CONTROL = re.compile(f"[\x00-\x1f{_UNSEEN}]")
_HIDDEN = re.compile(f"[{_UNSEEN}]")
_STYLES: Mapping[str, str] = {
    "ok": "green",
    FileStatus.SUCCESS: "green",
    RecordOutcome.NEW: "green",
    FileStatus.PARTIAL: "yellow",
    FileStatus.RETRYING: "yellow",
    RecordOutcome.HELD: "yellow",
    ReviewState.OPEN: "yellow",
    "finding": "yellow",
    "not configured": "yellow",
    FileStatus.FAILED: "red",
    "failing": "red",
    "error": "red",
    "settings": "red",
}


def talk(message: str) -> None:
    """Says something to the person, next to the data."""
    typer.echo(printable(message, keep="\n"), err=True)


def typed_again(whom: str) -> str:
    """The number that the person types in again before something that cannot be undone."""
    typer.echo(f"Type the {whom}'s number again to erase: ", err=True, nl=False)
    line = sys.stdin.readline()
    if not line:
        typer.echo(err=True)
    return line.strip()


def print_json(value: object) -> None:
    """Prints data for programs."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=json_default)
    # Inside of JSON's strings, where alone they can be, it has its own way of writing them.
    typer.echo(_HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text))


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None, most: int | None = FEW
) -> None:
    """Prints data for people: at most so many rows, and how many more there are.

    On a terminal, columns stand below each other and fold where it is narrow; nothing is cut off. Elsewhere a row is a
    line, and its cells have a tab between them.
    """
    cells = [[shown(cell) for cell in row] for row in rows[:most]]
    heading = printable(title) if title else ""
    if sys.stdout.isatty():
        _print_on_terminal(columns, cells, heading)
    else:
        lines = ["\t".join(row) for row in ([columns] if any(columns) else []) + cells]
        typer.echo("\n".join([heading, *lines, ""] if heading else lines))
    if len(rows) > len(cells):
        talk(f"{len(cells)} of {len(rows)} rows. All of them: --json")


def terminal() -> "Console":
    """The person's terminal. Colours appear unless `NO_COLOR` is set."""
    from rich.console import Console

    return Console(highlight=False)


def _print_on_terminal(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_header=any(columns), header_style="bold", padding=(0, 1, 0, 0))
    table.show_edge = table.pad_edge = False
    for number, name in enumerate(columns):
        longest = max((len(row[number]) for row in rows), default=0)
        table.add_column(name, no_wrap=longest <= _SHORT, overflow="fold")
    for row in rows:
        table.add_row(*[Text(cell, style=_STYLES.get(cell, "")) for cell in row])
    console = terminal()
    if title:
        console.print(Text(title, style="bold italic"), soft_wrap=True)
    console.print(table)
    if title:
        console.print()


def shown(value: object) -> str:
    """One cell's text: times to the minute, in UTC; lists and objects as JSON; nothing that could steer a terminal."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, (dict, list)):
        return printable(json.dumps(value, ensure_ascii=False, default=json_default))
    return printable(str(value))


def printable(text: str, *, keep: str = "") -> str:
    """The text with control characters made visible: an object's name may hold escape sequences."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else _visible(found[0]), text)


def _visible(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"


def examples(*commands: str) -> str:
    """The end of a command's help: how it is typed. A test holds that each one is understood."""
    # The first line tells that these are not to be filled up into a paragraph.
    return "\n".join(["\b", "Examples:", *[f"  {command}" for command in commands]])


def with_exit_codes(command: Callable[P, R]) -> Callable[P, R]:
    """Turns our failures into a sentence on stderr and the documented exit code; never a traceback for them. What is
    logged meanwhile goes to stderr, too.
    """

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        from curavani.logs import log_to_stderr

        log_to_stderr()
        with exit_codes():
            return command(*args, **kwargs)

    return guarded


@contextmanager
def exit_codes() -> Iterator[None]:
    """Ends the command as documented where the block fails in one of our ways."""
    try:
        yield
    except CuravaniError as error:
        end(*_ending(error))
    except ImportError as error:
        service = (error.name or "").partition("_service")[0]
        if service not in ("patient", "therapist") or find_spec(f"{service}_service.bootstrap") is not None:
            raise
        end(f"This image has nothing of the {service} service but its tables. Run it in that service's image.", USAGE)
    except KeyboardInterrupt:
        end("Stopped. Nothing is half done: what was in hand is finished or starts anew.", INTERRUPTED)


def _ending(error: CuravaniError) -> tuple[str, int]:
    """What to say about a failure, and the exit code."""
    from shared.fields.validation import InvalidInput

    meaning = f"{error.code}: {explain(error.code, error.detail).english}"
    match error:
        case SettingsError():
            return f"{error}\ndocs/settings.md lists them all; `curavani doctor` looks at every part.", USAGE
        case NotFound() | NotAllowedError() | InvalidInput():
            return error.message, USAGE
        case LockHeld():
            return f"Another process is importing just now: {error.holder}. Wait for it, or use --wait.", UNAVAILABLE
        case DatabaseNotMigrated():
            return meaning, UNAVAILABLE
        case TransientError():
            return f"{meaning} `curavani doctor` tells which part is away.", UNAVAILABLE
        case _:
            return f"Error: {meaning}", TROUBLE


def end(message: str, code: int) -> NoReturn:
    """Says why, and ends the command with this exit code."""
    talk(f"Error: {message}" if code in (USAGE, UNAVAILABLE) else message)
    raise typer.Exit(code)


def operator() -> str:
    """The person at the terminal, as the history names them."""
    return f"api:{login_name()}"


def login_name() -> str:
    """Who types, as the system knows them."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or os.environ.get("LOGNAME") or "operator"
