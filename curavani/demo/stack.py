"""All that Curavani needs around it, embedded: PostgreSQL, cloud storage, mail server and broker on free ports."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from curavani import schema
from shared.database.engine import create_engine
from standins.mail_sink import MailSink
from standins.mock_broker import MockBroker
from standins.postgres import EmbeddedPostgres
from standins.storage_emulator import StorageEmulator

PEOPLE = {"lena": "look", "wilma": "write", "olga": "operate"}
BUCKET = "curavani-demo"
TOKENS = {name: f"demo-token-that-may-{role}-here" for name, role in PEOPLE.items()}
"""Of people who may do ever more, for a stack that listens on this machine only."""
_DATABASE = "curavani"


class DemoStack:
    """The parts, started together and ended together; everything they hold is gone with them."""

    def __init__(self) -> None:
        self._exit = ExitStack()
        self.folder = Path()
        self.environment: dict[str, str] = {}
        self.storage = StorageEmulator()
        self.mail = MailSink()
        self.broker = MockBroker()
        self.postgres = EmbeddedPostgres()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self.folder = Path(starting.enter_context(tempfile.TemporaryDirectory(prefix="curavani-demo-")))
            starting.enter_context(self.postgres)
            self.storage.start()
            starting.callback(self.storage.stop)
            self.mail.start()
            starting.callback(self.mail.stop)
            self.broker.start()
            starting.callback(self.broker.stop)
            self.storage.create_bucket(BUCKET)
            url = self.postgres.create_database(_DATABASE)
            self._migrate(url)
            self.environment = self._settings(url)
            self._exit = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    @property
    def scrapes(self) -> Path:
        """The folder that the scraper would write to."""
        return self.folder / "scrapes"

    def _migrate(self, url: str) -> None:
        engine = create_engine(url, application_name="curavani demo")
        try:
            schema.upgrade(engine)
        finally:
            engine.dispose()

    def _settings(self, url: str) -> dict[str, str]:
        self.scrapes.mkdir()
        return {
            "DATABASE_URL": url,
            "GCS_IMPORT_BUCKET": BUCKET,
            "STORAGE_EMULATOR_HOST": self.storage.host,
            "PATIENT_IMPORT_LOCAL_PATH": str(self.folder / "patient_imports"),
            "PATIENT_IMPORT_CHECK_INTERVAL_SECONDS": "20",
            "THERAPIST_IMPORT_FOLDER_PATH": str(self.scrapes),
            "THERAPIST_IMPORT_CHECK_INTERVAL_SECONDS": "20",
            "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "SMTP_HOST": self.mail.host,
            "SMTP_PORT": str(self.mail.port),
            "SMTP_USE_TLS": "false",
            "API_TOKENS": ",".join(f"{name}:{role}:{TOKENS[name]}" for name, role in PEOPLE.items()),
        }
