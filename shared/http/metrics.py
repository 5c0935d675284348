"""`/metrics`, in Prometheus' or OpenMetrics' form, as the asker prefers."""

from collections.abc import Iterable, Iterator

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from shared.http.auth import EVERYBODY, needs
from shared.http.service import Service, current_service
from shared.metrics import catalogue
from shared.state.metrics import Values, family_of
from shared.words.codes import Code


def metrics_routes() -> Blueprint:
    """Open to everybody who reaches the service: there is no data in it, only numbers."""
    routes = Blueprint("metrics", __name__)
    routes.get("/metrics")(needs(EVERYBODY)(_metrics))
    return routes


def _metrics() -> Response:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    registry = CollectorRegistry()
    registry.register(_Everything(current_service()))
    return Response(encode(registry), content_type=content_type)


class _Everything(Collector):
    """All that one service tells: its state, and what its processes counted."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        # Or the registry would collect everything once more, only to learn the names.
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._service.state.collect()
        yield from self._dependencies()
        yield from self._service.metrics.collect()

    def _dependencies(self) -> Iterator[Metric]:
        checks = self._service.probes.checks()
        values: Values = {(check.name,): float(check.ok) for check in checks if check.code != Code.NOT_CONFIGURED}
        yield family_of(catalogue.DEPENDENCY_UP, self._service.name, values)
        troubles: Values = {(check.name, str(check.code)): 1 for check in checks if not check.ok}
        yield family_of(catalogue.DEPENDENCY_TROUBLE, self._service.name, troubles)
