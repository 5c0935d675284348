"""`curavani sessions`: who is signed in to the consoles, and ending that."""

from typing import Annotated

import typer

from curavani.cli.options import Json
from curavani.cli.output import examples, print_json, print_table, talk, with_exit_codes

app = typer.Typer(no_args_is_help=True, help="Who is signed in to the consoles.")

_COLUMNS = ("service", "name", "began_at", "seen_at")


@app.command("list", epilog=examples("curavani sessions list", "curavani sessions list --json"))
@with_exit_codes
def show(as_json: Json = False) -> None:
    """Who is signed in where, since when, and last seen when."""
    from curavani.services import SERVICES, connected
    from shared.history.sessions import list_sessions

    with connected() as connection:
        found = [
            {"service": entry.name, **row}
            for entry in SERVICES.values()
            for row in list_sessions(connection, entry.kernel)
        ]
    if as_json:
        print_json(found)
        return
    print_table(_COLUMNS, [[row[name] for name in _COLUMNS] for row in found])


@app.command(epilog=examples("curavani sessions end Olga"))
@with_exit_codes
def end(name: Annotated[str, typer.Argument(help="The token's name.")]) -> None:
    """Ends every session of a name, on both consoles.

    They may sign in again as long as their token is valid.
    """
    from curavani.services import SERVICES, connected
    from shared.history.sessions import end_sessions_of

    with connected() as connection:
        ended = sum(end_sessions_of(connection, entry.kernel, name) for entry in SERVICES.values())
    talk(f"{ended} session{'' if ended == 1 else 's'} ended.")
