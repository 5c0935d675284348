"""One pass of an import: what it met, and its row in `import_passes`, which tells of every pass, also of empty ones."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.statements import KernelStatement
from shared.database.tables import KernelTables
from shared.words.codes import Code
from shared.words.statuses import FileStatus, PassTrigger

TROUBLE = (FileStatus.FAILED, FileStatus.RETRYING, FileStatus.PARTIAL, "delete_pending", Code.FOLDER_UNREADABLE)
"""What makes a pass end with something that a person may want to look at."""


@dataclass(frozen=True, slots=True)
class FileDone:
    """What a watcher of a pass is told after each file: the how many-th of how many due ones, and its records."""

    number: int
    due: int
    records: int


@dataclass(slots=True)
class PassReport:
    """Files of one pass by what became of them, and what was left alone, by reason."""

    counts: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    look_again_seconds: float | None = None
    """How soon something that waits (a file still being written) is worth another look."""
    watch: Callable[[str], None] = field(default=lambda _status: None)
    """Told of each file as it is counted."""

    def count(self, status: str) -> None:
        self.counts[status] += 1
        self.watch(status)

    def ignore(self, reason: str, number: int = 1) -> None:
        self.ignored[reason] += number

    def look_again_in(self, seconds: float) -> None:
        self.look_again_seconds = min(seconds, self.look_again_seconds or seconds)

    @property
    def has_trouble(self) -> bool:
        """Whether something of this pass failed, is tried again, is held, waits for its delete, or may not be read."""
        return any(self.counts[status] for status in TROUBLE)


@dataclass(frozen=True, slots=True)
class EndedPass:
    """What the row of a pass says at its end; `error_code` is why it could not be completed."""

    error_code: str | None
    counts: Mapping[str, int]
    ignored: Mapping[str, int]


def newest_pass(connection: Connection, kernel: KernelTables) -> int:
    """The number of the pass that began last; 0 before the first."""
    return int(_NEWEST.of(kernel.schema).one(connection).id)


def first_pass_after(connection: Connection, kernel: KernelTables, number: int) -> EndedPass | None:
    """The first pass after that one, once it has ended. One that was cut off does not count: another one follows."""
    row = _FIRST_AFTER.of(kernel.schema)(connection, number=number, cut_off=Code.INTERRUPTED).fetchone()
    return EndedPass(*row) if row else None


_NEWEST = KernelStatement("SELECT coalesce(max(id), 0) AS id FROM {schema}.import_passes")
_FIRST_AFTER = KernelStatement("""
    SELECT error_code, counts, ignored
      FROM {schema}.import_passes
     WHERE id > :number AND finished_at IS NOT NULL AND error_code IS DISTINCT FROM :cut_off
     ORDER BY id LIMIT 1
""")


def close_interrupted(connection: Connection, kernel: KernelTables) -> bool:
    """Closes the passes that have no end: their process died, or the database went away. Whether there were any.

    Whoever calls this holds the import's lock, so that no other pass is at work.
    """
    table = kernel.import_passes
    closed = (
        sa.update(table)
        .where(table.c.finished_at.is_(None))
        .values(finished_at=sa.func.clock_timestamp(), error_code=Code.INTERRUPTED)
    )
    return connection.execute(closed).rowcount > 0


def start_pass(connection: Connection, kernel: KernelTables, trigger: PassTrigger, actor: str) -> int:
    """Opens the pass's row."""
    table = kernel.import_passes
    statement = sa.insert(table).values(trigger=trigger, actor=actor).returning(table.c.id)
    return int(connection.execute(statement).scalar_one())


def finish_pass(
    connection: Connection,
    kernel: KernelTables,
    pass_id: int,
    report: PassReport,
    *,
    error_code: str | None = None,
    next_pass_at: datetime | None = None,
) -> None:
    """Closes the row. `error_code` says why the pass could not be completed."""
    table = kernel.import_passes
    connection.execute(
        sa.update(table)
        .where(table.c.id == pass_id)
        .values(
            finished_at=sa.func.clock_timestamp(),
            counts=dict(report.counts),
            ignored=dict(report.ignored),
            error_code=error_code,
            next_pass_at=next_pass_at,
        )
    )
