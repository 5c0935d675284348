"""`curavani db`, `serve`, `doctor` and `events`: setting up, running, and asking how it is."""

import os
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from curavani import schema
from curavani.cli.imports import Json
from curavani.cli.output import TROUBLE, UNAVAILABLE, USAGE, end, examples, print_json, print_table, talk, told
from curavani.cli.services import SERVICES, Name, connected, database
from curavani.doctor import examine
from shared.database.engine import transaction
from shared.events.relay import replay, waiting

db = typer.Typer(no_args_is_help=True, help="The database schema.")
events = typer.Typer(no_args_is_help=True, help="Events that wait, and sending again what was sent.")


@db.command(epilog=examples("curavani db upgrade"))
@told
def upgrade() -> None:
    """Brings the schema up to date; safe to run again, and while services run."""
    engine = database()
    try:
        state = schema.upgrade(engine)
    finally:
        engine.dispose()
    typer.echo(f"The schema is at revision {state.current}.")


@db.command(epilog=examples("curavani db current", "curavani db current --json"))
@told
def current(as_json: Json = False) -> None:
    """The schema's revision, and the newest one."""
    with connected() as connection:
        state = schema.state(connection)
    if as_json:
        print_json(asdict(state))
        return
    typer.echo(f"current {state.current or 'none'}, newest {state.newest}")


@db.command(epilog=examples("curavani db check", "curavani db check --json"))
@told
def check(as_json: Json = False) -> None:
    """Whether the schema is what this program needs; ends with 1 if not."""
    with connected() as connection:
        state = schema.state(connection)
        found = schema.differences(connection) if state.up_to_date else []
    if as_json:
        print_json({"up_to_date": state.up_to_date, "differences": found})
        raise typer.Exit(TROUBLE if found or not state.up_to_date else 0)
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
    service: Annotated[Name, typer.Argument(help="Which one.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="If left out: 8001 for patient, 8002 for therapist.")
    ] = None,
) -> None:
    """Runs a service with its background work, by gunicorn. Ends in good order on SIGTERM."""
    entry = SERVICES[service]
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


@events.command(epilog=examples("curavani events status", "curavani events status --json"))
@told
def status(as_json: Json = False) -> None:
    """What waits for the brokers, and for how long."""
    found = {}
    with connected() as connection:
        for entry in SERVICES.values():
            state = waiting(connection, entry.kernel)
            found[entry.name] = {
                "waiting": state.count,
                "oldest_seconds": state.oldest_age_seconds,
                "parked": state.parked,
            }
    if as_json:
        print_json(found)
        return
    rows = [(name, state["waiting"], state["oldest_seconds"], state["parked"]) for name, state in found.items()]
    print_table(("service", "waiting", "oldest (s)", "parked"), rows)


@events.command(
    "replay",
    epilog=examples("curavani events replay patient --entity 7", "curavani events replay therapist --since 2025-07-01"),
)
@told
def replay_command(
    service: Annotated[Name, typer.Argument(help="Whose events.")],
    since: Annotated[datetime | None, typer.Option(help="Events created since, in UTC.")] = None,
    entity: Annotated[int | None, typer.Option(help="Only of this patient or therapist.")] = None,
) -> None:
    """Sends again what was sent, under the same event ids."""
    if since is None and entity is None:
        end("Say which ones: --since or --entity.", USAGE)
    entry = SERVICES[service]
    engine = database()
    try:
        with transaction(engine) as connection:
            moment = since.astimezone() if since is not None and since.tzinfo else since
            number = replay(connection, entry.kernel, since=moment, entity_id=entity)
    finally:
        engine.dispose()
    talk(f"{number} event(s) are sent again.")
