"""The next file is read while the database is busy with the one before it: the one computes, the other waits."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy.engine import RowMapping

from therapist_service.imports.import_tracker import Due
from therapist_service.imports.scrape import WHOLE_BYTES, Scrape
from therapist_service.imports.scrape_files import ScrapeFile

Read = Callable[[ScrapeFile], Scrape]


class Turn:
    """One due file, and what can be read of the one behind it."""

    def __init__(self, row: RowMapping, file: ScrapeFile, upcoming: ScrapeFile | None, reader: "_Reader") -> None:
        self.row = row
        self._file = file
        self._upcoming = upcoming
        self._reader = reader

    def read(self) -> Scrape:
        """The scrape in the file. Raises what reading raises."""
        return self._reader.take(self._file)

    def read_ahead(self) -> None:
        """Begins to read the file behind this one, if there is one and it is small. The second call does nothing."""
        # What could exhaust the process is read only once its attempt is counted, or it would be tried for ever.
        if self._upcoming is not None and self._upcoming.size <= WHOLE_BYTES:
            self._reader.start(self._upcoming)
            self._upcoming = None


@contextmanager
def in_turn(due: Sequence[Due], read: Read) -> Iterator[Iterator[Turn]]:
    """The due files in their order. At the end of the block nothing is being read any more."""
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        reader = _Reader(thread, read)
        behind = [*(file for _, file in due[1:]), None]
        yield (Turn(row, file, upcoming, reader) for (row, file), upcoming in zip(due, behind, strict=False))


@dataclass(slots=True)
class _Reader:
    thread: ThreadPoolExecutor
    read: Read
    started: tuple[ScrapeFile, Future[Scrape]] | None = None

    def start(self, file: ScrapeFile) -> None:
        # A process about to end takes no more work; whoever's turn it is, reads for itself.
        with suppress(RuntimeError):
            self.started = file, self.thread.submit(self.read, file)

    def take(self, file: ScrapeFile) -> Scrape:
        if self.started is not None and self.started[0] == file:
            return self.started[1].result()
        return self.read(file)
