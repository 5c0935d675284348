"""Which patients were merged into which: an erasure has to find what is still kept under the numbers that are gone."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.models import kernel
from shared.history.actions import record_action
from shared.words.statuses import Action


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
