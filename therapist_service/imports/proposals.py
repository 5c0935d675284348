"""The records of a file that claim `deleted`: whom they mean is found at the file's end, when it is known who else it
lists; what becomes of those is decided at the end of the scrape day (`day_end`)."""

from collections.abc import Callable

from shared.core.errors import Finding
from shared.imports.records import Outcome
from shared.words.codes import Code
from shared.words.statuses import RecordOutcome
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Match, Rule, decide_by_id_alone, decide_deletion_of
from therapist_service.imports.mapping import MappedRecord
from therapist_service.imports.register import Arrival, Entry, Register, known

Report = Callable[[Outcome, Finding | None], None]
Proposal = tuple[object, ...]
"""A row of `proposed_deletions`."""
_CHUNK = 1000
_NOBODY = {Rule.DUPLICATE_IN_FILE: Code.DUPLICATE_IN_FILE, Rule.AMBIGUOUS: Code.AMBIGUOUS_IDENTITY}
"""Why a deletion is meant for nobody, other than that the person is unknown."""


class Removals:
    """Collects a file's deletions, and finds whom they mean."""

    def __init__(self, register: Register, import_id: int, envelope: Envelope) -> None:
        self._register = register
        self._import_id = import_id
        self._envelope = envelope
        self._records: list[MappedRecord] = []

    def add(self, record: MappedRecord) -> None:
        self._records.append(record)

    def propose(self, report: Report) -> list[Proposal]:
        """The deletions of people who are known; `report` is told of those that are meant for nobody."""
        proposed: list[Proposal] = []
        for start in range(0, len(self._records), _CHUNK):
            arrivals = [Arrival(record, self._envelope.area) for record in self._records[start : start + _CHUNK]]
            self._register.look_for([one.listed for one in arrivals])
            claimed: set[int] = set()
            for one in arrivals:
                match, entry = self._match(one, claimed)
                if entry is None:
                    report(*_of_nobody(one.record, match))
                else:
                    claimed.add(entry.id)
                    entry.dismissed_on.add(self._envelope.scrape_day)
                    proposed.append(self._proposal(one.record, entry.id, match.rule))
        return proposed

    def _match(self, one: Arrival, claimed: set[int]) -> tuple[Match, Entry | None]:
        found = {entry.id: entry for entry in self._register.of(one.listed)}
        taken = claimed | {number for number, entry in found.items() if entry.source_import_id == self._import_id}
        external_id = one.listed.external_id
        if one.record.fields["nachname"] is None and external_id is not None:
            here = [known(entry) for entry in found.values() if entry.source_zip == self._envelope.zip]
            match = decide_by_id_alone(one.listed.area, external_id, here, taken)
        else:
            match = decide_deletion_of(one.listed, [known(entry) for entry in found.values()], taken)
        return match, None if match.row_id is None else found[match.row_id]

    def _proposal(self, record: MappedRecord, row_id: int, rule: str) -> Proposal:
        said = self._envelope
        return self._import_id, record.index, row_id, said.scrape_day, said.zip, said.scrape_moment, rule


def _of_nobody(record: MappedRecord, match: Match) -> tuple[Outcome, Finding]:
    code = _NOBODY.get(match.rule, Code.UNKNOWN_THERAPIST)
    finding = Finding(f"/therapists/{record.index}", code, record.index)
    return Outcome(record.index, RecordOutcome.SKIPPED, None, code, match.rule), finding
