"""What it takes for an import to be well: somebody leads it, passes finish, nothing waits too long."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.clock import now
from shared.imports.passes import last_pass
from shared.tables import KernelTables
from shared.workers.heartbeats import leader_of

DELETE_PENDING_LIMIT = timedelta(hours=24)
EVENTS_WAITING_LIMIT = timedelta(minutes=15)
START_UP = timedelta(minutes=2)
"""How long a fresh installation may be without a first pass."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be well. `code` says what is not; `number` and `seconds` how many, and for how long."""

    name: str
    ok: bool
    code: str | None = None
    number: int | None = None
    seconds: int | None = None

    def as_json(self) -> dict[str, Any]:
        shown = {"ok": self.ok, "code": self.code, "number": self.number, "seconds": self.seconds}
        return {name: value for name, value in shown.items() if value is not None}


def import_health(connection: Connection, kernel: KernelTables, *, enabled: bool, interval_seconds: int) -> list[Check]:
    """Every check of one service's import. A failed file is a person's work, not a sick service: it is only counted."""
    checks = [_failed_files(connection, kernel), _deletes(connection, kernel), _events(connection, kernel)]
    if not enabled:
        return [Check("import", ok=True, code="disabled"), *checks]
    return [_leader(connection, kernel), _freshness(connection, kernel, interval_seconds), *checks]


def _leader(connection: Connection, kernel: KernelTables) -> Check:
    leads = leader_of(connection, kernel, "import") is not None
    return Check("leader", ok=leads, code=None if leads else "no_leader")


def _freshness(connection: Connection, kernel: KernelTables, interval_seconds: int) -> Check:
    """A pass has to finish in twice the interval, and the latest one has to have got through."""
    latest = last_pass(connection, kernel)
    if latest is None:
        began = connection.execute(sa.select(sa.func.min(kernel.worker_heartbeats.c.started_at))).scalar()
        waiting = now() - began if began else timedelta()
        late = waiting > max(START_UP, timedelta(seconds=2 * interval_seconds))
        return Check("last_pass", ok=not late, code="no_pass" if late else "no_pass_yet")
    age = now() - latest["finished_at"]
    seconds = int(age.total_seconds())
    if latest["error_code"]:
        return Check("last_pass", ok=False, code=latest["error_code"], seconds=seconds)
    late = age > timedelta(seconds=2 * interval_seconds) and not _is_running(connection, kernel)
    return Check("last_pass", ok=not late, code="no_pass" if late else None, seconds=seconds)


def _is_running(connection: Connection, kernel: KernelTables) -> bool:
    passes = kernel.import_passes.c
    newest = sa.select(passes.finished_at).order_by(passes.id.desc()).limit(1)
    found = connection.execute(newest).one_or_none()
    return found is not None and found.finished_at is None and leader_of(connection, kernel, "import") is not None


def _failed_files(connection: Connection, kernel: KernelTables) -> Check:
    tracking = kernel.import_tracking.c
    number = connection.execute(sa.select(sa.func.count()).where(tracking.status == "failed")).scalar_one()
    return Check("failed_files", ok=True, number=number)


def _deletes(connection: Connection, kernel: KernelTables) -> Check:
    """Imported registrations should leave the bucket."""
    tracking = kernel.import_tracking.c
    pending = sa.and_(
        tracking.bucket.is_not(None), tracking.source_deleted_at.is_(None), tracking.status.in_(("success", "skipped"))
    )
    statement = sa.select(sa.func.count(), sa.func.min(tracking.processed_at)).where(pending)
    number, oldest = connection.execute(statement).one()
    late = oldest is not None and now() - oldest > DELETE_PENDING_LIMIT
    return Check("deletes_pending", ok=not late, code="delete_pending_long" if late else None, number=number)


def _events(connection: Connection, kernel: KernelTables) -> Check:
    outbox = kernel.event_outbox.c
    statement = sa.select(sa.func.count(), sa.func.min(outbox.created_at)).where(outbox.sent_at.is_(None))
    number, oldest = connection.execute(statement).one()
    seconds = int((now() - oldest).total_seconds()) if oldest else 0
    late = seconds > EVENTS_WAITING_LIMIT.total_seconds()
    return Check("events_waiting", ok=True, code="events_waiting" if late else None, number=number, seconds=seconds)
