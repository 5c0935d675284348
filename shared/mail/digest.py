"""The daily digest: one mail a day that says whether all is well, something changed, or somebody is needed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.alerts.outbox import wake
from shared.core.clock import GERMANY, now
from shared.database.tables import KernelTables
from shared.state.health import Expectations, import_health
from shared.words.statuses import RecordOutcome

CODE = "daily_digest"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Digest:
    """Writes one service's digest into the alert outbox, once a day from `at` on, by the clock in Germany."""

    kernel: KernelTables
    expected: Expectations
    at: time | None
    clock: Callable[[], datetime] = now

    def look(self, connection: Connection) -> None:
        """Writes today's digest if it is due. One that was missed is written later that day, and never twice."""
        day = due_day(self.at, self.clock())
        alerts = self.kernel.alert_outbox
        if day is None or _is_written(connection, self.kernel, day):
            return
        # Where the mail server was away for days, only the last one is worth reading.
        connection.execute(sa.delete(alerts).where(alerts.c.kind == "digest", alerts.c.sent_at.is_(None)))
        detail = gather(connection, self.kernel, self.expected, self.clock())
        connection.execute(sa.insert(alerts).values(kind="digest", code=CODE, fingerprint=_name(day), detail=detail))
        wake(connection, self.kernel)


def due_day(at: time | None, moment: datetime) -> date | None:
    """The day in Germany whose digest is due at this moment; None before its time, or where none is wanted."""
    here = moment.astimezone(GERMANY)
    return here.date() if at is not None and here.time() >= at else None


def gather(connection: Connection, kernel: KernelTables, expected: Expectations, moment: datetime) -> dict[str, Any]:
    """What the digest tells: counts and codes only."""
    tracking, reviews = kernel.import_tracking.c, kernel.reviews.c
    lately = tracking.processed_at >= moment - _DAY
    done = tracking.status.in_(("success", "partial"))
    sums = [sa.func.coalesce(sa.func.sum(tracking[f"{name}_count"]), 0).label(name) for name in RecordOutcome]
    records = connection.execute(sa.select(sa.func.count().label("files"), *sums).where(lately, done)).mappings().one()
    failed_lately = sa.func.count().filter(lately)
    failed = connection.execute(sa.select(sa.func.count(), failed_lately).where(tracking.status == "failed")).one()
    asked = sa.select(reviews.kind, sa.func.count()).where(reviews.state == "open").group_by(reviews.kind)
    checks = import_health(connection, kernel, expected)
    return {
        "files": records["files"],
        "files_failed": failed[1],
        "records": {name: int(records[name]) for name in RecordOutcome if records[name]},
        "failed": failed[0],
        "reviews": dict(connection.execute(asked).all()),
        "parked": next(check.number for check in checks if check.name == "events_parked"),
        "trouble": [check.code for check in checks if not check.ok],
    }


def _is_written(connection: Connection, kernel: KernelTables, day: date) -> bool:
    alerts = kernel.alert_outbox.c
    written = sa.exists().where(alerts.kind == "digest", alerts.fingerprint == _name(day))
    return bool(connection.execute(sa.select(written)).scalar())


def _name(day: date) -> str:
    return f"digest:{day.isoformat()}"
