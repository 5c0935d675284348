"""What the overview tells, read from the database: how the import is, what waits, and what the last weeks brought."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.core.clock import now, today
from shared.core.dependencies import Check
from shared.database.tables import KernelTables
from shared.http.service import Service
from shared.imports.passes import last_pass
from shared.state.health import import_health
from shared.workers.heartbeats import leader_of

WEEKS = 12
_LATEST_FAILED = 5
_ZONE = "Europe/Berlin"


@dataclass(frozen=True, slots=True)
class RunningPass:
    """The pass in hand: files done and due so far, and when it is likely to end (None as long as nobody can say)."""

    started_at: datetime
    done: int
    due: int
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits: for a decision by kind of review, for the brokers (`parked` for a person), for the mail server."""

    reviews: Mapping[str, int]
    events: int
    parked: int
    mails: int


@dataclass(frozen=True, slots=True)
class Week:
    """Files of the week that begins with `monday`, by what became of them, and the records in them."""

    monday: date
    imported: int
    failed: int
    left_out: int
    records: int

    @property
    def files(self) -> int:
        return self.imported + self.failed + self.left_out


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the overview shows."""

    checks: Sequence[Check]
    running: RunningPass | None
    last: RowMapping | None
    next_at: datetime | None
    waiting: Waiting
    failed: Sequence[RowMapping]
    failed_total: int
    weeks: Sequence[Week]


def overview_of(connection: Connection, service: Service, outside: Sequence[Check]) -> Overview:
    """The overview of one service's import; `outside` is how the parts are that it depends on."""
    kernel = service.kernel
    latest = last_pass(connection, kernel)
    failed, failed_total = _failed(connection, kernel)
    return Overview(
        checks=[*import_health(connection, kernel, service.expected), *outside],
        running=running_pass(connection, kernel),
        last=latest,
        next_at=_next_pass(latest, service),
        waiting=_waiting(connection, kernel),
        failed=failed,
        failed_total=failed_total,
        weeks=weeks(connection, kernel, today()),
    )


def running_pass(connection: Connection, kernel: KernelTables) -> RunningPass | None:
    """The pass in hand, whichever process runs it. Its progress is read from the ledger, where every file of a pass
    stands as waiting before the first is imported."""
    passes, tracking = kernel.import_passes.c, kernel.import_tracking.c
    newest = sa.select(passes.started_at, passes.finished_at).order_by(passes.id.desc()).limit(1)
    found = connection.execute(newest).one_or_none()
    if found is None or found.finished_at is not None or leader_of(connection, kernel, "import") is None:
        return None
    is_due = sa.or_(tracking.next_attempt_at.is_(None), tracking.next_attempt_at <= sa.func.now())
    done = sa.select(sa.func.count()).where(tracking.processed_at >= found.started_at).scalar_subquery()
    left = sa.select(sa.func.count()).where(tracking.status.in_(("pending", "retrying")), is_due).scalar_subquery()
    number_done, number_left = connection.execute(sa.select(done, left)).one()
    moment = now()
    each = (moment - found.started_at) / number_done if number_done else None
    ends_at = moment + each * number_left if each is not None else None
    return RunningPass(found.started_at, number_done, number_done + number_left, ends_at)


def weeks(connection: Connection, kernel: KernelTables, day: date) -> list[Week]:
    """The last weeks up to that of `day`, oldest first, also those without a file."""
    this_monday = day - timedelta(days=day.weekday())
    mondays = [this_monday - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    columns = kernel.import_tracking.c
    monday = sa.cast(sa.func.date_trunc("week", sa.func.timezone(_ZONE, columns.processed_at)), sa.Date)
    statement = (
        sa.select(
            monday.label("monday"),
            sa.func.count().filter(columns.status.in_(("success", "partial"))).label("imported"),
            sa.func.count().filter(columns.status.in_(("failed", "retrying"))).label("failed"),
            sa.func.count().filter(columns.status.in_(("skipped", "discarded"))).label("left_out"),
            sa.func.coalesce(sa.func.sum(kernel.total_column), 0).label("records"),
        )
        .where(columns.processed_at >= sa.func.timezone(_ZONE, sa.cast(mondays[0], sa.DateTime)))
        .group_by(monday)
    )
    found = {row["monday"]: Week(**row) for row in connection.execute(statement).mappings()}
    return [found.get(start, Week(start, 0, 0, 0, 0)) for start in mondays]


def _next_pass(latest: RowMapping | None, service: Service) -> datetime | None:
    if latest is None or not service.import_enabled:
        return None
    due: datetime | None = latest["next_pass_at"]
    return due


def _waiting(connection: Connection, kernel: KernelTables) -> Waiting:
    reviews, events, alerts = kernel.reviews.c, kernel.event_outbox.c, kernel.alert_outbox.c
    by_kind = sa.select(reviews.kind, sa.func.count()).where(reviews.state == "open").group_by(reviews.kind)
    of_events = sa.select(sa.func.count(), sa.func.count(events.parked_code)).where(events.sent_at.is_(None))
    unsent = sa.and_(alerts.sent_at.is_(None), alerts.resolved_at.is_(None))
    number, parked = connection.execute(of_events).one()
    mails = connection.execute(sa.select(sa.func.count()).where(unsent)).scalar_one()
    open_reviews = {kind: many for kind, many in connection.execute(by_kind)}  # noqa: C416 - rows are no pairs for dict()
    return Waiting(open_reviews, number, parked, mails)


def _failed(connection: Connection, kernel: KernelTables) -> tuple[Sequence[RowMapping], int]:
    columns = kernel.import_tracking.c
    is_failed = columns.status == "failed"
    latest = sa.select(columns.id, columns.error_code, columns.processed_at).where(is_failed)
    total = connection.execute(sa.select(sa.func.count()).where(is_failed)).scalar_one()
    return connection.execute(latest.order_by(columns.id.desc()).limit(_LATEST_FAILED)).mappings().all(), total
