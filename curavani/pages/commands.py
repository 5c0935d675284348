"""The page of all commands, `docs/commands.md`, made from the command line's own help."""

from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup

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
    commands = all_commands(typer.main.get_command(app), "curavani")
    return _HEADER + "".join(_section(path, command) for path, command in commands)


def all_commands(command: object, path: str) -> Iterator[tuple[str, TyperCommand]]:
    """Every command that can be run, with the words that call it."""
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from all_commands(inner, f"{path} {name}")
    elif isinstance(command, TyperCommand):
        yield path, command


def _section(path: str, command: TyperCommand) -> str:
    context = typer.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in filter(None, records) if name != "--help"]
    table = "\n| | |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    lines = "\n".join(line.strip() for line in (command.epilog or "").split("\n")[2:])
    return f"\n## {path}\n\n`{path} {usage}`\n\n{command.help}\n{table}\n```\n{lines}\n```\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").strip()
