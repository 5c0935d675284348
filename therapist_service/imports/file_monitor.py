"""The folder as a source of scrapes: what one pass does with it, step by step as the engine asks for it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import groupby
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
from therapist_service.imports.batches import FileToApply, apply_scrapes
from therapist_service.imports.catching_up import catch_up
from therapist_service.imports.day_end import conclude_days
from therapist_service.imports.files_to_come import FilesToCome
from therapist_service.imports.scrape import Record, Scrape, read_scrape
from therapist_service.imports.scrape_files import ScrapeFile, ScrapeFolder
from therapist_service.imports.therapist_importer import Audience
from therapist_service.models import kernel
from therapist_service.suppressions import settle_keys

log = get_logger(__name__)


@dataclass(slots=True)
class ScrapeSource:
    """Walks the folder, reads a scrape and applies it. Files stay where they are."""

    folder: ScrapeFolder
    settle_seconds: float
    max_file_bytes: int
    audience: Audience
    stage: Stage = unmeasured
    batch_bytes: int = 640 * 1024
    """About a thousand records: what is read and written together."""
    watch_records: Callable[[int, int], None] = field(default=lambda _done, _of: None)
    """Told how many records of the file in hand are done, and of how many: a large one takes minutes."""
    _begun: set[date] = field(default_factory=set, init=False)
    _unreadable: list[str] = field(default_factory=list, init=False)

    _at_hand: list[Scrape] = field(default_factory=list, init=False)
    """The scrapes of the batch that is applied."""
    _to_come: FilesToCome | None = field(default=None, init=False)
    """The other files of its day."""

    kernel = kernel
    releases = False

    def prepare(self, connection: Connection) -> None:
        self._begun.clear()
        settle_keys(connection)
        catch_up(connection)

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
        """Day by day, the oldest first, and by postal code within it; small files together."""
        moment = now()
        items = [(claim, claim.item) for claim in due if claim.item is not None]
        entries = [(self._order_key(item, moment), claim.file.id, claim) for claim, item in items]
        entries.sort(key=itemgetter(0, 1))
        for day, of_day in groupby(entries, key=lambda entry: entry[0][0]):
            yield Group(self._batches([claim for _, _, claim in of_day], day), day)

    def open(self, locked: LockedConnection, claim: Claim[ScrapeFile]) -> Scrape:
        if claim.item is None:
            raise ValueError("a scrape is read from its file")
        with self.stage("read"):
            kept = self._to_come.arrive(claim.item) if self._to_come else None
            scrape = kept or read_scrape(self.folder, claim.item, self.max_file_bytes)
        self._begin_day(locked, scrape.envelope.scrape_day)
        self._at_hand.append(scrape)
        return scrape

    def apply(self, connection: Connection, opened: Sequence[tuple[File, Scrape]]) -> list[Settlement]:
        files = [
            FileToApply(file.id, self._watched(scrape), import_tracker.is_accepted(file)) for file, scrape in opened
        ]
        settlements = apply_scrapes(connection, files, self.audience, self._at_hand, self._to_come)
        return [
            replace(settlement, noted=import_tracker.known_by(scrape.sha256, scrape.envelope))
            for settlement, (_, scrape) in zip(settlements, opened, strict=True)
        ]

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

    def _order_key(self, item: ScrapeFile, present: datetime) -> tuple[date, str, datetime]:
        """Where nobody else does, the file of the smallest postal code has the word about a practice."""
        day, moment = self.folder.order_key(item, present)
        return day, item.zip, moment

    def _batches(self, claims: Sequence[Claim[ScrapeFile]], day: date) -> Iterator[Sequence[Claim[ScrapeFile]]]:
        files = [claim.item for claim in claims if claim.item]
        self._to_come = FilesToCome(self.folder, day, files, self.max_file_bytes)
        for batch in _together(claims, self.batch_bytes):
            self._at_hand.clear()
            yield batch

    def _begin_day(self, locked: LockedConnection, day: date) -> None:
        """Once a pass and day, before anything of it is applied; committed, whatever becomes of the batch."""
        if day not in self._begun:
            with locked.single_statements() as connection:
                import_tracker.begin_day(connection, day)
            self._begun.add(day)

    def _watched(self, scrape: Scrape) -> Scrape:
        def chunks() -> Iterator[list[Record]]:
            done = 0
            for chunk in scrape.chunks():
                yield chunk
                done += len(chunk)
                self.watch_records(done, scrape.total)

        return replace(scrape, chunks=chunks)


def _together(claims: Iterable[Claim[ScrapeFile]], batch_bytes: int) -> Iterator[Sequence[Claim[ScrapeFile]]]:
    """Small files together, but no two of one postal code: what becomes of the second depends on the first."""
    batch: dict[str, Claim[ScrapeFile]] = {}
    room = batch_bytes
    for claim in claims:
        size, zip_code = (claim.item.size, claim.item.zip) if claim.item else (0, "")
        if batch and (size > room or zip_code in batch):
            yield list(batch.values())
            batch, room = {}, batch_bytes
        batch[zip_code] = claim
        room -= size
    if batch:
        yield list(batch.values())
