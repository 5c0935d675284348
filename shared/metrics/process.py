"""What a process counts by itself: requests, attempts at files, durations of stages.

Several workers of one service are added up through prometheus-client's multiprocess mode, whose folder `curavani serve`
makes for each run. Without that folder there is one process, and its own numbers are all there is.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from shared.metrics import catalogue
from shared.metrics.catalogue import ATTEMPT_OUTCOMES, REFUSAL_REASONS, STAGE_NAMES, Metric
from shared.words.statuses import ServiceName

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The library's own variable. It reads it when it is imported, so it has to be set before a process starts."""

_STAGE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# They would double the number of series, and tell nothing that a restart does not.
disable_created_metrics()  # type: ignore[no-untyped-call]

Stage = Callable[[str], AbstractContextManager[None]]
"""Measures the block as one stage of the import."""


def unmeasured(_name: str) -> AbstractContextManager[None]:
    """The stage of somebody who measures nothing."""
    return nullcontext()


class ProcessMetrics:
    """The counters and histograms of one service in this process. `service` is their label of that name."""

    def __init__(self, service: str, service_name: ServiceName) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._attempts = self._counter(catalogue.ATTEMPTS)
        self._contacts = self._counter(catalogue.CONTACT_EVENTS)
        self._requests = self._counter(catalogue.REQUESTS)
        self._refusals = self._counter(catalogue.REFUSALS)
        self._stages = self._histogram(catalogue.STAGES, _STAGE_BUCKETS)
        self._durations = self._histogram(catalogue.REQUEST_DURATION, _REQUEST_BUCKETS)
        # Known from the start, or the first failure would be no increase.
        for outcome in ATTEMPT_OUTCOMES:
            self._attempts.labels(service, outcome)
        for reason in REFUSAL_REASONS:
            self._refusals.labels(service, reason)
        for stage in STAGE_NAMES[service_name]:
            self._stages.labels(service, stage)

    def attempt(self, outcome: str) -> None:
        """One attempt at a file has ended so."""
        self._attempts.labels(self._service, outcome).inc()

    def contact_events(self, outcome: str, number: int) -> None:
        """So many events of the communication service have ended so."""
        self._contacts.labels(self._service, outcome).inc(number)

    def refusal(self, reason: str) -> None:
        """A caller was refused."""
        self._refusals.labels(self._service, reason).inc()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures the block, also where it fails."""
        with self._stages.labels(self._service, name).time():
            yield

    def request(self, method: str, route: str, status: int, began: float) -> None:
        """A request that came in at `began` (of `time.monotonic`) is answered."""
        self._requests.labels(self._service, method, route, str(status)).inc()
        self._durations.labels(self._service, method, route).observe(monotonic() - began)

    def collect(self) -> Iterable[Family]:
        """The numbers of all workers where there are several, else of this process."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if not folder:
            return self._registry.collect()
        collector: Collector = MultiProcessCollector(None, folder)  # type: ignore[no-untyped-call]
        return collector.collect()

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.all_labels, registry=self._registry)

    def _histogram(self, metric: Metric, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(metric.name, metric.help, metric.all_labels, registry=self._registry, buckets=buckets)
