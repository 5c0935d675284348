"""`curavani events`: what waits for the brokers, sending again, and deciding about what the brokers refuse."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from curavani.cli.options import Json, since_option
from curavani.cli.output import USAGE, end, examples, operator, print_json, print_table, talk, with_exit_codes
from shared.words.codes import Code, describe
from shared.words.statuses import ServiceName

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from curavani.services import ServiceEntry
    from shared.events.control import ParkedEvent

events = typer.Typer(no_args_is_help=True, help="Events that wait or are refused, and sending again.")

_Number = Annotated[str, typer.Argument(help="Number as `events status` shows it, like P12 or T7.")]


@events.command(epilog=examples("curavani events status", "curavani events status --json"))
@with_exit_codes
def status(as_json: Json = False) -> None:
    """What waits for the brokers, and which events are parked.

    Parked ones wait until somebody decides.
    """
    from curavani.services import SERVICES, connected

    with connected() as connection:
        backlogs = [_backlog(connection, entry) for entry in SERVICES.values()]
    if as_json:
        print_json({backlog.entry.name: backlog.as_json() for backlog in backlogs})
        return
    rows = [(it.entry.name, it.waiting, _age(it.oldest_seconds), len(it.parked)) for it in backlogs]
    print_table(("service", "waiting", "oldest", "parked"), rows, title="Not sent")
    refused = [
        (it.entry.number(event.number), event.event_type, event.entity_id, event.created_at, event.code,
         event.waiting_behind)
        for it in backlogs for event in it.parked
    ]  # fmt: skip
    if refused:
        print_table(("number", "event", "of", "since", "code", "waiting behind"), refused, title="Parked")
    for advice in _advice(backlogs):
        talk(advice)


@events.command(
    "replay",
    epilog=examples("curavani events replay patient --entity 7", "curavani events replay therapist --since 2026-03-01"),
)
@with_exit_codes
def replay_command(
    service: Annotated[ServiceName, typer.Argument(help="Whose events.")],
    since: Annotated[datetime | None, since_option("What was sent since then")] = None,
    entity: Annotated[int | None, typer.Option(help="Only of this patient or therapist.")] = None,
    as_json: Json = False,
) -> None:
    """Sends again what was sent in the last 7 days.

    Under the same event ids and in the same order.
    """
    from curavani.services import SERVICES, connected
    from shared.events.control import replay

    if since is None and entity is None:
        end("Say which ones: --since or --entity.", USAGE)
    entry = SERVICES[service]
    with connected() as connection:
        number = replay(connection, entry.kernel, operator(), since=since, entity_id=entity)
    if as_json:
        print_json({"events": number})
    talk(f"{number} event(s) are sent again.")


@events.command("release", epilog=examples("curavani events release P12"))
@with_exit_codes
def release_command(number: _Number) -> None:
    """Has a parked event tried again.

    Once what the brokers had against it is mended; those behind it follow.
    """
    from curavani.services import connected, numbered
    from shared.events.control import release

    entry, row_id = numbered(number)
    with connected() as connection:
        release(connection, entry.kernel, row_id, operator())
    talk(f"Event {number} is tried again.")


@events.command("drop", epilog=examples('curavani events drop P12 --reason "sent by hand"'))
@with_exit_codes
def drop_command(
    number: _Number,
    reason: Annotated[str, typer.Option(help="Why; kept with your name.")],
) -> None:
    """Gives up a parked event for good.

    Those behind it are sent. Consumers never see this change: they see the
    next one of the same patient or therapist, which carries all of the data.
    """
    from curavani.services import connected, numbered
    from shared.events.control import drop

    entry, row_id = numbered(number)
    with connected() as connection:
        drop(connection, entry.kernel, row_id, operator(), reason)
    talk(f"Event {number} is dropped.")


@dataclass(frozen=True, slots=True)
class _Backlog:
    """What one service has not sent yet, and what stands in the way."""

    entry: "ServiceEntry"
    waiting: int
    oldest_seconds: float | None
    problems: Sequence[str]
    parked: Sequence["ParkedEvent"]
    topic: str

    def as_json(self) -> dict[str, object]:
        return {
            "topic": self.topic,
            "waiting": self.waiting,
            "oldest_seconds": self.oldest_seconds,
            "problems": self.problems,
            "parked": [{"id": self.entry.number(event.number), **asdict(event)} for event in self.parked],
        }


def _backlog(connection: "Connection", entry: "ServiceEntry") -> _Backlog:
    from shared.events.control import parked, problems
    from shared.events.outbox import topic_of
    from shared.state.reading import read_snapshot

    snapshot = read_snapshot(connection, entry.kernel)
    return _Backlog(
        entry,
        snapshot.events.number,
        snapshot.age(snapshot.events.oldest) if snapshot.events.oldest else None,
        list(problems(connection, entry.kernel)),
        parked(connection, entry.kernel),
        topic_of(entry.kernel),
    )


def _advice(backlogs: Sequence[_Backlog]) -> list[str]:
    """What to do about all this, each thing once."""
    from shared.core.settings import KafkaSettings, read_settings

    servers = read_settings(os.environ, KafkaSettings)[KafkaSettings].bootstrap_servers
    said = []
    if servers is None:
        said.append("KAFKA_BOOTSTRAP_SERVERS is not set here: without it a service sends nothing, and events wait.")
    for backlog in backlogs:
        said += [_about_topic(backlog.topic, servers) for code in backlog.problems if code == Code.TOPIC_MISSING]
        said += [describe(code).english for code in backlog.problems if code != Code.TOPIC_MISSING]
        said += [describe(event.code).english for event in backlog.parked]
    return list(dict.fromkeys(said))


def _about_topic(topic: str, servers: str | None) -> str:
    return (
        f"The topic {topic} does not exist. Create it: kafka-topics.sh --bootstrap-server {servers or 'HOST:9092'}"
        f" --create --topic {topic} --partitions 3 --replication-factor 3"
    )


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
