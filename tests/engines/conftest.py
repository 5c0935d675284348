"""Real engines for the tests, each started once."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.engine import Engine

from patient_service.models import kernel as patient_kernel
from shared.core.settings import KafkaSettings
from shared.database.locks import LockName, hold
from shared.events.relay import EventRelay
from tests.engines import kafka, page
from tests.engines.certificates import Certificates
from tests.integration.conftest import (  # noqa: F401 - fixtures are found by their names here
    curavani,
    process_environment,
    registration,
    run_service,
    therapist,
)
from tests.integration.events.conftest import Outbox, Topic

SECONDS = 180.0
"""So long anything may take that happens by itself."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-page", action="store_true", help="write the table of docs/engines.md anew")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    passed = sorted(report.nodeid for report in terminalreporter.getreports("passed") if report.when == "call")
    if passed:
        terminalreporter.write_line(page.table(passed))
    if config.getoption("write_page"):
        page.write(passed)


class Relay:
    """A relay of the patient service's events; `once` is what a command does, `turn` what the background work does."""

    def __init__(self, engine: Engine, settings: KafkaSettings) -> None:
        self._engine = engine
        self._relay = EventRelay(patient_kernel, "patient-service", settings)

    def once(self, seconds: float = 30.0) -> int:
        with hold(self._engine, LockName(patient_kernel.schema, "relay")) as locked:
            return self._relay.run_once(locked, seconds=seconds)

    def turn(self, stopping: Callable[[], bool] = lambda: False) -> float:
        with hold(self._engine, LockName(patient_kernel.schema, "relay")) as locked:
            return self._relay.turn(locked, stopping)

    def close(self) -> None:
        self._relay.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("engines") / "certificates")


@pytest.fixture(scope="session")
def cluster(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.Cluster]:
    """Three brokers of Apache Kafka."""
    kafka.libraries()
    started = kafka.Cluster(tmp_path_factory.mktemp("kafka"), certificates, size=3)
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture
def new_relay(engine: Engine, cluster: kafka.Cluster) -> Iterator[Callable[..., Relay]]:
    """Makes a relay, as another process would; by default one that nobody keeps out."""
    made: list[Relay] = []

    def make(settings: KafkaSettings | None = None) -> Relay:
        made.append(Relay(engine, settings or KafkaSettings(bootstrap_servers=cluster.servers())))
        return made[-1]

    yield make
    for relay in made:
        relay.close()


@pytest.fixture
def relay(new_relay: Callable[..., Relay]) -> Relay:
    return new_relay()


@pytest.fixture
def outbox(engine: Engine) -> Outbox:
    return Outbox(engine)


@pytest.fixture
def events_topic(cluster: kafka.Cluster) -> Iterator[Callable[..., None]]:
    """Makes the topic of the patient service's events, which goes with the test."""
    made = []

    def make(**config: str) -> None:
        cluster.create("patient-events", **config)
        made.append("patient-events")

    yield make
    if "patient-events" in cluster.admin.list_topics(timeout=30).topics:
        cluster.delete("patient-events")


@pytest.fixture
def read_topic(cluster: kafka.Cluster) -> Iterator[Callable[[], Topic]]:
    """Makes a consumer of the whole topic."""
    made: list[Topic] = []

    def make() -> Topic:
        made.append(Topic(cluster.servers(), "patient-events"))
        return made[-1]

    yield make
    for topic in made:
        topic.close()


@pytest.fixture
def topics(cluster: kafka.Cluster) -> Iterator[tuple[str, str]]:
    """The topics of both services, fresh."""
    names = ("patient-events", "therapist-events")
    for name in names:
        cluster.create(name)
    yield names
    for name in names:
        cluster.delete(name)
