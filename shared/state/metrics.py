"""How the import is, from the database at the time of the scrape: the same answer from each worker of each replica."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from sqlalchemy.engine import Connection, Engine

from shared.alerts.outbox import alerts_waiting
from shared.core.clock import now
from shared.core.errors import CuravaniError
from shared.database.engine import transaction
from shared.database.locks import LockName, holder
from shared.database.tables import KernelTables
from shared.events.queue import waiting as events_waiting
from shared.imports.passes import last_pass
from shared.imports.queries import deletes_pending
from shared.metrics import catalogue
from shared.metrics.catalogue import Metric
from shared.state.health import Expectations, waiting_for_scrape_since
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind, Work
from shared.workers.heartbeats import STALE_AFTER

Values = dict[tuple[str, ...], float]
"""Numbers by the metric's own labels; `()` where it has none."""

_STATES = ("leading", "standby")
_LONGEST_STATEMENT = sa.text("SET LOCAL statement_timeout = '5s'")
"""A scrape that waits for a locked table tells nothing; better it says that the database does not answer."""


@dataclass(frozen=True, slots=True)
class StateCollector:
    """One service's state as metric families."""

    service: str
    engine: Engine
    kernel: KernelTables
    expected: Expectations

    def collect(self) -> Iterable[Family]:
        """Every family; of an unreachable database only that it is unreachable. Does not raise."""
        try:
            with transaction(self.engine) as connection:
                connection.execute(_LONGEST_STATEMENT)
                found = self._read(connection)
        except CuravaniError:
            return [self._family(catalogue.DATABASE_UP, {(): 0})]
        return [self._family(metric, values) for metric, values in found.items()]

    def _read(self, connection: Connection) -> Mapping[Metric, Values]:
        found: dict[Metric, Values] = {
            catalogue.DATABASE_UP: {(): 1},
            catalogue.IMPORT_ENABLED: {(): float(self.expected.enabled)},
            catalogue.INTERVAL: {(): self.expected.interval_seconds},
        }
        found |= _passes(connection, self.kernel)
        found |= _ledger(connection, self.kernel)
        found |= _outboxes(connection, self.kernel)
        found |= _workers(connection, self.kernel)
        if self.expected.expects_scrapes:
            found[catalogue.LAST_NEW_SCRAPE] = {(): _timestamp(waiting_for_scrape_since(connection, self.kernel))}
        return found

    def _family(self, metric: Metric, values: Values) -> Family:
        return family_of(metric, self.service, values)


def family_of(metric: Metric, service: str, values: Values) -> Family:
    """The metric with its values, as prometheus-client writes it."""
    made = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = made(metric.name, metric.help, labels=metric.all_labels)
    for labels, value in values.items():
        family.add_metric((service, *labels), value)
    return family


def _passes(connection: Connection, kernel: KernelTables) -> dict[Metric, Values]:
    latest, complete = last_pass(connection, kernel), last_pass(connection, kernel, complete=True)
    duration = (latest["finished_at"] - latest["started_at"]).total_seconds() if latest else 0.0
    return {
        catalogue.LAST_COMPLETION: {(): _timestamp(latest["finished_at"] if latest else None)},
        catalogue.LAST_SUCCESS: {(): _timestamp(complete["finished_at"] if complete else None)},
        catalogue.LAST_DURATION: {(): duration},
    }


def _ledger(connection: Connection, kernel: KernelTables) -> dict[Metric, Values]:
    tracking = kernel.import_tracking.c
    sums = [sa.func.sum(tracking[f"{outcome}_count"]).label(outcome) for outcome in RecordOutcome]
    waits = tracking.status.in_(("pending", "retrying"))
    oldest = sa.func.min(tracking.first_seen_at).filter(waits).label("oldest")
    statement = sa.select(tracking.status, sa.func.count().label("files"), oldest, *sums).group_by(tracking.status)
    rows = connection.execute(statement).mappings().all()
    files: Values = {(status,): 0 for status in FileStatus} | {(row["status"],): row["files"] for row in rows}
    records: Values = {(outcome,): sum(row[outcome] for row in rows) for outcome in RecordOutcome}
    pending = deletes_pending(connection, kernel)
    return {
        catalogue.FILES: files,
        catalogue.RECORDS: records,
        catalogue.OLDEST_PENDING: {(): max((_age(row["oldest"]) for row in rows), default=0.0)},
        catalogue.DELETES_PENDING: {(): pending.number},
        catalogue.OLDEST_DELETE: {(): _age(pending.oldest)},
    }


def _outboxes(connection: Connection, kernel: KernelTables) -> dict[Metric, Values]:
    events, alerts = events_waiting(connection, kernel), alerts_waiting(connection, kernel)
    outbox, reviews = kernel.alert_outbox.c, kernel.reviews.c
    is_open = sa.and_(outbox.kind == "problem", outbox.resolved_at.is_(None))
    problems = connection.execute(sa.select(sa.func.count()).where(is_open)).scalar_one()
    asked = sa.select(reviews.kind, sa.func.count()).where(reviews.state == "open").group_by(reviews.kind)
    kinds: Values = {(kind,): 0 for kind in ReviewKind}
    return {
        catalogue.EVENTS_WAITING: {(): events.count},
        catalogue.EVENTS_AGE: {(): events.oldest_age_seconds or 0.0},
        catalogue.EVENTS_PARKED: {(): events.parked},
        catalogue.ALERTS_WAITING: {(): alerts.number},
        catalogue.ALERTS_AGE: {(): _age(alerts.oldest)},
        catalogue.PROBLEMS: {(): problems},
        catalogue.REVIEWS: kinds | {(kind,): number for kind, number in connection.execute(asked)},
    }


def _workers(connection: Connection, kernel: KernelTables) -> dict[Metric, Values]:
    beats = kernel.worker_heartbeats.c
    alive = (
        sa.select(beats.worker, beats.state, sa.func.count())
        .where(beats.beat_at > now() - STALE_AFTER, beats.state.in_(_STATES))
        .group_by(beats.worker, beats.state)
    )
    processes: Values = {(worker, state): 0 for worker in Work for state in _STATES}
    processes |= {(worker, state): number for worker, state, number in connection.execute(alive)}
    held = {worker: holder(connection, LockName(kernel.schema, worker)) is not None for worker in Work}
    return {
        catalogue.LOCK_HELD: {(worker,): float(is_held) for worker, is_held in held.items()},
        catalogue.WORKERS: processes,
    }


def _timestamp(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _age(since: datetime | None) -> float:
    return max(0.0, (now() - since).total_seconds()) if since else 0.0
