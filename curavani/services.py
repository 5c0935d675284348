"""The two services as the command line sees them, and the numbers by which people name their files and reviews."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, TypeAlias

import typer
from sqlalchemy.engine import Connection, Engine

from curavani.cli.output import printable
from patient_service import models as patient_models
from shared.core.settings import DatabaseSettings, DigestSettings, LogSettings, Settings, SettingsGroup, read_settings
from shared.database.digest_keys import keyed_engine
from shared.database.engine import transaction
from shared.database.pooler import require_own_sessions
from shared.database.revision import require_revision
from shared.database.tables import KernelTables
from shared.reviews.subjects import Subject
from shared.reviews.values import Resolution, Review
from shared.state.health import Expectations
from shared.words.statuses import ServiceName
from therapist_service import models as therapist_models

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
    """One service: its word, its tables, what reads, decides and undoes its reviews, and how its parts are made.

    Only the tables are in both images. Whatever else is asked for in the other service's raises `ImportError`.
    """

    name: ServiceName
    kernel: KernelTables

    @property
    def bootstrap(self) -> Bootstrap:
        """The module that puts the service together."""
        found: Bootstrap = self._module("bootstrap")
        return found

    @property
    def subject_of(self) -> Callable[[Connection, Review], Subject | None]:
        """Reads what a review is about."""
        found: Callable[[Connection, Review], Subject | None] = self._module("review_subjects").subject_of
        return found

    @property
    def resolve(self) -> Callable[[Connection, int, Resolution], Review]:
        """Decides a review."""
        found: Callable[[Connection, int, Resolution], Review] = self._module("reviews").resolve_review
        return found

    @property
    def undo(self) -> Callable[[Connection, int, str, str | None], Review]:
        """Undoes a decision."""
        found: Callable[[Connection, int, str, str | None], Review] = self._module("undo").undo_review
        return found

    def _module(self, name: str) -> ModuleType:
        return import_module(f"{self.name}_service.{name}")

    def number(self, row_id: int | None) -> str | None:
        """How people name a file of this service: `P12`."""
        return None if row_id is None else self.kernel.number(row_id)


SERVICES: dict[str, ServiceEntry] = {
    "patient": ServiceEntry("patient", patient_models.kernel),
    "therapist": ServiceEntry("therapist", therapist_models.kernel),
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
    return keyed_engine(settings_of(DatabaseSettings, DigestSettings), "curavani command line", pool_size=2)


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
