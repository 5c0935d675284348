"""Writing down how attempts end, and telling people of what waits for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from shared.alerts.outbox import raise_problem, resolve_problem
from shared.core.logs import get_logger
from shared.database.tables import KernelTables
from shared.imports import ledger
from shared.imports.ledger import file_fingerprint
from shared.imports.retry import RetryRule
from shared.imports.source import Settlement
from shared.words.codes import Code
from shared.words.statuses import FileStatus

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Endings:
    """How the attempts at one source's files are ended. Each method works in the caller's transaction.

    Each raises `Withdrawn` where a person has discarded the file since its attempt began.
    """

    kernel: KernelTables
    retry_rule: RetryRule

    def settle(self, connection: Connection, import_id: int, settlement: Settlement) -> None:
        """The end that the source, or the file's own fault, has led to. A failure is told to people, once."""
        self.settle_all(connection, {import_id: settlement})

    def settle_all(self, connection: Connection, settlements: Mapping[int, Settlement]) -> None:
        """The same of several files together."""
        ledger.settle_all(connection, self.kernel, settlements)
        for import_id, settlement in settlements.items():
            if settlement.status == FileStatus.FAILED:
                code, fingerprint = str(settlement.error_code), file_fingerprint(self.kernel, import_id)
                raise_problem(connection, self.kernel, code=code, fingerprint=fingerprint, import_id=import_id)
                log.error("file_failed", import_id=import_id, code=code)

    def put_off(self, connection: Connection, import_id: int, code: str, attempts: int) -> FileStatus:
        """The world's fault: tried again later, until the attempts of this round are used up."""
        delay = self.retry_rule.delay_after(attempts)
        if delay is None:
            self.settle(connection, import_id, Settlement(FileStatus.FAILED, code))
            return FileStatus.FAILED
        ledger.postpone(connection, self.kernel, import_id, code, delay)
        log.warning("file_postponed", import_id=import_id, code=code, attempts=attempts)
        return FileStatus.RETRYING

    def interrupt(self, connection: Connection, import_ids: Sequence[int] | None = None) -> dict[int, FileStatus]:
        """Attempts that nobody goes on with, at these files or at all: their pass was cut off.

        It costs them nothing, but for the files at which it has happened three times in a row: those are put off, and
        returned.
        """
        paying = ledger.interrupt(connection, self.kernel, import_ids)
        return {
            import_id: self.put_off(connection, import_id, Code.INTERRUPTED, attempts)
            for import_id, attempts in paying.items()
        }

    def heal(self, connection: Connection, import_id: int) -> None:
        """The file's trouble is over; who was told of it is told so."""
        resolve_problem(connection, self.kernel, file_fingerprint(self.kernel, import_id))
