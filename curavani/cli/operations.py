"""`curavani db`, `serve` and `doctor`: setting up, running, and asking how it is."""

import os
import socket
import sys
import tempfile
from dataclasses import asdict
from typing import Annotated

import typer

from curavani.cli.options import Json
from curavani.cli.output import (
    TROUBLE,
    UNAVAILABLE,
    USAGE,
    end,
    examples,
    print_json,
    print_table,
    talk,
    with_exit_codes,
)
from shared.core.errors import DatabaseForeign, DatabaseUnavailable
from shared.words.statuses import ServiceName

db = typer.Typer(no_args_is_help=True, help="The database schema.")
_PORTS = {"patient": 8001, "therapist": 8002}


@db.command(epilog=examples("curavani db upgrade"))
@with_exit_codes
def upgrade() -> None:
    """Brings the schema up to date.

    Safe to run again, and while services run.
    """
    from curavani import schema
    from curavani.services import database

    engine = database()
    try:
        state = schema.upgrade(engine)
    finally:
        engine.dispose()
    newer = f", newer than this program's {state.newest}; it stays as it is" if state.newer else ""
    typer.echo(f"The schema is at revision {state.current}{newer}.")


@db.command(epilog=examples("curavani db current", "curavani db current --json"))
@with_exit_codes
def current(as_json: Json = False) -> None:
    """The schema's revision, and the newest one."""
    from curavani import schema
    from curavani.services import connected_to_any

    with connected_to_any() as connection:
        state = schema.state(connection)
    if as_json:
        print_json(asdict(state))
        return
    typer.echo(f"current {state.current or 'none'}, newest {state.newest}")


@db.command(epilog=examples("curavani db check", "curavani db check --json"))
@with_exit_codes
def check(as_json: Json = False) -> None:
    """Whether the schema is what this program needs; ends with 1 if not."""
    from curavani import schema
    from curavani.services import connected_to_any

    with connected_to_any() as connection:
        state = schema.state(connection)
        found = schema.differences(connection) if state.up_to_date and not state.newer else []
    if as_json:
        print_json({"up_to_date": state.up_to_date, "differences": found})
        raise typer.Exit(TROUBLE if found or not state.up_to_date else 0)
    if not state.up_to_date:
        end("The schema is missing or old. Run: curavani db upgrade", TROUBLE)
    for difference in found:
        typer.echo(difference)
    if found:
        raise typer.Exit(TROUBLE)
    typer.echo("The schema is newer than this program needs." if state.newer else "The schema is up to date.")


@with_exit_codes
def serve(
    service: Annotated[ServiceName, typer.Argument(help="Which one.")],
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="If left out: 8001 for patient, 8002 for therapist.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, envvar="WEB_CONCURRENCY", help="Processes.")] = 1,
) -> None:
    """Runs a service with its background work, by gunicorn.

    Ends in good order on SIGTERM and Ctrl-C.
    """
    from curavani.services import SERVICES

    entry = SERVICES[service]
    settings = entry.bootstrap.read_service_settings(os.environ)
    _require_schema(workers)
    entry.bootstrap.require_digest_key(settings)
    listening = _listen(host, port or _PORTS[entry.name])
    # The library's multiprocess mode begins with its import, so the folder has to be there before the new program is.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _folder_for_metrics()
    command = [
        "gunicorn",
        f"{entry.name}_service.app:create_app()",
        *("--bind", f"fd://{listening.detach()}", "--workers", str(workers), "--name", entry.bootstrap.NAME),
        *("--config", "python:shared.http.gunicorn"),
    ]
    # Replaces this process, so that signals reach gunicorn itself.
    os.execv(sys.executable, [sys.executable, "-m", *command])  # noqa: S606 - a fixed command, no shell


def _folder_for_metrics() -> str:
    """Where the workers count; gunicorn removes it at its end."""
    try:
        return tempfile.mkdtemp(prefix="curavani-metrics-")
    except OSError:
        end(
            "No folder for temporary files can be written. Make one writable, such as /tmp, or name it by TMPDIR.",
            USAGE,
        )


def _listen(host: str, port: int) -> socket.socket:
    """The socket, bound here: gunicorn would try for five seconds and then end without a word that helps."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        end(f"Cannot listen on {host}, port {port}: {reason}. Choose another --port, or end what listens there.", USAGE)
    listening.set_inheritable(True)
    return listening


def _require_schema(workers: int) -> None:
    """Raises `DatabaseNotMigrated`, and says where so many workers do not fit. A database that is away, or whose tables
    are to be taken over first, is waited for by the service itself.
    """
    from curavani.services import SERVICES, connected
    from curavani.sizes import connections_advice, memory_advice
    from shared.core.memory import memory_limit
    from shared.database.room import read_room

    try:
        with connected() as connection:
            advice = [connections_advice(read_room(connection), len(SERVICES) * workers)]
            for line in filter(None, [*advice, memory_advice(memory_limit(), workers)]):
                talk(line)
            return
    except DatabaseUnavailable:
        return
    except DatabaseForeign as error:
        talk(f"{error.code}: {error.code.english} Until then the service only says that it is not ready.")


@with_exit_codes
def doctor(as_json: Json = False) -> None:
    """One line per dependency and import: ok, or what to do.

    Ends with 1 where something waits for a person, with 3 where something
    does not work.
    """
    from curavani.doctor import examine

    found = examine(os.environ)
    if as_json:
        print_json([entry.as_json() for entry in found])
    else:
        print_table(("part", "state", "what to do"), [(it.part, it.state, " ".join(it.advice.split())) for it in found])
    if any(entry.state == "settings" for entry in found):
        raise typer.Exit(USAGE)
    if any(entry.state == "failing" for entry in found):
        raise typer.Exit(UNAVAILABLE)
    if any(entry.state == "attention" for entry in found):
        raise typer.Exit(TROUBLE)
