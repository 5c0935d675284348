"""Attempts at files: how one ends is decided here, once, by the class of its failure.

What the file is at fault for waits for a person. What the world is at fault for is tried again. An outage ends the pass
and costs no file an attempt, until it has cut off three passes in a row at the same file. A fault of the program costs
this file its import, never the files behind it theirs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import Generic

from sqlalchemy.engine import Connection

from shared.core.clock import now
from shared.core.errors import CuravaniError, Finding, NotYet, RejectedError, TransientError, TryAgain
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection
from shared.imports import ledger
from shared.imports.endings import Endings
from shared.imports.ledger import Withdrawn
from shared.imports.passes import PassReport
from shared.imports.records import write_findings
from shared.imports.source import Claim, Content, Item, Settlement, Source, SourceGone
from shared.metrics.process import Stage
from shared.words.statuses import FileStatus

log = get_logger(__name__)

_TRIES = 3
"""So often a transaction is tried that the database undoes for another one's sake (SQLSTATE class 40)."""


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended: the word that the pass counts it by, and the file's records.

    No word where the attempt did not happen, or where the end of the file's group says the last one.
    """

    word: str | None
    records: int = 0


@dataclass(frozen=True, slots=True)
class _Opened(Generic[Item, Content]):
    claim: Claim[Item]
    content: Content
    seconds: float

    @property
    def id(self) -> int:
        return self.claim.file.id


@dataclass(slots=True)
class Attempts(Generic[Item, Content]):
    """One attempt at each file of a batch: applied in one transaction, or one by one where that does not work."""

    source: Source[Item, Content]
    endings: Endings
    stage: Stage
    locked: LockedConnection
    report: PassReport

    def of(self, claims: Sequence[Claim[Item]]) -> dict[int, End]:
        """How each ended, by the file's number. Raises a service-wide `TransientError`."""
        with self.locked.single_statements() as connection:
            begun = ledger.begin(connection, self.source.kernel, [claim.file.id for claim in claims])
        batch = _Batch(self, begun)
        batch.ends = {claim.file.id: End(FileStatus.DISCARDED) for claim in claims if claim.file.id not in begun}
        opened = [one for claim in claims if claim.file.id in begun and (one := batch.open(claim)) is not None]
        if len(opened) > 1:
            batch.apply_together(opened)
        for one in opened:
            if one.id not in batch.ends:
                batch.apply_alone(one)
        return batch.ends


