"""One pass over the folder. `run_pass` shows the whole run; what each step knows stands in its own module."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic

from sqlalchemy.engine import Connection

from shared.alerts.outbox import resolve_problem
from shared.core.clock import now
from shared.core.errors import RejectedError, TransientError
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection
from shared.imports import ledger
from shared.imports.ledger import Settlement
from shared.imports.passes import PassReport, Progress
from shared.metrics.process import Stage, unmeasured
from therapist_service.imports import import_tracker
from therapist_service.imports.envelope import plausibility
from therapist_service.imports.fill_rates import keep_fill
from therapist_service.imports.read_ahead import Turn, in_turn
from therapist_service.imports.scrape import Record, Scrape, faults_of, read_scrape
from therapist_service.imports.scrape_files import FileChanging, ScrapeFile, ScrapeFolder
from therapist_service.imports.therapist_importer import Wishes, apply_scrape
from therapist_service.models import kernel

log = get_logger(__name__)


@dataclass(slots=True)
class ScrapeImport:
    """The parts of a pass, put together once per process."""

    folder: ScrapeFolder
    settle_seconds: float
    max_file_bytes: int
    wishes: Wishes
    stage: Stage = unmeasured
    watch: Callable[[Progress], None] = field(default=lambda _progress: None)
    watch_records: Callable[[int, int], None] = field(default=lambda _done, _of: None)
    """Told how many records of the file in hand are done, and of how many: a large one takes minutes."""

    def run_pass(self, locked: LockedConnection, report: PassReport, stopping: Callable[[], bool]) -> None:
        """Walks the folder and brings every due file to its end, oldest scrape first, one transaction each.

        Raises `FolderUnavailable`, or another service-wide `TransientError`: no file pays for it.
        """
        moment = now()
        settled = self._settled(moment, report)
        with locked.transaction() as connection:
            due = import_tracker.register_files(connection, settled, report)
        due.sort(key=lambda entry: self.folder.order_key(entry[1], moment))
        with in_turn(due, self._read) as turns:
            for number, turn in enumerate(turns, start=1):
                if stopping():
                    return
                records = self._attempt(locked, turn, report)
                self.watch(Progress(number, len(due), records))

    def _read(self, file: ScrapeFile) -> Scrape:
        with self.stage("read"):
            return read_scrape(self.folder, file, self.max_file_bytes)

    def _watched(self, scrape: Scrape) -> Scrape:
        def chunks() -> Iterator[list[Record]]:
            done = 0
            for chunk in scrape.chunks():
                yield chunk
                done += len(chunk)
                self.watch_records(done, scrape.total)

        return replace(scrape, chunks=chunks)

    def _settled(self, moment: datetime, report: PassReport) -> list[ScrapeFile]:
        settled = []
        with self.stage("discover"):
            found = self.folder.discover(report.ignore)
        for file in found:
            if file.is_settled(self.settle_seconds, moment):
                settled.append(file)
            else:
                report.ignore("still_being_written")
                report.look_again_in(self.settle_seconds)
        return settled

    def _attempt(self, locked: LockedConnection, turn: Turn, report: PassReport) -> int:
        """One attempt at one file; counts how it ended and returns the number of its records."""
        try:
            status, records = self._end_of_attempt(locked, turn)
        except ledger.Withdrawn:
            status, records = "discarded", 0
        except FileChanging:
            import_tracker.take_back(locked, turn.row["id"])
            report.ignore("still_being_written")
            report.look_again_in(max(self.settle_seconds, 1.0))
            return 0
        report.count(status)
        return records

    def _end_of_attempt(self, locked: LockedConnection, turn: Turn) -> tuple[str, int]:
        """The status that the attempt ended with, and the number of the file's records."""
        import_id = turn.row["id"]
        try:
            import_tracker.begin(locked, import_id)
            return self._import(locked, turn)
        except (FileChanging, ledger.Withdrawn):
            raise
        except RejectedError as error:
            return import_tracker.fail(locked, import_id, error.code, error.findings), 0
        except TransientError as error:
            if error.service_wide:
                import_tracker.take_back(locked, import_id)
                raise
            return import_tracker.postpone_or_fail(locked, import_id, error.code), 0
        except Exception:
            # A fault of the program costs this file its import, never the files behind it theirs.
            log.exception("file_crashed", import_id=import_id)
            return import_tracker.fail(locked, import_id, "internal_error"), 0

    def _import(self, locked: LockedConnection, turn: Turn) -> tuple[str, int]:
        started = monotonic()
        import_id = turn.row["id"]
        scrape = self._watched(turn.read())
        with self.stage("transaction"), locked.transaction() as connection:
            accepted = import_tracker.count_is_accepted(turn.row)
            settlement = apply_if_sound(
                connection, import_id, scrape, self.wishes, turn.read_ahead, count_is_accepted=accepted
            )
            duration = round((monotonic() - started) * 1000)
            known_by = {"file_hash": scrape.sha256, "scrape_date": scrape.envelope.scrape_moment}
            import_tracker.settle(connection, import_id, replace(settlement, duration_ms=duration), **known_by)
            if turn.row["attempts"] and settlement.status != "failed":
                resolve_problem(connection, kernel, import_tracker.fingerprint(import_id))
            turn.read_ahead()
        log.info("file_imported", import_id=import_id, status=settlement.status, duration_ms=duration)
        return settlement.status, scrape.total


def apply_if_sound(
    connection: Connection,
    import_id: int,
    scrape: Scrape,
    wishes: Wishes,
    meanwhile: Callable[[], None] = lambda: None,
    *,
    count_is_accepted: bool = False,
) -> Settlement:
    """Applies the scrape in the caller's transaction, or says why nothing of it is applied.

    `meanwhile` begins what can be done while the database is busy. `count_is_accepted`: a person has seen that there
    are far fewer records than usual.
    """
    envelope = scrape.envelope
    before = import_tracker.applied_before(connection, import_id, scrape.sha256, envelope.zip)
    needless = before.why_needless(envelope)
    if needless:
        return Settlement("skipped", needless)
    usual = () if count_is_accepted else before.usual_counts
    implausible = plausibility(scrape.valid, scrape.invalid, usual)
    if implausible:
        ledger.write_findings(connection, kernel, import_id, faults_of(scrape))
        return Settlement("failed", implausible)
    keep_fill(connection, envelope, scrape.fill)
    return apply_scrape(connection, import_id, scrape, wishes, meanwhile, is_first=not before.usual_counts)
