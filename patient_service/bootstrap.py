"""Puts the patient service together from its settings: the one place that knows every part."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.engine import Connection, Engine

from patient_service.contact_events import ContactOutcome
from patient_service.contacts import ContactReader
from patient_service.erasure import Erasure
from patient_service.imports import silence
from patient_service.imports.bucket import GcsBucket, Patience, StoredObject
from patient_service.imports.bucket_ledger import copies_exist
from patient_service.imports.corrections import Corrections
from patient_service.imports.file_processor import FileProcessor
from patient_service.imports.gcs_monitor import Content, RegistrationSource
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.patient_importer import Policy
from patient_service.models import digest_key, kernel
from patient_service.patient import PATIENT
from patient_service.retention import count_due
from shared.core.dependencies import Dependency, Probes
from shared.core.errors import DatabaseNotMigrated, DiskUnavailable, StorageUnavailable, TransientError
from shared.core.settings import (
    DatabaseSettings,
    DigestSettings,
    KafkaSettings,
    LogSettings,
    MailSettings,
    PatientImportSettings,
    RetentionSettings,
    ServingSettings,
    Settings,
    StorageSettings,
    read_settings,
)
from shared.database.digest_keys import keyed_engine, require_secret
from shared.database.engine import transaction
from shared.database.locks import identity
from shared.database.revision import require_revision
from shared.events.outbox import topic_of
from shared.events.probe import broker_dependency, contacts_dependency
from shared.events.relay import EventRelay
from shared.history.keeping import housekeeping
from shared.http.service import Service
from shared.imports.engine import Importer
from shared.imports.monitor import ImportMonitor
from shared.imports.retry import RetryRule
from shared.mail.assembly import mailer_of
from shared.mail.mailer import Mailer
from shared.mail.smtp import mail_dependency
from shared.metrics.process import ProcessMetrics
from shared.state.health import Expectations
from shared.workers.leader import Job

NAME = "patient-service"
IMPORT_GROUPS = (
    *(DatabaseSettings, DigestSettings, StorageSettings, PatientImportSettings, RetentionSettings),
    *(KafkaSettings, MailSettings, LogSettings),
)
"""Settings of a pass from the command line; the service needs `ServingSettings` as well."""


@dataclass(frozen=True, slots=True)
class PatientParts:
    """The patient service's parts, none of which has opened a connection yet."""

    engine: Engine
    bucket: GcsBucket
    importer: Importer[StoredObject, Content]
    monitor: ImportMonitor[StoredObject, Content]
    erasure: Erasure
    corrections: Corrections
    relay: EventRelay
    mailer: Mailer
    contacts: ContactReader | None
    metrics: ProcessMetrics

    def jobs(self, *, import_enabled: bool) -> list[Job]:
        imports = [self.monitor.job()] if import_enabled else []
        contacts = [self.contacts.job()] if self.contacts is not None else []
        return [*imports, self.relay.job(), self.mailer.job(), *contacts]

    def close(self) -> None:
        """Ends every connection; parts that are used again open new ones."""
        self.relay.close()
        self.bucket.close()
        self.engine.dispose()


def read_service_settings(environ: Mapping[str, str]) -> Settings:
    """Everything that the service needs. Raises `SettingsError` that names all that is wrong."""
    return read_settings(environ, *IMPORT_GROUPS, ServingSettings)


