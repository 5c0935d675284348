"""How commands speak: data to stdout, talk to stderr, and documented exit codes."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from shared.core.errors import (
    CuravaniError,
    DatabaseNotMigrated,
    LockHeld,
    NotAllowedError,
    NotFound,
    RejectedError,
    SettingsError,
    TransientError,
)
from shared.core.json_values import json_default
from shared.fields.validation import InvalidInput
from shared.words.codes import explain
from shared.words.statuses import FileStatus, RecordOutcome, ReviewState

TROUBLE = 1
USAGE = 2
UNAVAILABLE = 3
INTERRUPTED = 130

P = ParamSpec("P")
R = TypeVar("R")

_BOUNDLESS = 10_000
_SHORT = 24
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_HIDDEN = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
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


def out() -> Console:
    """The console for data: as wide as the terminal; where there is none, a row is one line, however long.

    Colours appear on a terminal only, and not with `NO_COLOR`.
    """
    return Console(width=None if sys.stdout.isatty() else _BOUNDLESS, highlight=False)


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
    typer.echo(_HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Prints data for people. Long columns fold where the terminal is narrow; nothing is cut off."""
    cells = [[shown(cell) for cell in row] for row in rows]
    table = Table(box=box.SIMPLE_HEAD, show_header=any(columns), header_style="bold", padding=(0, 1, 0, 0))
    table.show_edge = table.pad_edge = False
    for number, name in enumerate(columns):
        longest = max((len(row[number]) for row in cells), default=0)
        table.add_column(name, no_wrap=longest <= _SHORT, overflow="fold")
    for row in cells:
        table.add_row(*[Text(cell, style=_STYLES.get(cell, "")) for cell in row])
    console = out()
    if not console.is_terminal:
        console.width = max(1, Measurement.get(console, console.options, table).maximum)
    if title:
        console.print(Text(printable(title), style="bold italic"), soft_wrap=True)
    console.print(table)
    if title:
        console.print()


def shown(value: object) -> str:
    """One cell's text: times to the minute, in UTC; lists and objects as JSON; nothing that could steer a terminal."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, (dict, list)):
        return printable(json.dumps(value, ensure_ascii=False, default=json_default))
    return printable(str(value))


def printable(text: str, *, keep: str = "") -> str:
    """The text with control characters made visible: an object's name may hold escape sequences."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else f"\\x{ord(found[0]):02x}", text)


def examples(*commands: str) -> str:
    """The end of a command's help: how it is typed. A test holds that each one is understood."""
    return "\n\n".join(["Examples:", *[f"  {command}" for command in commands]])


def with_exit_codes(command: Callable[P, R]) -> Callable[P, R]:
    """Turns our failures into a sentence on stderr and the documented exit code; never a traceback for them."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with _exit_codes():
            return command(*args, **kwargs)

    return guarded


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        end(f"{error}\ndocs/settings.md lists them all; `curavani doctor` looks at every part.", USAGE)
    except (NotFound, NotAllowedError, InvalidInput) as error:
        end(error.message, USAGE)
    except LockHeld as error:
        end(f"Another process is importing just now: {error.holder}. Wait for it, or use --wait.", UNAVAILABLE)
    except DatabaseNotMigrated as error:
        end(f"{error.code}: {explain(error.code, error.detail).english}", UNAVAILABLE)
    except TransientError as error:
        advice = "`curavani doctor` tells which part is away."
        end(f"{error.code}: {explain(error.code, error.detail).english} {advice}", UNAVAILABLE)
    except RejectedError as error:
        end(f"{error.code}: {explain(error.code, error.detail).english}", TROUBLE)
    except CuravaniError as error:
        end(f"{error.code}: {explain(error.code, error.detail).english}", TROUBLE)
    except KeyboardInterrupt:
        end("Stopped. Nothing is half done: what was in hand is finished or starts anew.", INTERRUPTED)


def end(message: str, code: int) -> NoReturn:
    """Says why, and ends the command with this exit code."""
    talk(message)
    raise typer.Exit(code)


def operator() -> str:
    """The person at the terminal, as the history names them."""
    return f"api:{login_name()}"


def login_name() -> str:
    """Who types, as the system knows them."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or os.environ.get("LOGNAME") or "operator"
