"""What a service is made of, put together once per process and handed to whoever needs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from sqlalchemy.engine import Connection, Engine

from shared.core.dependencies import Probes
from shared.core.settings import ServingSettings
from shared.database.tables import KernelTables
from shared.fields.declaration import Fields
from shared.metrics.process import ProcessMetrics
from shared.state.health import Expectations
from shared.state.metrics import StateCollector

_KEY = "curavani"


@dataclass(frozen=True, slots=True)
class Service:
    """A service's own parts: `fields` are those of its people, `expected` is what its settings ask of the import,
    `probes` ask what it depends on, `count_due` counts the people whose time is over, `close` ends every connection of
    this process.
    """

    name: str
    kernel: KernelTables
    fields: Fields
    engine: Engine
    serving: ServingSettings
    expected: Expectations
    metrics: ProcessMetrics
    close: Callable[[], None]
    probes: Probes
    count_due: Callable[[Connection], int] = lambda _connection: 0

    @property
    def state(self) -> StateCollector:
        """What the database tells of this service."""
        return StateCollector(self.name, self.engine, self.kernel, self.expected)

    @property
    def import_enabled(self) -> bool:
        return self.expected.enabled

    @property
    def interval_seconds(self) -> int:
        """Seconds between two passes."""
        return self.expected.interval_seconds

    def attach(self, app: Flask) -> None:
        app.extensions[_KEY] = self


def current_service() -> Service:
    """The service of the request in hand."""
    return cast("Service", current_app.extensions[_KEY])
