"""What people did, in `operator_actions`: to files, in decisions, and whom they created, deleted or erased."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.copy import copy_rows
from shared.database.tables import KernelTables
from shared.words.statuses import Action


def record_action(
    connection: Connection,
    kernel: KernelTables,
    action: Action,
    actor: str,
    *,
    import_id: int | None = None,
    review_id: int | None = None,
    entity_id: int | None = None,
    reason: str | None = None,
) -> None:
    """Keeps who did what, and about which file, review or person as far as that applies."""
    about = {"import_id": import_id, "review_id": review_id, "entity_id": entity_id, "reason": reason}
    connection.execute(sa.insert(kernel.operator_actions).values(action=action, actor=actor, **about))


def record_for_each(
    connection: Connection, kernel: KernelTables, action: Action, actor: str, entity_ids: Iterable[int]
) -> None:
    """Keeps who did it to these people. What an import does stands in its outcomes, and is not kept twice."""
    if not actor.startswith("import:"):
        rows = ((action.value, actor, number) for number in entity_ids)
        copy_rows(connection, kernel.operator_actions, ("action", "actor", "entity_id"), rows)
