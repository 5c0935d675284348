"""One pass of an import, whatever its source: register, claim, attempt, release. `run_pass` shows the whole run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

from sqlalchemy.engine import Connection

from shared.core.clock import now
from shared.database.locks import LockedConnection
from shared.database.tables import KernelTables
from shared.imports import ledger
from shared.imports.attempts import Attempts, End
from shared.imports.endings import Endings
from shared.imports.passes import FileDone, PassReport
from shared.imports.retry import RetryRule
from shared.imports.source import Claim, Content, File, Found, Group, Item, Source
from shared.metrics.process import Stage, unmeasured
from shared.words.statuses import FileStatus

_DONE_WITH = (FileStatus.SUCCESS, FileStatus.SKIPPED)


@dataclass(slots=True)
class Importer(Generic[Item, Content]):
    """Brings the files of one source to their end."""

    source: Source[Item, Content]
    retry_rule: RetryRule = field(default_factory=RetryRule)
    stage: Stage = unmeasured
    watch: Callable[[FileDone], None] = field(default=lambda _done: None)
    """Told of each file as it is done."""

    @property
    def kernel(self) -> KernelTables:
        return self.source.kernel

    @property
    def _endings(self) -> Endings:
        return Endings(self.kernel, self.retry_rule)

    def run_pass(self, locked: LockedConnection, report: PassReport, stopping: Callable[[], bool]) -> None:
        """Brings every due file to its end. Raises a service-wide `TransientError`: no file pays for it."""
        with locked.transaction() as connection:
            self._endings.interrupt(connection)
            self.source.prepare(connection)
        found = self.source.discover(report)
        with locked.transaction() as connection:
            due = self._claim(connection, found, report)
        done = 0
        for group in self.source.groups(due):
            for batch in self._batches(group):
                if stopping():
                    return
                for end in self._bring_to_their_end(locked, batch, report):
                    done += 1
                    self.watch(FileDone(done, len(due), end.records))
            self._conclude(locked, group, report)
        self._conclude(locked, None, report)
        with locked.transaction() as connection:
            self.source.finish(connection)

    def _claim(self, connection: Connection, found: Sequence[Found[Item]], report: PassReport) -> list[Claim[Item]]:
        """Makes all that was found known; what is due, of it and of what the source has no more."""
        by_key = {one.key: one for one in found}
        absent = self.source.reconcile(connection, found)
        known = ledger.known_files(connection, self.kernel, list(by_key))
        known |= ledger.register(connection, self.kernel, [one for key, one in by_key.items() if key not in known])
        claims: list[Claim[Item]] = [Claim(file, None) for file in absent if self._is_due(file, report)]
        claims += [Claim(known[key], one.item) for key, one in by_key.items() if self._is_due(known[key], report)]
        return claims

    def _is_due(self, file: File, report: PassReport) -> bool:
        if file.status == FileStatus.FAILED:
            report.ignore("waits_for_a_person")
            return False
        if file.status not in ledger.WAITING:
            if not self.source.owes_release(file):
                report.ignore("known")
                return False
            return True
        if file.next_attempt_at is not None and file.next_attempt_at > now():
            report.ignore("waits_for_its_retry")
            return False
        return True

    def _batches(self, group: Group[Item]) -> Iterator[Sequence[Claim[Item]]]:
        """As the source puts them together; but where a pass was cut off, the file at fault has to show."""
        for batch in group.batches:
            if any(claim.file.interruptions for claim in batch):
                yield from ([claim] for claim in batch)
            else:
                yield batch

    def _bring_to_their_end(
        self, locked: LockedConnection, batch: Sequence[Claim[Item]], report: PassReport
    ) -> Iterator[End]:
        """Attempts each file that waits for it, and releases those that are done with."""
        waiting = [claim for claim in batch if claim.file.status in ledger.WAITING]
        ends = Attempts(self.source, self._endings, self.stage, locked, report).of(waiting) if waiting else {}
        for claim in batch:
            end = ends.get(claim.file.id, End(None))
            if end.word is not None:
                report.count(end.word)
            is_over = claim.file.id not in ends or end.word in _DONE_WITH
            if is_over and self.source.releases and not self.source.release(locked, claim):
                report.count("delete_pending")
            yield end

    def _conclude(self, locked: LockedConnection, group: Group[Item] | None, report: PassReport) -> None:
        """What the end of the group has decided counts once it is committed."""
        with locked.transaction() as connection:
            statuses = list(self.source.conclude(connection, group))
        for status in statuses:
            report.count(status)
