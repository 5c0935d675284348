"""The folder as a source of scrapes: what one pass does with it, step by step as the engine asks for it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import chain, pairwise
from operator import itemgetter

from sqlalchemy.engine import Connection

from shared.core.clock import now
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection
from shared.imports.passes import PassReport
from shared.imports.source import Claim, File, Found, Settlement
from shared.metrics.process import Stage, unmeasured
from therapist_service.imports import import_tracker
from therapist_service.imports.scrape import WHOLE_BYTES, Record, Scrape, read_scrape
from therapist_service.imports.scrape_files import ScrapeFile, ScrapeFolder
from therapist_service.imports.therapist_importer import Audience, apply_if_sound
from therapist_service.models import kernel

log = get_logger(__name__)

_BATCH_BYTES = 640 * 1024
"""About a thousand records: what is read and written together."""


@dataclass(slots=True)
class ScrapeSource:
    """Walks the folder, reads a scrape and applies it. Files stay where they are."""

    folder: ScrapeFolder
    settle_seconds: float
    max_file_bytes: int
    audience: Audience
    stage: Stage = unmeasured
    watch_records: Callable[[int, int], None] = field(default=lambda _done, _of: None)
    """Told how many records of the file in hand are done, and of how many: a large one takes minutes."""
    _reading: dict[int, Future[Scrape]] = field(default_factory=dict, init=False)
    """Small files that are being read or have been, by their number."""

    _at_hand: list[Scrape] = field(default_factory=list, init=False)
    """The scrapes of the batch that is applied."""

    kernel = kernel
    releases = False

    def prepare(self, connection: Connection) -> None:
        """Nothing."""

    def discover(self, report: PassReport) -> list[Found[ScrapeFile]]:
        """Every file that nobody is still writing."""
        moment = now()
        with self.stage("discover"):
            files = self.folder.discover(report.ignore)
        settled = [file for file in files if file.is_settled(self.settle_seconds, moment)]
        if len(settled) < len(files):
            report.ignore("still_being_written", len(files) - len(settled))
            report.look_again_in(self.settle_seconds)
        return [import_tracker.found(file) for file in settled]

    def reconcile(self, connection: Connection, found: Sequence[Found[ScrapeFile]]) -> list[File]:
        import_tracker.supersede_older_versions(connection, found)
        return []

    def batches(self, due: list[Claim[ScrapeFile]]) -> Iterator[Sequence[Claim[ScrapeFile]]]:
        """Oldest scrape day first, and by postal code within it; small files of one day together, and read while the
        batch before them is applied."""
        with ThreadPoolExecutor(1, thread_name_prefix="scrape-reader") as reader:
            try:
                for present, following in pairwise([*self._together(due), []]):
                    self._read_ahead(reader, present, following)
                    self._at_hand.clear()
                    yield present
            finally:
                reader.shutdown(wait=False, cancel_futures=True)
                self._reading.clear()

    def open(self, _locked: LockedConnection, claim: Claim[ScrapeFile]) -> Scrape:
        if claim.item is None:
            raise ValueError("a scrape is read from its file")
        reading = self._reading.pop(claim.file.id, None)
        scrape = reading.result() if reading else self._read(claim.item)
        self._at_hand.append(scrape)
        return scrape

    def apply(self, connection: Connection, file: File, content: Scrape) -> Settlement:
        accepted = import_tracker.count_is_accepted(file)
        own = content.envelope
        others = [
            scrape
            for scrape in self._at_hand
            if scrape.envelope.scrape_day == own.scrape_day and scrape.envelope.zip != own.zip
        ]
        settlement = apply_if_sound(
            connection, file.id, self._watched(content), self.audience, others=others, count_is_accepted=accepted
        )
        known_by = {"file_hash": content.sha256, "scrape_date": content.envelope.scrape_moment}
        return replace(settlement, noted=known_by)

    def size(self, content: Scrape) -> int:
        return content.total

    def owes_release(self, _file: File) -> bool:
        return False

    def release(self, _locked: LockedConnection, _claim: Claim[ScrapeFile]) -> bool:
        return True

    def finish(self, connection: Connection) -> None:
        """Nothing."""

    def _together(self, due: list[Claim[ScrapeFile]]) -> Iterator[list[Claim[ScrapeFile]]]:
        moment = now()
        items = [(claim, claim.item) for claim in due if claim.item is not None]
        entries = [(self._order_key(item, moment), item.size, claim) for claim, item in items]
        batch: list[Claim[ScrapeFile]] = []
        day, room = None, 0
        for (scraped_on, *_), size, claim in sorted(entries, key=itemgetter(0)):
            if batch and (scraped_on != day or size > room):
                yield batch
                batch = []
            day, room = scraped_on, (room if batch else _BATCH_BYTES) - size
            batch.append(claim)
        if batch:
            yield batch

    def _order_key(self, item: ScrapeFile, present: datetime) -> tuple[date, str, datetime, str]:
        """Where nobody else does, the file of the smallest postal code has the word about a practice."""
        moment, path = self.folder.order_key(item, present)
        return moment.date(), item.zip, moment, path

    def _read_ahead(self, reader: Executor, *batches: Sequence[Claim[ScrapeFile]]) -> None:
        """Begins to read the small files; none once a file has cut off a pass, so that each answers for itself."""
        for claim in chain.from_iterable(batches):
            if claim.file.interruptions:
                return
            if claim.item is not None and claim.item.size <= WHOLE_BYTES and claim.file.id not in self._reading:
                self._reading[claim.file.id] = reader.submit(self._read, claim.item)

    def _read(self, item: ScrapeFile) -> Scrape:
        with self.stage("read"):
            return read_scrape(self.folder, item, self.max_file_bytes)

    def _watched(self, scrape: Scrape) -> Scrape:
        def chunks() -> Iterator[list[Record]]:
            done = 0
            for chunk in scrape.chunks():
                yield chunk
                done += len(chunk)
                self.watch_records(done, scrape.total)

        return replace(scrape, chunks=chunks)
