"""What can be done to patients, whoever asks: the HTTP API, the import, a decision in a review.

Every function works in the caller's transaction and writes the history and the events of what it changed with it. An
event exists exactly where something changed. `actor` is `import:ID` or `api:NAME`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, RowMapping

from patient_service import events
from patient_service.models import kernel, patient_consents, patienten
from shared.core.clock import now, today
from shared.core.errors import NotFound
from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.events.outbox import write_events
from shared.history.changes import FieldChange, write_changes
from shared.text.keys import email_key, name_key, search_key, search_words

Row = Mapping[str, Any]

_DOCUMENTS = frozenset(column.name for column in patienten.c if isinstance(column.type, JSONB))
_SEARCHED = ("vorname", "nachname", "email", "plz", "ort", "telefon")


def create_patient(connection: Connection, row: Row, actor: str) -> int:
    """Inserts a validated row (columns of `PatientCreate`) and returns its id."""
    del actor  # a creation leaves no field changes; its import or caller is on record elsewhere
    complete = {**row, **_derived(row), "startdatum": _startdatum(row)}
    given = {f"new_{name}": json_text(value) if name in _DOCUMENTS else value for name, value in complete.items()}
    created = _insert(*complete).one(connection, **given)
    write_events(connection, kernel, [events.created(created)])
    return int(created["id"])


def update_patients(connection: Connection, changes: Mapping[int, Row], actor: str) -> dict[int, RowMapping]:
    """Writes validated columns per patient id and returns the rows as they are afterwards.

    Values equal to the present ones are no change. Raises `NotFound` where an id does not exist, before any write.
    """
    before = lock_patients(connection, changes)
    after: dict[int, RowMapping] = {}
    for patient_id, wanted in changes.items():
        after[patient_id] = _update_one(connection, before[patient_id], wanted, actor)
    return after


def delete_patient(connection: Connection, patient_id: int, actor: str) -> RowMapping:
    """Removes the row and announces it; returns what was there. The caller removes what refers to it first.

    Raises `NotFound`.
    """
    del actor  # the erasure that calls this keeps the name
    row = lock_patients(connection, [patient_id])[patient_id]
    connection.execute(sa.delete(patienten).where(patienten.c.id == patient_id))
    write_events(connection, kernel, [events.deleted(patient_id)])
    return row


def get_patient(connection: Connection, patient_id: int) -> RowMapping:
    """The row. Raises `NotFound`."""
    row = connection.execute(sa.select(patienten).where(patienten.c.id == patient_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("Patient not found")
    return row


def lock_patients(connection: Connection, ids: Iterable[int]) -> dict[int, RowMapping]:
    """The rows, locked in order of id against concurrent writers. Raises `NotFound` if one is missing."""
    wanted = sorted(set(ids))
    statement = sa.select(patienten).where(patienten.c.id.in_(wanted)).order_by(patienten.c.id).with_for_update()
    rows = {row["id"]: row for row in connection.execute(statement).mappings()}
    if len(rows) < len(wanted):
        raise NotFound("Patient not found")
    return rows


def list_patients(
    connection: Connection, *, status: str | None = None, search: str | None = None, offset: int, limit: int
) -> tuple[list[RowMapping], int]:
    """A page of patients, newest first, and how many there are in all. Every word of `search` has to occur."""
    conditions = [] if status is None else [patienten.c.status == status]
    conditions += [patienten.c.search_key.contains(word, autoescape=True) for word in search_words(search)]
    total = connection.execute(sa.select(sa.func.count()).select_from(patienten).where(*conditions)).scalar_one()
    page = (
        sa.select(patienten)
        .where(*conditions)
        .order_by(patienten.c.created_at.desc(), patienten.c.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return list(connection.execute(page).mappings()), total


def list_consents(connection: Connection, patient_id: int) -> list[RowMapping]:
    """The evidence of the patient's consents (Art. 7(1) GDPR), oldest first. Raises `NotFound` without the patient."""
    get_patient(connection, patient_id)
    of_patient = sa.select(patient_consents).where(patient_consents.c.patient_id == patient_id)
    return list(connection.execute(of_patient.order_by(patient_consents.c.id)).mappings())


@lru_cache(maxsize=8)
def _insert(*names: str) -> Statement:
    given: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
    return Statement(sa.insert(patienten).values(given).returning(patienten), as_dicts=True)


def _update_one(connection: Connection, before: RowMapping, wanted: Row, actor: str) -> RowMapping:
    merged = {**before, **wanted}
    changed = {field: value for field, value in wanted.items() if before[field] != value}
    startdatum = _startdatum(merged)
    if startdatum != before["startdatum"]:
        changed["startdatum"] = startdatum
    if not changed:
        return before
    after = (
        connection.execute(
            sa.update(patienten)
            .where(patienten.c.id == before["id"])
            .values(**changed, **_derived({**before, **changed}), updated_at=now())
            .returning(patienten)
        )
        .mappings()
        .one()
    )
    history = [FieldChange(before["id"], field, before[field], value, actor) for field, value in changed.items()]
    write_changes(connection, kernel, history)
    write_events(connection, kernel, [events.changed(before, after)])
    return after


def _startdatum(row: Row) -> date | None:
    """The day on which contracts and first consultation were both there; once set, it stays."""
    if row.get("startdatum") is not None:
        return row["startdatum"]  # type: ignore[no-any-return]
    complete = row.get("vertraege_unterschrieben") and row.get("psychotherapeutische_sprechstunde")
    return today() if complete else None


def _derived(row: Row) -> dict[str, Any]:
    return {
        "name_key": name_key(row["vorname"], row["nachname"]),
        "email_key": email_key(row.get("email")),
        "search_key": search_key(" ".join(str(row.get(field) or "") for field in _SEARCHED)) or "",
    }
