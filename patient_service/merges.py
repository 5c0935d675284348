"""Merging patients: what the one who stays says afterwards, and who was merged into whom.

An erasure has to find what is still kept under the numbers that are gone.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.imports.newness import fills_only, is_older, newest_registration
from patient_service.models import kernel
from patient_service.patient import SELF_REPORTED, STAFF_FIELDS, Patient
from shared.fields.declaration import Row, Values
from shared.history.actions import record_action
from shared.words.statuses import Action
from shared.words.vocabulary import Patientenstatus

_EMPTY: tuple[object, ...] = (None, "", [], {}, False, "Egal", "egal", Patientenstatus.OFFEN)


def merged_values(connection: Connection, newer: Patient, older: Patient) -> Values:
    """What is written into the older patient when the newer one becomes part of them."""
    said: Values = _said(vars(newer))
    if is_older(newest_registration(connection, newer.id), newest_registration(connection, older.id)):
        # The record came later, the registration did not: what the person said since stands.
        said = fills_only(connection, older, said)
    return {**said, **_worked_on(vars(newer), vars(older))}


def _said(row: Row) -> dict[str, object]:
    """What the person said of themselves; what they left out, or left at its default, erases nothing."""
    return {name: row[name] for name in SELF_REPORTED if row[name] not in _EMPTY}


def _worked_on(newer: Row, older: Row) -> dict[str, object]:
    """What staff wrote on the newer record only: it would be lost with it. What the older one holds stays."""
    return {name: newer[name] for name in STAFF_FIELDS if newer[name] not in _EMPTY and older[name] in _EMPTY}


def record_merge(connection: Connection, newer: int, older: int, actor: str) -> None:
    """Keeps that the newer patient was merged into the older one, and by whom."""
    record_action(connection, kernel, Action.MERGE, actor, entity_id=newer, reason=_into(older))


def merged_into(connection: Connection, patient_id: int) -> list[int]:
    """The numbers of all patients that became part of this one, over any number of merges."""
    actions = kernel.operator_actions.c
    found: list[int] = []
    frontier = [patient_id]
    while frontier:
        wanted = [_into(number) for number in frontier]
        statement = sa.select(actions.entity_id).where(actions.action == Action.MERGE, actions.reason.in_(wanted))
        frontier = [number for number in connection.execute(statement).scalars() if number not in found]
        found += frontier
    return found


def _into(patient_id: int) -> str:
    return f"into {patient_id}"
