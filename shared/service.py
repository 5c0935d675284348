"""What a service is made of, put together once per process and handed to whoever needs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from sqlalchemy.engine import Engine

from shared.metrics.process import ProcessMetrics
from shared.metrics.state import StateCollector
from shared.settings import ServingSettings
from shared.tables import KernelTables

_KEY = "curavani"


@dataclass(frozen=True, slots=True)
class Service:
    """A service's own parts. `interval_seconds` is the time between two passes, `import_enabled` whether it imports at
    all; `close` ends every connection of this process."""

    name: str
    kernel: KernelTables
    engine: Engine
    serving: ServingSettings
    import_enabled: bool
    interval_seconds: int
    metrics: ProcessMetrics
    close: Callable[[], None]
    expects_scrapes: bool = False

    @property
    def state(self) -> StateCollector:
        """What the database tells of this service."""
        return StateCollector(
            service=self.name,
            engine=self.engine,
            kernel=self.kernel,
            import_enabled=self.import_enabled,
            interval_seconds=self.interval_seconds,
            expects_scrapes=self.expects_scrapes,
        )

    @property
    def prefix(self) -> str:
        """The letter before numbers of files and reviews, where both services' numbers meet: `P` or `T`."""
        return self.kernel.counted[0].upper()

    def attach(self, app: Flask) -> None:
        app.extensions[_KEY] = self


def current_service() -> Service:
    """The service of the request in hand."""
    return cast("Service", current_app.extensions[_KEY])
