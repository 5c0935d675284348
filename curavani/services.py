"""The two services as the command line sees them, and the numbers by which people name their files and reviews."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import typer
from sqlalchemy.engine import Connection, Engine

from curavani.cli.output import printable
from patient_service import models as patient_models
from patient_service import review_subjects as patient_subjects
from patient_service import reviews as patient_reviews
from patient_service import undo as patient_undo
from shared.core.settings import DatabaseSettings, DigestSettings, LogSettings, Settings, SettingsGroup, read_settings
from shared.database.digest_keys import use_secret
from shared.database.engine import create_engine, transaction
from shared.database.pooler import require_own_sessions
from shared.database.revision import require_revision
from shared.database.tables import KernelTables
from shared.reviews.subjects import Subject
from shared.reviews.values import Resolution, Review
from shared.state.health import Expectations
from shared.words.statuses import ServiceName
from therapist_service import bootstrap as therapist_bootstrap
from therapist_service import models as therapist_models
from therapist_service import review_subjects as therapist_subjects
from therapist_service import reviews as therapist_reviews
from therapist_service import undo as therapist_undo

if TYPE_CHECKING:
    from patient_service.bootstrap import PatientParts
    from therapist_service.bootstrap import TherapistParts

_NUMBER = re.compile(r"([PT])([0-9]{1,15})", re.IGNORECASE)
_REVIEW_NUMBER = re.compile(r"([PT])E?([0-9]{1,15})", re.IGNORECASE)
ServiceParts: TypeAlias = "PatientParts | TherapistParts"


class Bootstrap(Protocol):
    """The module that puts a service together."""

    @property
    def NAME(self) -> str: ...  # noqa: N802 - a module's constant
    @property
    def IMPORT_GROUPS(self) -> tuple[type[SettingsGroup], ...]: ...  # noqa: N802 - a module's constant
    def read_service_settings(self, environ: Mapping[str, str]) -> Settings: ...
    def build_parts(self, settings: Settings, *, console_base_url: str | None = None) -> ServiceParts: ...
    def require_digest_key(self, settings: Settings) -> None: ...
    def expectations(self, settings: Settings) -> Expectations: ...


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service: its word, its tables, what reads, decides and undoes its reviews, and how its parts are made."""

    name: ServiceName
    kernel: KernelTables
    subject_of: Callable[[Connection, Review], Subject | None]
    resolve: Callable[[Connection, int, Resolution], Review]
    undo: Callable[[Connection, int, str, str | None], Review]

    @property
    def bootstrap(self) -> Bootstrap:
        """The module that puts the service together."""
        if self.name == "therapist":
            return therapist_bootstrap
        from patient_service import bootstrap  # noqa: PLC0415 - the other service's image has no storage client

        return bootstrap

    def number(self, row_id: int | None) -> str | None:
        """How people name a file of this service: `P12`."""
        return None if row_id is None else self.kernel.number(row_id)


SERVICES: dict[str, ServiceEntry] = {
    "patient": ServiceEntry(
        "patient",
        patient_models.kernel,
        patient_subjects.subject_of,
        patient_reviews.resolve_review,
        patient_undo.undo_review,
    ),
    "therapist": ServiceEntry(
        "therapist",
        therapist_models.kernel,
        therapist_subjects.subject_of,
        therapist_reviews.resolve_review,
        therapist_undo.undo_review,
    ),
}


def numbered(text: str) -> tuple[ServiceEntry, int]:
    """The service and number in `P12` or `T7`. Ends with a usage error for anything else."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"'{printable(text)}' is no number like P12 (patient) or T7 (therapist)")
    entry = SERVICES["patient" if match[1].upper() == "P" else "therapist"]
    return entry, int(match[2])


def review_numbered(text: str) -> tuple[ServiceEntry, int]:
    """The service and number in `PE12`, `TE7` or `P12`, `T7`. Ends with a usage error for anything else."""
    match = _REVIEW_NUMBER.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"'{printable(text)}' is no number like PE12 (patient) or TE7 (therapist)")
    return numbered(f"{match[1]}{match[2]}")


def settings_of(*groups: type[SettingsGroup]) -> Settings:
    """The settings that a command needs, and those of its log with them, so that one message names all that is wrong.

    Raises `SettingsError`.
    """
    return read_settings(os.environ, *groups, *([] if LogSettings in groups else [LogSettings]))


def database() -> Engine:
    """The engine of `DATABASE_URL`. Raises `SettingsError`."""
    settings = settings_of(DatabaseSettings, DigestSettings)
    url = settings[DatabaseSettings].database_url.get_secret_value()
    engine = create_engine(url, application_name="curavani command line", pool_size=2)
    use_secret(engine, settings[DigestSettings].secret)
    return engine


@contextmanager
def connected() -> Iterator[Connection]:
    """A transaction on our tables, for one command. Raises `DatabaseNotMigrated` or `DatabaseForeign`."""
    with connected_to_any() as connection:
        require_revision(connection)
        yield connection


@contextmanager
def connected_to_any() -> Iterator[Connection]:
    """A transaction on the database, whosever its tables are."""
    engine = database()
    try:
        require_own_sessions(engine)
        with transaction(engine) as connection:
            yield connection
    finally:
        engine.dispose()
