"""The history of fields: who changed what, from which value to which."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.engine import Connection

from shared.database.copy import copy_rows
from shared.database.tables import KernelTables


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One changed field of one row. `changed_by` is `import:ID` or `api:NAME`."""

    entity_id: int
    field: str
    old: object
    new: object
    changed_by: str


def write_changes(connection: Connection, kernel: KernelTables, changes: Sequence[FieldChange]) -> None:
    """Keeps the changes; values as text, lists and objects as JSON."""
    rows = [
        (change.entity_id, change.field, as_text(change.old), as_text(change.new), change.changed_by)
        for change in changes
    ]
    columns = ("entity_id", "field", "old_value", "new_value", "changed_by")
    copy_rows(connection, kernel.field_changes, columns, rows)


def as_text(value: object) -> str | None:
    """A column's value as the history shows it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bool, list, dict)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value.isoformat() if isinstance(value, date) else str(value)
