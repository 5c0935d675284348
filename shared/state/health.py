"""What it takes for an import to be well: somebody leads it, passes finish, nothing waits too long.

All of it comes from the database, so every process gives the same answer. Health, the watch that raises alerts, and
`curavani doctor` read the same checks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.alerts.outbox import alerts_waiting, watched
from shared.core.clock import now
from shared.core.dependencies import NOT_CONFIGURED, Check
from shared.database.locks import LockName, holder
from shared.database.tables import KernelTables
from shared.events.queue import waiting as events_waiting
from shared.imports.passes import last_pass
from shared.imports.queries import deletes_pending, last_new_scrape
from shared.workers.heartbeats import leader_of

DELETE_PENDING_LIMIT = timedelta(hours=24)
"""Storage may refuse deletes for a night; after a day somebody has to look at the rights."""
EVENTS_WAITING_LIMIT = timedelta(minutes=15)
"""A restart of the brokers takes minutes."""
ALERTS_WAITING_LIMIT = timedelta(hours=1)
"""The mailer tries again within the hour; greylisting takes minutes."""
SCRAPE_LIMIT = timedelta(days=10)
"""Scrapes come weekly; three days are for a holiday."""
HUNG_AFTER = timedelta(minutes=30)
"""A pass that settles no file for so long has no claim to be still at work; the largest file takes minutes."""
START_UP = timedelta(minutes=2)
"""How long a fresh installation may be without a first pass."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What may be expected of one service's import, by its settings."""

    enabled: bool
    interval_seconds: int
    sends_events: bool = True
    sends_mail: bool = True
    expects_scrapes: bool = False


def import_health(connection: Connection, kernel: KernelTables, expected: Expectations) -> list[Check]:
    """Every check of one service's import.

    Failed files, parked events and open reviews are a person's work, not a sick service: they are counted, and `ok`.
    """
    checks = [
        _failed_files(connection, kernel),
        _deletes(connection, kernel),
        *_events(connection, kernel, expected),
        _alerts(connection, kernel, expected),
    ]
    if not expected.enabled:
        return [Check("import", ok=True, code="disabled"), *checks]
    scrapes = [_scrapes(connection, kernel)] if expected.expects_scrapes else []
    return [_leader(connection, kernel), _freshness(connection, kernel, expected.interval_seconds), *scrapes, *checks]


def _leader(connection: Connection, kernel: KernelTables) -> Check:
    leads = leader_of(connection, kernel, "import") is not None or _command_imports(connection, kernel)
    return Check("leader", ok=leads, code=None if leads else "no_leader")


def _command_imports(connection: Connection, kernel: KernelTables) -> bool:
    """Whether the lock is held by a process without heartbeats: a pass from the command line."""
    process = holder(connection, LockName(kernel.schema, "import"))
    beats = kernel.worker_heartbeats.c
    known = sa.select(sa.exists().where(beats.worker == "import", beats.process == process, beats.state == "leading"))
    return process is not None and not connection.execute(known).scalar()


def _freshness(connection: Connection, kernel: KernelTables, interval_seconds: int) -> Check:
    """A pass has to finish in twice the interval, and the latest one has to have got through."""
    patience = max(START_UP, timedelta(seconds=2 * interval_seconds))
    latest = last_pass(connection, kernel)
    if latest is None:
        waiting = now() - (_installed_at(connection, kernel) or now())
        late = waiting > patience
        return Check("last_pass", ok=not late, code="no_pass" if late else "no_pass_yet")
    age = now() - latest["finished_at"]
    seconds = int(age.total_seconds())
    if latest["error_code"]:
        return Check("last_pass", ok=False, code=latest["error_code"], seconds=seconds)
    late = age > timedelta(seconds=2 * interval_seconds) and not _is_running(connection, kernel)
    return Check("last_pass", ok=not late, code="no_pass" if late else None, seconds=seconds)


def _installed_at(connection: Connection, kernel: KernelTables) -> datetime | None:
    """When a process first tried to import."""
    first_pass = connection.execute(sa.select(sa.func.min(kernel.import_passes.c.started_at))).scalar()
    first_beat = connection.execute(sa.select(sa.func.min(kernel.worker_heartbeats.c.started_at))).scalar()
    return min((moment for moment in (first_pass, first_beat) if moment), default=None)


def _is_running(connection: Connection, kernel: KernelTables) -> bool:
    """Whether a pass is at work: begun by somebody who lives, and settling files."""
    passes, tracking = kernel.import_passes.c, kernel.import_tracking.c
    newest = sa.select(passes.started_at, passes.finished_at).order_by(passes.id.desc()).limit(1)
    found = connection.execute(newest).one_or_none()
    if found is None or found.finished_at is not None or not _leader(connection, kernel).ok:
        return False
    settled = connection.execute(sa.select(sa.func.max(tracking.processed_at))).scalar()
    return bool(now() - max(found.started_at, settled or found.started_at) < HUNG_AFTER)


def waiting_for_scrape_since(connection: Connection, kernel: KernelTables) -> datetime | None:
    """When the latest new scrape came in; where none has yet, since when somebody looks for one."""
    return last_new_scrape(connection, kernel) or _installed_at(connection, kernel)


def _scrapes(connection: Connection, kernel: KernelTables) -> Check:
    latest = waiting_for_scrape_since(connection, kernel)
    age = now() - latest if latest else timedelta()
    late = age > SCRAPE_LIMIT
    return Check("new_scrape", ok=not late, code="no_scrape" if late else None, seconds=int(age.total_seconds()))


def _failed_files(connection: Connection, kernel: KernelTables) -> Check:
    tracking = kernel.import_tracking.c
    number = connection.execute(sa.select(sa.func.count()).where(tracking.status == "failed")).scalar_one()
    return Check("failed_files", ok=True, code="files_failed" if number else None, number=number)


def _deletes(connection: Connection, kernel: KernelTables) -> Check:
    """Imported registrations should leave the bucket."""
    pending = deletes_pending(connection, kernel)
    late = _older_than(pending.oldest, DELETE_PENDING_LIMIT)
    return Check("deletes_pending", ok=not late, code="delete_pending_long" if late else None, number=pending.number)


def _events(connection: Connection, kernel: KernelTables, expected: Expectations) -> list[Check]:
    found = events_waiting(connection, kernel)
    seconds = int(found.oldest_age_seconds or 0)
    late = expected.sends_events and seconds > EVENTS_WAITING_LIMIT.total_seconds()
    code = "events_waiting" if late else None if expected.sends_events else NOT_CONFIGURED
    return [
        Check("events_waiting", ok=not late, code=code, number=found.count, seconds=seconds),
        Check("events_parked", ok=True, code="events_parked" if found.parked else None, number=found.parked),
    ]


def _alerts(connection: Connection, kernel: KernelTables, expected: Expectations) -> Check:
    # The alert that says so waits as well; counting it, it would keep itself alive.
    found = alerts_waiting(connection, kernel, besides=watched("alerts_waiting"))
    late = expected.sends_mail and _older_than(found.oldest, ALERTS_WAITING_LIMIT)
    code = "alerts_waiting" if late else None if expected.sends_mail else NOT_CONFIGURED
    seconds = int((now() - found.oldest).total_seconds()) if found.oldest else 0
    return Check("alerts_waiting", ok=not late, code=code, number=found.number, seconds=seconds)


def _older_than(moment: datetime | None, limit: timedelta) -> bool:
    return moment is not None and now() - moment > limit
