"""What people did, in `operator_actions`: retries, discards, decisions, merges, erasures."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.tables import KernelTables


def record_action(connection: Connection, kernel: KernelTables, action: str, actor: str, **about: Any) -> None:
    """Keeps who did what: `import_id`, `review_id`, `entity_id` and `reason` as far as they apply."""
    connection.execute(sa.insert(kernel.operator_actions).values(action=action, actor=actor, **about))
