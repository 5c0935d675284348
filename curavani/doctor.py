"""How every dependency is, in words: ok, or what to do about it."""

import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from curavani import schema
from patient_service.imports.local_copies import LocalCopies
from shared.codes import describe
from shared.database.engine import create_engine, transaction
from shared.errors import CuravaniError, SettingsError
from shared.settings import (
    DatabaseSettings,
    KafkaSettings,
    MailSettings,
    PatientImportSettings,
    SettingsGroup,
    StorageSettings,
    TherapistImportSettings,
    read_settings,
)
from therapist_service.imports.scrape_files import ScrapeFolder

State = Literal["ok", "not configured", "settings", "failing"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How one part is, and what to do if it is not well."""

    part: str
    state: State
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(environ: Mapping[str, str]) -> list[Diagnosis]:
    """Every dependency, whatever the state of the others."""
    examinations = (
        ("database", DatabaseSettings, _database),
        ("bucket", StorageSettings, _bucket),
        ("local copies", PatientImportSettings, _copies),
        ("therapist folder", TherapistImportSettings, _folder),
        ("kafka", KafkaSettings, _kafka),
        ("mail", MailSettings, _mail),
    )
    return [_examined(environ, part, group, look) for part, group, look in examinations]


def _examined(environ: Mapping[str, str], part: str, group: type[SettingsGroup], look: Any) -> Diagnosis:
    try:
        settings = read_settings(environ, group)
    except SettingsError as error:
        return Diagnosis(part, "settings", "; ".join(error.problems))
    try:
        advice = look(settings[group])
    except CuravaniError as error:
        return Diagnosis(part, "failing", describe(error.code).english)
    except OSError:
        return Diagnosis(part, "failing", "No connection. Check address, port and network.")
    return Diagnosis(part, "not configured" if advice else "ok", advice or "")


def _database(settings: DatabaseSettings) -> str | None:
    engine = create_engine(settings.database_url.get_secret_value(), application_name="curavani doctor")
    try:
        with transaction(engine) as connection:
            if not schema.state(connection).up_to_date:
                raise CuravaniError("database_not_migrated")
    finally:
        engine.dispose()
    return None


def _bucket(settings: StorageSettings) -> str | None:
    # The therapist service's image has no storage client.
    try:
        from patient_service.imports.bucket import GcsBucket  # noqa: PLC0415
    except ModuleNotFoundError:
        return "Not part of this image."
    GcsBucket(settings).ping()
    return None


def _copies(settings: PatientImportSettings) -> str | None:
    LocalCopies(settings.local_path).ensure_root(copies_expected=False)
    return None


def _folder(settings: TherapistImportSettings) -> str | None:
    ScrapeFolder(settings.folder_path).discover(lambda _reason: None)
    return None


def _kafka(settings: KafkaSettings) -> str | None:
    if settings.bootstrap_servers is None:
        return "Set KAFKA_BOOTSTRAP_SERVERS; events wait in the database until then."
    host, _, port = settings.bootstrap_servers.split(",")[0].rpartition(":")
    socket.create_connection((host, int(port)), timeout=5).close()
    return None


def _mail(settings: MailSettings) -> str | None:
    if settings.host is None:
        return "Set SMTP_HOST; alerts wait in the database until then."
    socket.create_connection((settings.host, settings.port), timeout=5).close()
    return None
