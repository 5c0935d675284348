"""The folder as a source of scrapes: what one pass does with it, step by step as the engine asks for it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import chain, groupby
from operator import itemgetter

from sqlalchemy.engine import Connection

from shared.core.clock import now
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection
from shared.imports.passes import PassReport
from shared.imports.source import Claim, File, Found, Group, Settlement
from shared.metrics.process import Stage, unmeasured
from shared.words.codes import Code
from shared.words.statuses import FileStatus
from therapist_service.imports import import_tracker
from therapist_service.imports.day_end import conclude_days
from therapist_service.imports.scrape import WHOLE_BYTES, Record, Scrape, read_scrape
from therapist_service.imports.scrape_files import ScrapeFile, ScrapeFolder
from therapist_service.imports.therapist_importer import Audience, apply_if_sound
from therapist_service.models import kernel
from therapist_service.suppressions import settle_keys

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
    _begun: set[date] = field(default_factory=set, init=False)
    _unreadable: list[str] = field(default_factory=list, init=False)

    _at_hand: list[Scrape] = field(default_factory=list, init=False)
    """The scrapes of the batch that is applied."""

    kernel = kernel
    releases = False

    def prepare(self, connection: Connection) -> None:
        self._begun.clear()
        settle_keys(connection)

    def discover(self, report: PassReport) -> list[Found[ScrapeFile]]:
        """Every file that nobody is still writing."""
        moment = now()
        with self.stage("discover"):
            self._unreadable.clear()
            files = self.folder.discover(report.ignore, self._unreadable.append)
        report.counts.update({Code.FOLDER_UNREADABLE.value: len(self._unreadable)} if self._unreadable else {})
        settled = [file for file in files if file.is_settled(self.settle_seconds, moment)]
        if len(settled) < len(files):
            report.ignore("still_being_written", len(files) - len(settled))
            report.look_again_in(self.settle_seconds)
        return [import_tracker.found(file) for file in settled]

    def reconcile(self, connection: Connection, found: Sequence[Found[ScrapeFile]]) -> list[File]:
        import_tracker.know_again(connection, found)
        import_tracker.supersede_older_versions(connection, found)
        import_tracker.tell_of_folders(connection, self._unreadable)
        return []

    def groups(self, due: list[Claim[ScrapeFile]]) -> Iterator[Group[ScrapeFile]]:
        """Day by day, the oldest first, and by postal code within it; small files together, and read while the batch
        before them is applied."""
        days = list(self._days(due))
        following = iter([*[batch for _, batches in days for batch in batches][1:], []])
        with ThreadPoolExecutor(1, thread_name_prefix="scrape-reader") as reader:
            try:
                for day, batches in days:
                    yield Group(self._reading_ahead(reader, batches, following), day)
            finally:
                reader.shutdown(wait=False, cancel_futures=True)
                self._reading.clear()

    def open(self, locked: LockedConnection, claim: Claim[ScrapeFile]) -> Scrape:
        if claim.item is None:
            raise ValueError("a scrape is read from its file")
        reading = self._reading.pop(claim.file.id, None)
        scrape = reading.result() if reading else self._read(claim.item)
        self._begin_day(locked, scrape.envelope.scrape_day)
        self._at_hand.append(scrape)
        return scrape

    def apply(self, connection: Connection, file: File, content: Scrape) -> Settlement:
        own = content.envelope
        others = [
            scrape
            for scrape in self._at_hand
            if scrape.envelope.scrape_day == own.scrape_day and scrape.envelope.zip != own.zip
        ]
        accepted = import_tracker.is_accepted(file)
        settlement = apply_if_sound(
            connection, file.id, self._watched(content), self.audience, others=others, is_accepted=accepted
        )
        stated = own.scrape_moment if own.states_moment else None
        known_by = {"file_hash": content.sha256, "scrape_day": own.scrape_day, "scrape_date": stated}
        return replace(settlement, noted=known_by)

    def size(self, content: Scrape) -> int:
        return content.total

    def owes_release(self, _file: File) -> bool:
        return False

    def release(self, _locked: LockedConnection, _claim: Claim[ScrapeFile]) -> bool:
        return True

    def conclude(self, connection: Connection, group: Group[ScrapeFile] | None) -> list[FileStatus]:
        """The end of a scrape day: who is gone, now that it is known who is listed."""
        return conclude_days(connection, group.day if group else None)

    def finish(self, connection: Connection) -> None:
        """Nothing."""

    def _days(self, due: list[Claim[ScrapeFile]]) -> Iterator[tuple[date, list[Sequence[Claim[ScrapeFile]]]]]:
        """The scrape days with their files, together as far as they are small."""
        moment = now()
        items = [(claim, claim.item) for claim in due if claim.item is not None]
        entries = [(self._order_key(item, moment), claim.file.id, claim) for claim, item in items]
        entries.sort(key=itemgetter(0, 1))
        for day, of_day in groupby(entries, key=lambda entry: entry[0][0]):
            yield day, list(_together(claim for _, _, claim in of_day))

    def _order_key(self, item: ScrapeFile, present: datetime) -> tuple[date, str, datetime]:
        """Where nobody else does, the file of the smallest postal code has the word about a practice."""
        day, moment = self.folder.order_key(item, present)
        return day, item.zip, moment

    def _reading_ahead(
        self,
        reader: Executor,
        batches: Iterable[Sequence[Claim[ScrapeFile]]],
        following: Iterator[Sequence[Claim[ScrapeFile]]],
    ) -> Iterator[Sequence[Claim[ScrapeFile]]]:
        for batch in batches:
            self._read_ahead(reader, batch, next(following))
            self._at_hand.clear()
            yield batch

    def _begin_day(self, locked: LockedConnection, day: date) -> None:
        """Once a pass and day, before anything of it is applied; committed, whatever becomes of the batch."""
        if day not in self._begun:
            with locked.single_statements() as connection:
                import_tracker.begin_day(connection, day)
            self._begun.add(day)

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


def _together(claims: Iterable[Claim[ScrapeFile]]) -> Iterator[Sequence[Claim[ScrapeFile]]]:
    batch: list[Claim[ScrapeFile]] = []
    room = _BATCH_BYTES
    for claim in claims:
        size = claim.item.size if claim.item else 0
        if batch and size > room:
            yield batch
            batch, room = [], _BATCH_BYTES
        batch.append(claim)
        room -= size
    if batch:
        yield batch
