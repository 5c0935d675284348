"""What people did, in `operator_actions`: retries, discards, decisions, merges, erasures."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.tables import KernelTables
from shared.words.statuses import Action


def record_action(
    connection: Connection, kernel: KernelTables, action: Action, actor: str, **about: int | str | None
) -> None:
    """Keeps who did what: `import_id`, `review_id`, `entity_id` and `reason` as far as they apply."""
    connection.execute(sa.insert(kernel.operator_actions).values(action=action, actor=actor, **about))
