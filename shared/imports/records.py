"""What is kept of a file's records: the outcome of each, and the findings of the latest attempt."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.database.copy import copy_rows
from shared.database.tables import KernelTables
from shared.words.codes import Code
from shared.words.statuses import RecordOutcome

_POINTER_LIMIT = 500
_MOST_REMARKS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record of a file. `rule` names the rule of identity or merging that decided."""

    record_index: int
    outcome: RecordOutcome
    entity_id: int | None = None
    code: str | None = None
    rule: str | None = None


class Remarks:
    """Collects the findings of a file with many records: those of one code that are too many become a single one.

    Errors are kept each: they say what to mend. Of remarks a source can have one for every record, every week.
    """

    def __init__(self, pointer: str) -> None:
        self._pointer = pointer
        self._errors: list[Finding] = []
        self._remarks: dict[Code, list[Finding]] = defaultdict(list)
        self._counts: Counter[Code] = Counter()

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            code = finding.code
            if code.severity == "error":
                self._errors.append(finding)
                continue
            self._counts[code] += 1
            if self._counts[code] <= _MOST_REMARKS:
                self._remarks[code].append(finding)

    def errors(self) -> list[Finding]:
        """The errors since this was last asked."""
        found, self._errors = self._errors, []
        return found

    def all(self) -> list[Finding]:
        """The errors that were not asked for, and all remarks; where there are too many, one for all of them."""
        kept = self.errors()
        for code, findings in self._remarks.items():
            number = self._counts[code]
            together = [Finding(self._pointer, code, records=number)]
            kept += findings if number <= _MOST_REMARKS else together
        return kept


def write_findings(connection: Connection, kernel: KernelTables, import_id: int, findings: Sequence[Finding]) -> None:
    """Keeps the findings of the present attempt. Pointers come from the file: overlong ones are cut, NUL is dropped."""
    write_all_findings(connection, kernel, {import_id: findings})


def write_all_findings(connection: Connection, kernel: KernelTables, findings: Mapping[int, Sequence[Finding]]) -> None:
    """The same of several files together."""
    rows = [
        (import_id, finding.record_index, _storable(finding.pointer), finding.code, finding.records)
        for import_id, of_file in findings.items()
        for finding in of_file
    ]
    columns = ("import_id", "record_index", "pointer", "code", "records")
    copy_rows(connection, kernel.import_findings, columns, rows)


def write_outcomes(connection: Connection, kernel: KernelTables, import_id: int, outcomes: Sequence[Outcome]) -> None:
    """Keeps what became of the records; `unchanged` ones are counted, not kept one by one."""
    write_all_outcomes(connection, kernel, {import_id: outcomes})


def write_all_outcomes(connection: Connection, kernel: KernelTables, outcomes: Mapping[int, Sequence[Outcome]]) -> None:
    """The same of several files together."""
    rows = [
        (import_id, outcome.record_index, outcome.entity_id, outcome.outcome, outcome.code, outcome.rule)
        for import_id, of_file in outcomes.items()
        for outcome in of_file
        if outcome.outcome != RecordOutcome.UNCHANGED
    ]
    columns = ("import_id", "record_index", "entity_id", "outcome", "code", "rule")
    copy_rows(connection, kernel.import_outcomes, columns, rows)


def _storable(pointer: str) -> str:
    cleaned = pointer.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return cleaned if len(cleaned) <= _POINTER_LIMIT else cleaned[: _POINTER_LIMIT - 1] + "…"
