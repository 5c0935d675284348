"""A file that names one registration outside and another inside: whom each of the two tokens belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from patient_service.imports.file_names import parse_name
from patient_service.models import kernel, patient_consents, patienten
from shared.words.codes import Code


@dataclass(frozen=True, slots=True)
class Owner:
    """A patient whose consent carries the token: since when, and which file brought it."""

    patient_id: int
    name: str
    given_at: datetime
    import_id: int


@dataclass(frozen=True, slots=True)
class MixUpSide:
    """One of the two: the token, whom the file names with it, and to whom it belongs by now. `others` are further files
    whose names carry it."""

    token: str
    named: str
    owners: tuple[Owner, ...]
    others: tuple[int, ...]


def mix_up_of(
    connection: Connection, row: RowMapping, document: Mapping[str, object], named: str
) -> tuple[MixUpSide, MixUpSide] | None:
    """Outside and inside of the row's file, whose document names `named`. None for a file that is no mix-up."""
    parsed, token = parse_name(row["file_name"] or ""), document.get("registration_token")
    if row["error_code"] != Code.TOKEN_MISMATCH or parsed.token is None or not isinstance(token, str):
        return None
    outside = _side(connection, row["id"], parsed.token, parsed.person or "")
    return outside, _side(connection, row["id"], token, named)


def _side(connection: Connection, import_id: int, token: str, named: str) -> MixUpSide:
    return MixUpSide(token, named, tuple(_owners(connection, token)), tuple(_other_files(connection, import_id, token)))


def _owners(connection: Connection, token: str) -> Sequence[Owner]:
    """In a file's name the beginning of a token stands for it."""
    consents, patient = patient_consents.c, patienten.c
    carries = sa.func.lower(consents.registration_token).startswith(token.lower(), autoescape=True)
    statement = (
        sa.select(patient.id, patient.vorname, patient.nachname, consents.given_at, consents.import_id)
        .join_from(patienten, patient_consents, consents.patient_id == patient.id)
        .where(carries)
        .order_by(consents.id)
    )
    return [Owner(row[0], f"{row[1]} {row[2]}", row[3], row[4]) for row in connection.execute(statement)]


def _other_files(connection: Connection, import_id: int, token: str) -> Sequence[int]:
    files = kernel.import_tracking.c
    carries = sa.func.lower(files.file_name).contains(f"_{token.lower()}", autoescape=True)
    return list(
        connection.execute(sa.select(files.id).where(carries, files.id != import_id).order_by(files.id)).scalars()
    )
