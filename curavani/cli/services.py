"""The two services as the command line sees them, and the numbers by which people name their files and reviews."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TextIO, cast

import typer
from sqlalchemy.engine import Connection, Engine

from curavani.cli.output import printable
from patient_service import models as patient_models
from shared.core.errors import SettingsError
from shared.core.logs import configure_logging
from shared.core.settings import DatabaseSettings, LogSettings, Settings, SettingsGroup, read_settings
from shared.database.engine import create_engine, transaction
from shared.database.tables import KernelTables, ServiceName
from therapist_service import models as therapist_models

_NUMBER = re.compile(r"([PT])([0-9]{1,15})", re.IGNORECASE)
_REVIEW_NUMBER = re.compile(r"([PT])E?([0-9]{1,15})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service: its word, its tables, how its parts are made, how its reviews are decided.

    Its modules are loaded when they are asked for: the image of one service has not what the other one needs.
    """

    name: ServiceName
    kernel: KernelTables

    @property
    def bootstrap(self) -> Any:
        """The module that puts the service together."""
        return import_module(f"{self.name}_service.bootstrap")

    @property
    def resolve(self) -> Any:
        """The function that decides a review."""
        return import_module(f"{self.name}_service.reviews").resolve_review

    @property
    def subject_of(self) -> Any:
        """The function that reads what a review is about."""
        return import_module(f"{self.name}_service.review_subjects").subject_of

    @property
    def undo(self) -> Any:
        """The function that undoes a review's decision."""
        return import_module(f"{self.name}_service.undo").undo_review

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


def log_to_stderr(**bound: str) -> None:
    """Sends the log to stderr, away from the data: lines for programs, but on a terminal warnings for people.

    What is wrong with the log's own settings is told by the command that reads its settings, with all the rest.
    """
    for_people = {"LOG_LEVEL": "WARNING", "LOG_FORMAT": "console"} if sys.stderr.isatty() else {}
    try:
        settings = read_settings({**for_people, **os.environ}, LogSettings)[LogSettings]
    except SettingsError:
        settings = LogSettings.model_validate({})
    configure_logging(settings, cast("TextIO", _Stderr()), **bound)


class _Stderr:
    """Whatever `sys.stderr` is at the moment: a progress bar replaces it, so that lines appear above the bar."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def database() -> Engine:
    """The engine of `DATABASE_URL`. Raises `SettingsError`."""
    settings = settings_of(DatabaseSettings)
    url = settings[DatabaseSettings].database_url.get_secret_value()
    return create_engine(url, application_name="curavani command line", pool_size=2)


@contextmanager
def connected() -> Iterator[Connection]:
    """A transaction on the database, for one command."""
    engine = database()
    try:
        with transaction(engine) as connection:
            yield connection
    finally:
        engine.dispose()
