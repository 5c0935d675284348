"""Puts the therapist service together from its settings: the one place that knows every part."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from shared.core.dependencies import Dependency, Probes
from shared.core.settings import (
    DatabaseSettings,
    DigestSettings,
    KafkaSettings,
    LogSettings,
    MailSettings,
    RetentionSettings,
    ServingSettings,
    Settings,
    TherapistImportSettings,
    read_settings,
)
from shared.database.digest_keys import keyed_engine, require_secret
from shared.database.locks import identity
from shared.events.outbox import topic_of
from shared.events.probe import broker_dependency
from shared.events.relay import EventRelay
from shared.history.keeping import housekeeping
from shared.http.service import Service
from shared.imports.engine import Importer
from shared.imports.monitor import ImportMonitor
from shared.mail.assembly import mailer_of
from shared.mail.mailer import Mailer
from shared.mail.smtp import mail_dependency
from shared.metrics.process import ProcessMetrics
from shared.state.health import Expectations
from shared.workers.leader import Job
from therapist_service.imports.file_monitor import ScrapeSource
from therapist_service.imports.fill_rates import look_at_fill_rates
from therapist_service.imports.scrape import Scrape
from therapist_service.imports.scrape_files import FolderUnavailable, ScrapeFile, ScrapeFolder
from therapist_service.imports.therapist_importer import Audience
from therapist_service.models import digest_key, kernel
from therapist_service.therapist import THERAPIST

NAME = "therapist-service"
IMPORT_GROUPS = (
    *(DatabaseSettings, TherapistImportSettings, DigestSettings, RetentionSettings),
    *(KafkaSettings, MailSettings, LogSettings),
)
"""Settings of a pass from the command line; the service needs `ServingSettings` as well."""


_CONTAINERS_PER_COLLECTION = 10_000
"""A scrape is thousands of lists and objects without a circle among them: Python's default of 700 (2,000 in later
versions) spends a fifth of an import looking for some."""


@dataclass(frozen=True, slots=True)
class TherapistParts:
    """The therapist service's parts, none of which has opened a connection yet."""

    engine: Engine
    source: ScrapeSource
    importer: Importer[ScrapeFile, Scrape]
    monitor: ImportMonitor[ScrapeFile, Scrape]
    relay: EventRelay
    mailer: Mailer
    metrics: ProcessMetrics

    def jobs(self, *, import_enabled: bool) -> list[Job]:
        imports = [self.monitor.job()] if import_enabled else []
        return [*imports, self.relay.job(), self.mailer.job()]

    def close(self) -> None:
        """Ends every connection; parts that are used again open new ones."""
        self.relay.close()
        self.engine.dispose()


def read_service_settings(environ: Mapping[str, str]) -> Settings:
    """Everything that the service needs. Raises `SettingsError` that names all that is wrong."""
    return read_settings(environ, *IMPORT_GROUPS, ServingSettings)


def build_parts(settings: Settings, *, console_base_url: str | None = None) -> TherapistParts:
    """The parts, put together."""
    gc.set_threshold(_CONTAINERS_PER_COLLECTION)
    import_settings = settings[TherapistImportSettings]
    engine = keyed_engine(settings, f"curavani {NAME} {identity()}"[:63])
    metrics = ProcessMetrics(NAME, kernel.service_name)
    source = ScrapeSource(
        folder=ScrapeFolder(import_settings.folder_path),
        settle_seconds=import_settings.settle_seconds,
        max_file_bytes=import_settings.max_file_bytes,
        audience=audience_of(import_settings),
        stage=metrics.stage,
    )
    importer = Importer(source, stage=metrics.stage)
    interval, clean = import_settings.check_interval_seconds, housekeeping(kernel, settings[RetentionSettings])
    return TherapistParts(
        engine=engine,
        source=source,
        importer=importer,
        monitor=ImportMonitor(engine, kernel, importer, interval, metrics.attempt, clean),
        relay=EventRelay(kernel, NAME, settings[KafkaSettings]),
        mailer=mailer_of(kernel, settings, expectations(settings), console_base_url, looks=[look_at_fill_rates]),
        metrics=metrics,
    )


def require_digest_key(settings: Settings) -> None:
    """Raises `SettingsError` where `DIGEST_KEY` is another one than before."""
    require_secret(settings, digest_key)


def audience_of(settings: TherapistImportSettings) -> Audience:
    """Whom these settings want the practices to treat."""
    return Audience(adults_only=settings.audience == "adults")


def build_service(settings: Settings, parts: TherapistParts) -> Service:
    """What the HTTP side is handed."""
    import_settings = settings[TherapistImportSettings]
    return Service(
        name=NAME,
        kernel=kernel,
        fields=THERAPIST,
        engine=parts.engine,
        serving=settings[ServingSettings],
        close=parts.close,
        expected=expectations(settings),
        metrics=parts.metrics,
        probes=Probes(
            [
                folder_dependency(import_settings),
                broker_dependency(settings[KafkaSettings], topic_of(kernel)),
                mail_dependency(settings[MailSettings]),
            ]
        ),
    )


def expectations(settings: Settings) -> Expectations:
    """What these settings ask of the import."""
    import_settings = settings[TherapistImportSettings]
    return Expectations(
        enabled=import_settings.enabled,
        interval_seconds=import_settings.check_interval_seconds,
        sends_events=settings[KafkaSettings].bootstrap_servers is not None,
        sends_mail=settings[MailSettings].host is not None,
        expects_scrapes=True,
    )


def folder_dependency(settings: TherapistImportSettings) -> Dependency:
    """The folder that the scraper writes to."""
    return Dependency("folder", ScrapeFolder(settings.folder_path).check, FolderUnavailable.code)
