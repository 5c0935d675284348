"""What needs somebody: failed files, open decisions and people whose time is over, longest waiting first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from shared.console.access import may
from shared.console.corrections import Correcting
from shared.console.unimported import Registration, registration_of, waiting_rows
from shared.core.tokens import Role
from shared.database.statements import KernelStatement
from shared.database.tables import KernelTables
from shared.words.statuses import FileStatus

_SHOWN_FAILED = 8


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that waits for a person, and who it is about: known of registrations, to those who may see it."""

    id: int
    error_code: str | None
    since: datetime
    who: Registration | None


@dataclass(frozen=True, slots=True)
class OpenReviews:
    """The open decisions of a kind, and since when the oldest waits."""

    kind: str
    number: int
    since: datetime


def needs_somebody(
    connection: Connection, kernel: KernelTables, correcting: Correcting | None
) -> Sequence[FailedFile | OpenReviews]:
    """The files that wait longest, a few of them, and the decisions by kind."""
    rows = waiting_rows(connection, kernel, [FileStatus.FAILED], most=_SHOWN_FAILED)
    readable = correcting if may(Role.READ) else None
    found: list[FailedFile | OpenReviews] = [
        FailedFile(
            row["id"], row["error_code"], row["since"], registration_of(readable, row) if readable is not None else None
        )
        for row in rows
    ]
    found += [OpenReviews(*row) for row in _OPEN.of(kernel.schema)(connection)]
    return sorted(found, key=lambda need: need.since)


_OPEN = KernelStatement("""
    SELECT kind, count(*), min(created_at) FROM {schema}.reviews WHERE state = 'open' GROUP BY kind
""")
