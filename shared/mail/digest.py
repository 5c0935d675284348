"""The daily digest: one mail a day that says whether all is well, something changed, or somebody is needed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.alerts.outbox import wake
from shared.core.clock import GERMANY, now
from shared.database.tables import KernelTables
from shared.mail.digest_text import DigestDetail
from shared.state.health import Expectations, import_health
from shared.state.reading import read_snapshot
from shared.state.snapshot import Snapshot
from shared.words.codes import Code
from shared.words.statuses import AlertKind, FileStatus


@dataclass(frozen=True, slots=True)
class Digest:
    """Writes one service's digest into the alert outbox, once a day from `at` on, by the clock in Germany."""

    kernel: KernelTables
    expected: Expectations
    at: time | None
    clock: Callable[[], datetime] = now
    count_due: Callable[[Connection], int] = lambda _connection: 0

    def look(self, connection: Connection) -> None:
        """Writes today's digest if it is due. One that was missed is written later that day, and never twice."""
        day = due_day(self.at, self.clock())
        alerts = self.kernel.alert_outbox
        if day is None or _is_written(connection, self.kernel, day):
            return
        # Where the mail server was away for days, only the last one is worth reading.
        connection.execute(sa.delete(alerts).where(alerts.c.kind == AlertKind.DIGEST, alerts.c.sent_at.is_(None)))
        detail = gather(read_snapshot(connection, self.kernel), self.expected, self.count_due(connection))
        connection.execute(
            sa.insert(alerts).values(
                kind=AlertKind.DIGEST, code=Code.DAILY_DIGEST, fingerprint=_name(day), detail=detail
            )
        )
        wake(connection, self.kernel)


def due_day(at: time | None, moment: datetime) -> date | None:
    """The day in Germany whose digest is due at this moment; None before its time, or where none is wanted."""
    here = moment.astimezone(GERMANY)
    return here.date() if at is not None and here.time() >= at else None


def gather(snapshot: Snapshot, expected: Expectations, due: int = 0) -> DigestDetail:
    """What the digest tells: counts and codes only."""
    lately = snapshot.last_day
    return {
        "files": lately.applied,
        "files_failed": lately.failed,
        "records": {outcome.value: number for outcome, number in lately.records.items() if number},
        "failed": snapshot.files.get(FileStatus.FAILED, 0),
        "reviews": {kind.value: number for kind, number in snapshot.open_reviews.items()},
        "parked": snapshot.parked,
        "unknown_copies": snapshot.unknown_copies,
        "due": due,
        "trouble": [str(check.code) for check in import_health(snapshot, expected) if not check.ok],
    }


def _is_written(connection: Connection, kernel: KernelTables, day: date) -> bool:
    alerts = kernel.alert_outbox.c
    written = sa.exists().where(alerts.kind == AlertKind.DIGEST, alerts.fingerprint == _name(day))
    return bool(connection.execute(sa.select(written)).scalar())


def _name(day: date) -> str:
    return f"digest:{day.isoformat()}"
