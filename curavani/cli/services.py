"""The two services as the command line sees them, and the numbers by which people name their files and reviews."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import typer
from sqlalchemy.engine import Connection, Engine

from patient_service import models as patient_models
from shared.database.engine import create_engine, transaction
from shared.errors import NotFound
from shared.settings import DatabaseSettings, read_settings
from shared.tables import KernelTables
from therapist_service import models as therapist_models

Name = Literal["patient", "therapist"]
_NUMBER = re.compile(r"([PT])([0-9]{1,15})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service: its word, its tables, how its parts are made, how its reviews are decided.

    Its modules are loaded when they are asked for: the image of one service has not what the other one needs.
    """

    name: Name
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
    def prefix(self) -> str:
        return self.name[0].upper()


SERVICES: dict[str, ServiceEntry] = {
    "patient": ServiceEntry("patient", patient_models.kernel),
    "therapist": ServiceEntry("therapist", therapist_models.kernel),
}


def service_named(name: str) -> ServiceEntry:
    """The service. Ends with a usage error for another word."""
    if name not in SERVICES:
        raise typer.BadParameter(f"'{name}' is neither patient nor therapist")
    return SERVICES[name]


def numbered(text: str) -> tuple[ServiceEntry, int]:
    """The service and number in `P12` or `T7`. Ends with a usage error for anything else."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"'{text}' is no number like P12 (patient) or T7 (therapist)")
    entry = SERVICES["patient" if match[1].upper() == "P" else "therapist"]
    if int(match[2]) >= 2**63:
        raise NotFound("There is no such number")
    return entry, int(match[2])


def database() -> Engine:
    """The engine of `DATABASE_URL`. Raises `SettingsError`."""
    settings = read_settings(os.environ, DatabaseSettings)
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
