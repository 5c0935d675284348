"""Real parts for the tests: one PostgreSQL server per run of pytest's workers, one database per test."""

import gc
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy.engine import Engine

from curavani import schema
from shared.database.engine import create_engine
from standins.postgres import EmbeddedPostgres
from standins.storage_emulator import StorageEmulator

_numbers = itertools.count(1)
_SLOW_AS_A_WHOLE = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.slow\b", re.MULTILINE)

# How long an example takes says something about the machine. Hypothesis leaves it aside by itself where `CI` is set.
settings.register_profile("any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
# For `make mutants`: thousands of runs, each to say the same as the one before it, and only whether it failed.
settings.register_profile(
    "mutants", max_examples=30, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-images", action="store_true", help="write the README's pictures of the console anew")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where slow tests are left out, a file of nothing else is not even loaded."""
    if config.getoption("markexpr") != "not slow" or collection_path.suffix != ".py":
        return None
    return _SLOW_AS_A_WHOLE.search(collection_path.read_text(encoding="utf-8")) is not None or None


def pytest_collection_finish() -> None:
    """All that was loaded stays to the end, and each search for garbage would go through it again."""
    gc.collect()
    gc.freeze()


class Templates(BytecodeCache):
    """What was compiled for one application, for the next one of this process: many tests make one."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._compiled[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def templates() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": Templates()})
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server with the database `template`, migrated."""
    with EmbeddedPostgres(durable=False) as server:
        engine = create_engine(server.create_database("template"), application_name="tests")
        schema.upgrade(engine)
        engine.dispose()
        yield server


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh, migrated database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield postgres.create_database(name, template="template")
    postgres.drop_database(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on the fresh database."""
    engine = create_engine(database_url, application_name="tests")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus' own tool, which no Python package brings. Continuous integration has to have it."""
    found = shutil.which("promtool")
    if found is None and "CI" in os.environ:
        pytest.fail("promtool is missing: install the Debian package prometheus")
    if found is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    return found


@pytest.fixture(scope="session")
def caddy() -> str:
    """The proxy, to check its configuration by. Continuous integration has to have it."""
    found = shutil.which("caddy")
    if found is None and "CI" in os.environ:
        pytest.fail("caddy is missing: install the Debian package caddy")
    if found is None:
        pytest.skip("caddy is not installed (Debian package caddy)")
    return found


@pytest.fixture(scope="session")
def storage_server() -> Iterator[StorageEmulator]:
    server = StorageEmulator()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(storage_server: StorageEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a fresh bucket in the emulator, which the client library finds by its own variable."""
    name = f"bucket-{next(_numbers)}"
    storage_server.create_bucket(name)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_server.host)
    yield name
    storage_server.faults.clear()
