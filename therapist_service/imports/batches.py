"""Scrapes into the database together: rows, history, outcomes, events and reviews in the caller's transaction.

The rows that the files of a batch may be about are in memory (`register`). The files are applied there one after the
other, and what has come of it is written at the end: a batch costs the same few statements, however many files it has.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.engine import Connection

from shared.core.errors import RejectedError
from shared.imports.source import Settlement
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome
from therapist_service.imports.envelope import is_implausible_change, plausibility
from therapist_service.imports.files_to_come import FilesToCome
from therapist_service.imports.import_tracker import applied_before, known_by
from therapist_service.imports.journal import Journal
from therapist_service.imports.mapping import MappedRecord
from therapist_service.imports.neighbours import Neighbours
from therapist_service.imports.register import Arrival, Register
from therapist_service.imports.scrape import Scrape, faults_of
from therapist_service.imports.scrape_day import Day
from therapist_service.imports.therapist_importer import Audience, Run
from therapist_service.suppressions import NOBODY, suppressed


@dataclass(frozen=True, slots=True)
class FileToApply:
    """A scrape with its file's number. `is_accepted`: a person has seen that it differs so much from what is usual."""

    import_id: int
    scrape: Scrape
    is_accepted: bool = False


def apply_scrapes(
    connection: Connection,
    files: Sequence[FileToApply],
    audience: Audience,
    at_hand: Sequence[Scrape] = (),
    to_come: FilesToCome | None = None,
) -> list[Settlement]:
    """Applies scrapes of different postal codes in the caller's transaction, each after those before it, or says why
    nothing of one is applied; returns how their files are to be settled.

    They are compared with the scrapes `at_hand`, without it with each other, and with those `to_come`. Raises
    `RejectedError` (`implausible_change`) for one of them: then the caller undoes what was applied.
    """
    return _Batch(connection, files, audience, _neighbours(at_hand or [file.scrape for file in files], to_come)).apply()


class _Batch:
    """Files that are applied together."""

    def __init__(
        self,
        connection: Connection,
        files: Sequence[FileToApply],
        audience: Audience,
        neighbours: Mapping[date, Neighbours],
    ) -> None:
        self.connection = connection
        self.audience = audience
        self.register = Register(connection)
        self.journal = Journal(connection, self.register)
        self._files = files
        self._before = applied_before(
            connection, {file.import_id: (file.scrape.sha256, file.scrape.envelope) for file in files}
        )
        leaves_out = any(before.leaves_out for before in self._before.values())
        self.left_out = suppressed(connection) if leaves_out else NOBODY
        self._neighbours = neighbours
        self._applied: set[object] = set()

    def apply(self) -> list[Settlement]:
        self._meet()
        settlements = [self._apply(file) for file in self._files]
        self.journal.write()
        return settlements

    def _meet(self) -> None:
        """Fetches the rows of all files together, where they are small."""
        arrivals: list[Arrival] = []
        for file in self._files:
            if file.scrape.is_small and not self._why_needless(file):
                area = file.scrape.envelope.area
                arrivals += [
                    Arrival(record, area)
                    for chunk in file.scrape.chunks()
                    for record in chunk
                    if isinstance(record, MappedRecord)
                ]
        self.register.meet(arrivals)

    def _why_needless(self, file: FileToApply) -> Code | None:
        is_repeated = (file.scrape.sha256, file.scrape.envelope.scrape_day) in self._applied
        return Code.DUPLICATE_CONTENT if is_repeated else self._before[file.import_id].why_needless()

    def _apply(self, file: FileToApply) -> Settlement:
        scrape, before = file.scrape, self._before[file.import_id]
        needless = self._why_needless(file)
        if needless:
            return Settlement(FileStatus.SKIPPED, needless)
        implausible = plausibility(scrape.valid, scrape.invalid, () if file.is_accepted else before.usual_counts)
        if implausible:
            self.journal.remark(file.import_id, faults_of(scrape))
            return Settlement(FileStatus.FAILED, implausible)
        self.journal.fills.append((scrape.envelope, scrape.fill))
        day = Day(self.connection, scrape.envelope, self._neighbours[scrape.envelope.scrape_day])
        settlement = Run(self.journal, file.import_id, day, self.audience, self.left_out).apply(scrape)
        new = settlement.counts.get(RecordOutcome.NEW, 0)
        if not file.is_accepted and is_implausible_change(new, scrape.total, before.last_count):
            raise RejectedError(Code.IMPLAUSIBLE_CHANGE, noted=known_by(scrape.sha256, scrape.envelope))
        self._applied.add((scrape.sha256, scrape.envelope.scrape_day))
        return settlement


def _neighbours(at_hand: Sequence[Scrape], to_come: FilesToCome | None) -> dict[date, Neighbours]:
    """The files that speak beside each other, by their scrape day."""
    by_day: dict[date, list[Scrape]] = defaultdict(list)
    for scrape in at_hand:
        by_day[scrape.envelope.scrape_day].append(scrape)
    return {
        day: Neighbours(scrapes, to_come if to_come and to_come.day == day else None) for day, scrapes in by_day.items()
    }
