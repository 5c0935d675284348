"""Both services on each PostgreSQL, through PgBouncer with its defaults: import, events to Kafka, and mail."""

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import requests

from curavani import schema
from shared.database.engine import create_engine
from standins.local import wait_until
from standins.mail_sink import MailSink
from standins.postgres import EmbeddedPostgres
from tests.engines.conftest import SECONDS, registration, therapist
from tests.engines.pooler import PgBouncer
from tests.engines.programs import debians_postgres
from tests.integration.events.conftest import Topic

_numbers = itertools.count(1)
HEADERS = {"Authorization": "Bearer a-token-of-24-characters"}


def debians() -> EmbeddedPostgres:
    """The version of Debian, with its programs."""
    return EmbeddedPostgres(binaries=debians_postgres())


@pytest.fixture(scope="module", params=[debians, EmbeddedPostgres], ids=["of Debian", "of the wheel"])
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    with request.param() as started:
        yield started


@pytest.fixture
def database_url(server: EmbeddedPostgres) -> Iterator[str]:
    """A fresh, migrated database, whose sessions are elsewhere by default."""
    url = server.create_database(f"test_{next(_numbers)}")
    engine = create_engine(url, application_name="tests")
    schema.upgrade(engine)
    engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    yield url
    server.drop_database(name)


@pytest.fixture
def pooler(database_url: str, tmp_path: Path) -> Iterator[PgBouncer]:
    started = PgBouncer(database_url, tmp_path / "pgbouncer")
    yield started
    started.close()


def test_everything_works_through_a_pooler_in_session_mode(
    server, database_url, pooler, cluster, bucket, storage_server, run_service, curavani, tmp_path, topics
):
    with MailSink() as mail:
        environment = {
            "DATABASE_URL": pooler.url(database_url),
            "KAFKA_BOOTSTRAP_SERVERS": cluster.servers(),
            "SMTP_HOST": mail.host,
            "SMTP_PORT": str(mail.port),
            "SMTP_USE_TLS": "false",
        }
        storage_server.put(bucket, "Mustermann_Max_20250705_0b1ab67b.json", registration())
        storage_server.put(bucket, "broken.json", b"{")
        metadata = {"scrape_date": "2025-07-02T03:13:24", "postcode_area": "52XXX"}
        scrape = {"metadata": metadata, "therapists": [therapist(number) for number in range(1, 21)]}
        (tmp_path / "scrapes" / "52066.json").write_text(json.dumps(scrape))
        services = [run_service(name, **environment) for name in ("patient", "therapist")]

        seen = Topic(cluster.servers(), *topics)
        try:
            assert seen.until(lambda: len(seen.events()) == 21, SECONDS)
        finally:
            seen.close()
        for event in seen.events():
            told = datetime.fromisoformat(event["timestamp"])
            # Not only written as UTC, but the time it is there.
            assert event["timestamp"].endswith("+00:00")
            assert abs(datetime.now(told.tzinfo) - told) < timedelta(hours=1)
        (told,) = mail.wait_for(1, SECONDS)
        assert "invalid_json" in told.get_content()
        for service in services:
            ready = f"http://127.0.0.1:{service.port}/readyz"
            assert wait_until(lambda ready=ready: requests.get(ready, timeout=30).ok, SECONDS)
        listed = requests.get(f"http://127.0.0.1:{services[1].port}/api/therapists", headers=HEADERS, timeout=60)
        assert listed.json()["total"] == 20
        diagnosis = json.loads(curavani("doctor", "--json", **environment).stdout)
    assert [part for part in diagnosis if part["state"] in ("failing", "settings")] == []
