"""How the import is, from the database at the time of the scrape: the same answer from each worker of each replica."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from sqlalchemy.engine import Engine

from shared.core.errors import CuravaniError
from shared.database.engine import transaction
from shared.database.pooler import require_own_sessions
from shared.database.tables import KernelTables
from shared.metrics import catalogue
from shared.metrics.catalogue import Metric
from shared.state.health import Expectations
from shared.state.reading import read_snapshot
from shared.state.snapshot import Snapshot
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind, Work, WorkerState

Values = dict[tuple[str, ...], float]
"""Numbers by the metric's own labels; `()` where it has none."""

_STATES = (WorkerState.LEADING, WorkerState.STANDBY)
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
            require_own_sessions(self.engine)
            with transaction(self.engine) as connection:
                connection.execute(_LONGEST_STATEMENT)
                snapshot = read_snapshot(connection, self.kernel)
        except CuravaniError as error:
            return [
                family_of(catalogue.DATABASE_UP, self.service, {(): 0}),
                family_of(catalogue.DATABASE_TROUBLE, self.service, {(error.detail or error.code,): 1}),
            ]
        return [family_of(metric, self.service, found) for metric, found in measured(snapshot, self.expected).items()]


def family_of(metric: Metric, service: str, values: Values) -> Family:
    """The metric with its values, as prometheus-client writes it."""
    made = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = made(metric.name, metric.help, labels=metric.all_labels)
    for labels, value in values.items():
        family.add_metric((service, *labels), value)
    return family


def measured(snapshot: Snapshot, expected: Expectations) -> dict[Metric, Values]:
    """Every metric of the database with its values."""
    latest = snapshot.last_pass
    numbers: dict[Metric, float] = {
        catalogue.DATABASE_UP: 1,
        catalogue.IMPORT_ENABLED: expected.enabled,
        catalogue.INTERVAL: expected.interval_seconds,
        catalogue.LAST_COMPLETION: _timestamp(latest.finished_at if latest else None),
        catalogue.LAST_SUCCESS: _timestamp(snapshot.last_success_at),
        catalogue.LAST_DURATION: (latest.finished_at - latest.started_at).total_seconds() if latest else 0,
        catalogue.OLDEST_PENDING: snapshot.age(snapshot.waiting_since),
        catalogue.DELETES_PENDING: snapshot.deletes.number,
        catalogue.OLDEST_DELETE: snapshot.age(snapshot.deletes.oldest),
        catalogue.EVENTS_WAITING: snapshot.events.number,
        catalogue.EVENTS_AGE: snapshot.age(snapshot.events.oldest),
        catalogue.EVENTS_PARKED: snapshot.parked,
        catalogue.ALERTS_WAITING: snapshot.alerts.number,
        catalogue.ALERTS_AGE: snapshot.age(snapshot.alerts.oldest),
        catalogue.PROBLEMS: snapshot.problems,
    }
    if expected.expects_scrapes:
        numbers[catalogue.LAST_NEW_SCRAPE] = _timestamp(snapshot.waiting_for_scrape_since)
    led = Values({(work,): snapshot.has_leader(work) for work in expected.works})
    return {metric: Values({(): number}) for metric, number in numbers.items()} | {
        catalogue.DATABASE_TROUBLE: {},
        catalogue.LED: led,
        **_by_word(snapshot),
    }


def _by_word(snapshot: Snapshot) -> dict[Metric, Values]:
    """The metrics that have a value for each of some words, also where it is 0."""
    processes = Counter((beat.work, beat.state) for beat in snapshot.alive())
    return {
        catalogue.FILES: {(status,): snapshot.files.get(status, 0) for status in FileStatus},
        catalogue.RECORDS: {(outcome,): snapshot.records.get(outcome, 0) for outcome in RecordOutcome},
        catalogue.REVIEWS: {(kind,): snapshot.open_reviews.get(kind, 0) for kind in ReviewKind},
        catalogue.LOCK_HELD: {(work,): work in snapshot.lock_holders for work in Work},
        catalogue.WORKERS: {(work, state): processes[work, state] for work in Work for state in _STATES},
    }


def _timestamp(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
