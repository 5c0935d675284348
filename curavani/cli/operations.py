"""`curavani db`, `serve` and `doctor`: setting up, running, and asking how it is."""

import os
import sys
from typing import Annotated

import typer

from curavani import schema
from curavani.cli.imports import Json
from curavani.cli.output import TROUBLE, UNAVAILABLE, USAGE, print_json, print_table, talk, told
from curavani.cli.services import connected, database, service_named
from curavani.doctor import examine

db = typer.Typer(no_args_is_help=True, help="The database schema.")


@db.command()
@told
def upgrade() -> None:
    """Brings the schema up to date; safe to run again, and while services run."""
    engine = database()
    try:
        state = schema.upgrade(engine)
    finally:
        engine.dispose()
    typer.echo(f"The schema is at revision {state.current}.")


@db.command()
@told
def current() -> None:
    """The schema's revision, and the newest one."""
    with connected() as connection:
        state = schema.state(connection)
    typer.echo(f"current {state.current or 'none'}, newest {state.newest}")


@db.command()
@told
def check() -> None:
    """Whether the schema is what this program needs; exit 1 if not."""
    with connected() as connection:
        state = schema.state(connection)
        found = schema.differences(connection) if state.up_to_date else []
    if not state.up_to_date:
        talk("The schema is missing or old. Run: curavani db upgrade")
        raise typer.Exit(TROUBLE)
    for difference in found:
        typer.echo(difference)
    if found:
        raise typer.Exit(TROUBLE)
    typer.echo("The schema is up to date.")


@told
def serve(
    service: Annotated[str, typer.Argument(help="patient or therapist")],
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="8001 for patient, 8002 for therapist.")] = None,
) -> None:
    """Runs a service with its background work, by gunicorn. Ends in good order on SIGTERM."""
    entry = service_named(service)
    entry.bootstrap.read_service_settings(os.environ)
    chosen = port or {"patient": 8001, "therapist": 8002}[entry.name]
    workers = os.environ.get("WEB_CONCURRENCY", "1")
    command = [
        "gunicorn",
        f"{entry.name}_service.app:create_app()",
        *("--bind", f"{host}:{chosen}", "--workers", workers, "--worker-class", "gthread", "--threads", "8"),
        *("--graceful-timeout", "30", "--log-level", "warning", "--config", "python:shared.gunicorn"),
    ]
    # Replaces this process, so that signals reach gunicorn itself.
    os.execv(sys.executable, [sys.executable, "-m", *command])  # noqa: S606 - a fixed command, no shell


@told
def doctor(as_json: Json = False) -> None:
    """One line per dependency: ok, or what to do."""
    found = examine(os.environ)
    if as_json:
        print_json([entry.as_json() for entry in found])
    else:
        print_table(("part", "state", "what to do"), [(entry.part, entry.state, entry.advice) for entry in found])
    if any(entry.state == "settings" for entry in found):
        raise typer.Exit(USAGE)
    if any(entry.state == "failing" for entry in found):
        raise typer.Exit(UNAVAILABLE)