def build_parts(
    settings: Settings, *, console_base_url: str | None = None, patience: Patience | None = None
) -> PatientParts:
    """The parts, put together."""
    import_settings = settings[PatientImportSettings]
    engine = keyed_engine(settings, f"curavani {NAME} {identity()}"[:63])
    bucket = GcsBucket(settings[StorageSettings], patience)
    copies = LocalCopies(import_settings.local_path)
    metrics = ProcessMetrics(NAME, kernel.service_name)
    erasure = Erasure(engine, bucket, copies)
    policy = Policy(import_settings.duplicate_policy == "update", import_settings.contracts_signed)
    source = RegistrationSource(
        bucket=bucket,
        copies=copies,
        erasure=erasure,
        processor=FileProcessor(bucket, copies, import_settings.max_file_bytes, metrics.stage),
        policy=policy,
        copy_days=settings[RetentionSettings].copy_days,
        signature_key=import_settings.signature_secret,
        stage=metrics.stage,
    )
    rule = RetryRule(import_settings.max_attempts, import_settings.retry_base_seconds)
    importer = Importer(source, rule, metrics.stage)
    interval, clean = import_settings.check_interval_seconds, housekeeping(kernel, settings[RetentionSettings])
    return PatientParts(
        engine=engine,
        bucket=bucket,
        importer=importer,
        monitor=ImportMonitor(engine, kernel, importer, interval, metrics.attempt, clean),
        erasure=erasure,
        corrections=Corrections(engine, copies, policy),
        relay=EventRelay(kernel, NAME, settings[KafkaSettings]),
        mailer=_mailer(settings, console_base_url),
        contacts=_contacts(settings[KafkaSettings], metrics),
        metrics=metrics,
    )


def require_digest_key(settings: Settings) -> None:
    """Raises `SettingsError` where `DIGEST_KEY` is another one than before."""
    require_secret(settings, digest_key)


def build_service(settings: Settings, parts: PatientParts) -> Service:
    """What the HTTP side is handed."""
    import_settings = settings[PatientImportSettings]
    return Service(
        name=NAME,
        kernel=kernel,
        fields=PATIENT,
        engine=parts.engine,
        serving=settings[ServingSettings],
        close=parts.close,
        expected=expectations(settings),
        metrics=parts.metrics,
        count_due=due_counter(settings),
        probes=Probes(
            [
                bucket_dependency(parts.bucket),
                copies_dependency(import_settings, parts.engine),
                broker_dependency(settings[KafkaSettings], topic_of(kernel)),
                contacts_dependency(settings[KafkaSettings]),
                mail_dependency(settings[MailSettings]),
            ]
        ),
    )


def _contacts(settings: KafkaSettings, metrics: ProcessMetrics) -> ContactReader | None:
    """Who reads the communication service's events; nobody where no topic is named."""
    if settings.communication_topic is None:
        return None
    for outcome in ContactOutcome:
        # Known from the start, or the first one would be no increase.
        metrics.contact_events(outcome, 0)
    return ContactReader(NAME, settings, settings.communication_topic, metrics.contact_events)


def _mailer(settings: Settings, console_base_url: str | None) -> Mailer:
    expected = expectations(settings)
    looks = [silence.look] if expected.enabled else []
    return mailer_of(kernel, settings, expected, console_base_url, looks=looks, count_due=due_counter(settings))


def due_counter(settings: Settings) -> Callable[[Connection], int]:
    """Counts the patients whose time is over by these settings."""
    return lambda connection: count_due(connection, settings[RetentionSettings].patient_days)


def expectations(settings: Settings) -> Expectations:
    """What these settings ask of the import."""
    import_settings = settings[PatientImportSettings]
    return Expectations(
        enabled=import_settings.enabled,
        interval_seconds=import_settings.check_interval_seconds,
        sends_events=settings[KafkaSettings].bootstrap_servers is not None,
        sends_mail=settings[MailSettings].host is not None,
        reads_contacts=settings[KafkaSettings].communication_topic is not None,
    )


def bucket_dependency(bucket: GcsBucket) -> Dependency:
    """The bucket of the registrations."""
    return Dependency("storage", bucket.ping, StorageUnavailable.code)


def copies_dependency(settings: PatientImportSettings, engine: Engine | None) -> Dependency:
    """The folder of the local copies. Without an engine nobody knows whether it ought to be there already."""
    copies = LocalCopies(settings.local_path)

    def check() -> None:
        expected = False
        if engine is not None:
            # A database that cannot say so is told under its own name, and is no fault of the folder.
            with suppress(TransientError, DatabaseNotMigrated), transaction(engine) as connection:
                require_revision(connection)
                expected = copies_exist(connection)
        copies.check(copies_expected=expected)

    return Dependency("local_copies", check, DiskUnavailable.code)