class _Batch(Generic[Item, Content]):
    """The attempts of one batch, begun and not yet all ended."""

    def __init__(self, parts: Attempts[Item, Content], begun: dict[int, int]) -> None:
        self.ends: dict[int, End] = {}
        self._begun = begun
        self._source = parts.source
        self._endings = parts.endings
        self._stage = parts.stage
        self._locked = parts.locked
        self._report = parts.report

    def open(self, claim: Claim[Item]) -> _Opened[Item, Content] | None:
        """The file's content; None where the attempt has ended with that."""
        started = monotonic()
        with self._ending(claim):
            return _Opened(claim, self._source.open(self._locked, claim), monotonic() - started)
        return None

    def apply_together(self, opened: Sequence[_Opened[Item, Content]]) -> None:
        """Applies all, or none where one of them keeps the others from it: alone, each shows whether it is the one."""
        try:
            self._apply(opened)
        except TransientError as error:
            if error.service_wide:
                self._interrupt(error)
        except RejectedError as error:
            log.info("batch_undone", number=len(opened), code=error.code)
        except Exception:
            log.exception("batch_undone", number=len(opened))

    def apply_alone(self, one: _Opened[Item, Content]) -> None:
        with self._ending(one.claim):
            self._apply([one])

    def _apply(self, opened: Sequence[_Opened[Item, Content]]) -> None:
        for remaining in reversed(range(_TRIES)):
            try:
                with self._stage("transaction"), self._locked.transaction() as connection:
                    ends = self._apply_all(connection, opened)
            except TryAgain:
                if not remaining:
                    raise
            else:
                self.ends |= ends
                return

    def _apply_all(self, connection: Connection, opened: Sequence[_Opened[Item, Content]]) -> dict[int, End]:
        started = monotonic()
        settlements = self._source.apply(connection, [(one.claim.file, one.content) for one in opened])
        # Together they took so long; each is given its share.
        share = (monotonic() - started) / len(opened)
        settled = {
            one.id: replace(settlement, duration_ms=round((one.seconds + share) * 1000))
            for one, settlement in zip(opened, settlements, strict=True)
        }
        self._endings.settle_all(connection, settled)
        for one in opened:
            settlement = settled[one.id]
            if settlement.status != FileStatus.FAILED:
                if one.claim.file.attempts:
                    self._endings.heal(connection, one.id)
                log.info(
                    "file_imported", import_id=one.id, status=settlement.status, duration_ms=settlement.duration_ms
                )
        return {
            one.id: End(settled[one.id].status if settled[one.id].final else None, self._source.size(one.content))
            for one in opened
        }

    @contextmanager
    def _ending(self, claim: Claim[Item]) -> Iterator[None]:
        """What fails within the block ends this file's attempt; only an outage goes on, and ends the pass."""
        try:
            yield
        except Withdrawn:
            self.ends[claim.file.id] = End(FileStatus.DISCARDED)
        except NotYet as wait:
            self._take_back(claim, wait)
        except SourceGone as gone:
            self._settle(claim, Settlement(FileStatus.SKIPPED, gone.code, noted={"source_deleted_at": now()}), "gone")
        except RejectedError as error:
            self._settle(claim, Settlement(FileStatus.FAILED, error.code, noted=error.noted), findings=error.findings)
        except TransientError as error:
            if error.service_wide:
                self._interrupt(error)
            else:
                self._put_off(claim, error.code)
        except Exception:
            log.exception("file_crashed", import_id=claim.file.id)
            self._settle(claim, Settlement(FileStatus.FAILED, CuravaniError.code))

    def _settle(
        self, claim: Claim[Item], settlement: Settlement, word: str | None = None, findings: Sequence[Finding] = ()
    ) -> None:
        """Ends the file's attempt in a transaction of its own, with what is told of it."""
        with self._closing(claim) as connection:
            write_findings(connection, self._source.kernel, claim.file.id, findings)
            self._endings.settle(connection, claim.file.id, settlement)
            if settlement.status != FileStatus.FAILED:
                self._endings.heal(connection, claim.file.id)
            self.ends[claim.file.id] = End(word or settlement.status)

    def _put_off(self, claim: Claim[Item], code: str) -> None:
        with self._closing(claim) as connection:
            status = self._endings.put_off(connection, claim.file.id, code, self._begun[claim.file.id])
            self.ends[claim.file.id] = End(status)

    def _take_back(self, claim: Claim[Item], wait: NotYet) -> None:
        with self._closing(claim) as connection:
            ledger.take_back(connection, self._source.kernel, claim.file.id)
        self._report.ignore(wait.reason)
        self._report.look_again_in(wait.seconds)
        self.ends[claim.file.id] = End(None)

    @contextmanager
    def _closing(self, claim: Claim[Item]) -> Iterator[Connection]:
        try:
            with self._locked.transaction() as connection:
                yield connection
        except Withdrawn:
            self.ends[claim.file.id] = End(FileStatus.DISCARDED)

    def _interrupt(self, error: TransientError) -> None:
        """Ends the pass for an outage; a file at which that happened for the third time in a row is put off instead.

        Where the database cannot be told, the next pass finds the attempts without an end.
        """
        left = [import_id for import_id in self._begun if import_id not in self.ends]
        put_off: dict[int, FileStatus] = {}
        with suppress(TransientError), self._locked.transaction() as connection:
            put_off = self._endings.interrupt(connection, left)
        self.ends |= {import_id: End(status) for import_id, status in put_off.items()}
        if len(put_off) < len(left):
            raise error
