"""The page of all commands, `docs/commands.md`, made from the command line's own help."""

from collections.abc import Iterator
from typing import Any

import typer

from curavani.__main__ import app

_HEADER = """# Commands

The installed command is `.venv/bin/curavani`, also `python -m curavani`. Settings come from the environment
([settings.md](settings.md)). Data goes to stdout, talk to stderr; with `--json` the data is for programs.

| exit code | means |
|---|---|
| 0 | all well |
| 1 | finished, but something of this pass failed, is tried again, is held, or waits for its delete in the bucket |
| 2 | wrong usage or settings |
| 3 | a needed service (database, storage, the import lock) cannot be had |
| 130 | stopped by Ctrl-C; nothing is half done |

The two services number their files and reviews separately: `P12` is a patient's file and `T7` a therapist's, `PE12` and
`TE7` are reviews ("Entscheidungen"); commands on reviews take `P12` for `PE12`, too.
`curavani --install-completion` teaches the shell to complete commands, options and choices.
"""


def commands_page() -> str:
    """The page's text."""
    group: Any = typer.main.get_command(app)
    return _HEADER + "".join(_section(path, command) for path, command in all_commands(group, "curavani"))


def all_commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with the words that call it."""
    for name, command in group.commands.items():
        words = f"{path} {name}"
        if hasattr(command, "commands"):
            yield from all_commands(command, words)
        else:
            yield words, command


def _section(path: str, command: Any) -> str:
    context = typer.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in filter(None, records) if name != "--help"]
    table = "\n| | |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    lines = "\n".join(line.strip() for line in command.epilog.split("\n\n")[1:])
    return f"\n## {path}\n\n`{path} {usage}`\n\n{command.help}\n{table}\n```\n{lines}\n```\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").strip()
