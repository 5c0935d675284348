"""What is kept of a file's records: the outcome of each, and the findings of the latest attempt."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.database.copy import copy_rows
from shared.database.tables import KernelTables
from shared.words.statuses import RecordOutcome

_POINTER_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record of a file. `rule` names the rule of identity or merging that decided."""

    record_index: int
    outcome: RecordOutcome
    entity_id: int | None = None
    code: str | None = None
    rule: str | None = None


def write_findings(connection: Connection, kernel: KernelTables, import_id: int, findings: Sequence[Finding]) -> None:
    """Keeps the findings of the present attempt. Pointers come from the file: overlong ones are cut, NUL is dropped."""
    rows = [(import_id, finding.record_index, _storable(finding.pointer), finding.code) for finding in findings]
    copy_rows(connection, kernel.import_findings, ("import_id", "record_index", "pointer", "code"), rows)


def write_outcomes(connection: Connection, kernel: KernelTables, import_id: int, outcomes: Sequence[Outcome]) -> None:
    """Keeps what became of the records; `unchanged` ones are counted, not kept one by one."""
    rows = [
        (import_id, outcome.record_index, outcome.entity_id, outcome.outcome, outcome.code, outcome.rule)
        for outcome in outcomes
        if outcome.outcome != RecordOutcome.UNCHANGED
    ]
    columns = ("import_id", "record_index", "entity_id", "outcome", "code", "rule")
    copy_rows(connection, kernel.import_outcomes, columns, rows)


def _storable(pointer: str) -> str:
    cleaned = pointer.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return cleaned if len(cleaned) <= _POINTER_LIMIT else cleaned[: _POINTER_LIMIT - 1] + "…"
