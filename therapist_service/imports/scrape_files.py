"""The scraper's folder: which files are candidates, and reading them without being fooled by one still being written.

Candidates are `ZIP.json` in the root and in folders named after a date, `YYYYMMDD`. Everything else is counted by
reason, so that a file that nobody reads is at least seen.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

from shared.core.errors import NotYet, TransientError
from shared.words.codes import Code
from therapist_service.imports.envelope import Dating

_FILE = re.compile(r"([0-9]{4,5})\.json")
_FOLDER = re.compile(r"[0-9]{8}")
_SCRAPE_DATE = re.compile(rb'"scrape_date"\s*:\s*"([^"]{10,40})"')
_HEAD_BYTES = 4096


class FolderUnavailable(TransientError):
    """The import folder is missing or may not be read."""

    code = Code.FOLDER_UNAVAILABLE
    service_wide = True


class FileUnreadable(TransientError):
    """One file may not be read just now; the others may."""

    code = Code.FILE_UNREADABLE


class FileChanging(NotYet):
    """The file changed while it was read: somebody is still writing it."""

    def __init__(self) -> None:
        super().__init__("still_being_written", seconds=1.0)


@dataclass(frozen=True, slots=True)
class ScrapeFile:
    """A candidate as the folder shows it. `path` is relative to the root; `modified_ns` its time of modification."""

    path: str
    zip: str
    folder_date: date | None
    size: int
    modified_ns: int
    changed_ns: int

    @property
    def version(self) -> str:
        """Tells the versions of a path apart without reading them. The time of modification can be set back, as tools
        that copy do, the time of change cannot."""
        return f"{self.size}:{self.modified_ns}:{self.changed_ns}"

    @property
    def is_padded(self) -> bool:
        """Whether the name lacks the zero that its postal code begins with."""
        return not Path(self.path).name.startswith(self.zip)

    @property
    def modified(self) -> datetime:
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)

    def dating(self, present: datetime) -> Dating:
        """What dates the scrape in it, besides its own word."""
        return Dating(self.folder_date, self.modified, present)

    def is_settled(self, seconds: float, moment: datetime) -> bool:
        """Whether nobody has written to it for so long. A time in the future says nothing and counts as settled."""
        return not 0 <= (moment - self.modified).total_seconds() < seconds


def single_file(path: Path) -> ScrapeFile | None:
    """The file as a candidate of a folder of its own; None if its name is not `ZIP.json`. Raises `OSError`."""
    name = _FILE.fullmatch(path.name)
    if name is None:
        return None
    status = path.stat()
    return _scrape_file(path.name, name[1], _date_of(path.absolute().parent.name), status)


class ScrapeFolder:
    """The folder below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def check(self) -> None:
        """Raises `FolderUnavailable` where the root cannot be listed, without walking through it."""
        try:
            _entries(self._root.resolve(strict=True))
        except OSError:
            raise FolderUnavailable from None

    def discover(
        self, ignore: Callable[[str], None], unreadable: Callable[[str], None] = lambda _name: None
    ) -> list[ScrapeFile]:
        """Every candidate; `ignore` is told the reason for each thing left alone, `unreadable` the name of each dated
        folder that may not be read. Raises `FolderUnavailable` where that is the root."""
        try:
            real_root = self._root.resolve(strict=True)
            found = list(_candidates(real_root, real_root, None, ignore))
            folders = list(_dated_folders(real_root, ignore))
        except OSError:
            raise FolderUnavailable from None
        for folder, folder_date in folders:
            try:
                found += list(_candidates(real_root, folder, folder_date, ignore))
            except FileNotFoundError:
                ignore("other_folder")  # gone since the root was listed
            except OSError:
                unreadable(folder.name)
        return found

    def order_key(self, file: ScrapeFile, present: datetime) -> tuple[date, datetime]:
        """Sorts candidates by their scrape day, and within it by when they were made, as the first bytes have it; the
        whole file decides later. Those that do not say so are sorted by the file's time, which is their arrival."""
        stated = None
        try:
            with (self._root / file.path).open("rb") as opened:
                stated = _SCRAPE_DATE.search(opened.read(_HEAD_BYTES))
        except OSError:
            pass  # whoever reads the whole file says so
        scraped = file.dating(present).of(stated and stated[1].decode("ascii", "replace"))
        return scraped.day, scraped.moment if scraped.is_stated else file.modified

    def read(self, file: ScrapeFile) -> tuple[bytes, str]:
        """The whole file and its SHA-256. Raises `FileUnreadable` or `FileChanging`."""
        with self.opened(file) as opened:
            data = opened.read()
        return data, hashlib.sha256(data).hexdigest()

    @contextmanager
    def opened(self, file: ScrapeFile) -> Iterator[BinaryIO]:
        """The file, open for reading. Raises `FileUnreadable`, or `FileChanging` if it is another one at the end."""
        try:
            with (self._root / file.path).open("rb") as opened:
                yield opened
                status = os.fstat(opened.fileno())
        except OSError:
            raise FileUnreadable from None
        if _scrape_file(file.path, file.zip, file.folder_date, status) != file:
            raise FileChanging


def _scrape_file(path: str, zip_code: str, folder_date: date | None, status: os.stat_result) -> ScrapeFile:
    times = status.st_mtime_ns, status.st_ctime_ns
    return ScrapeFile(path, zip_code.zfill(5), folder_date, status.st_size, *times)


def _candidates(
    root: Path, folder: Path, folder_date: date | None, ignore: Callable[[str], None]
) -> Iterator[ScrapeFile]:
    below = "" if folder == root else f"{folder.relative_to(root)}/"
    for entry in _entries(folder):
        name = _FILE.fullmatch(entry.name)
        if _is_folder(entry):
            # Those in the root are looked at, and counted, as folders.
            if folder_date is not None:
                ignore("other_folder")
        elif name is None:
            ignore("other_name")
        elif not _stays_below(root, entry):
            ignore("leaves_the_folder")
        elif not (status := _status(entry)):
            ignore("no_regular_file")
        else:
            yield _scrape_file(below + entry.name, name[1], folder_date, status)


def _dated_folders(root: Path, ignore: Callable[[str], None]) -> Iterator[tuple[Path, date]]:
    for entry in _entries(root):
        if not _is_folder(entry):
            continue
        day = _date_of(entry.name)
        if day is None:
            ignore("other_folder")
        elif not _stays_below(root, entry):
            ignore("leaves_the_folder")
        else:
            yield Path(entry.path), day


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


# One entry that is a circle of links, or gone since the folder was listed, must not keep the others from being read.
def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """The file's status, None where there is no regular file. Raises `PermissionError`: its folder's trouble."""
    try:
        return entry.stat() if entry.is_file() else None
    except PermissionError:
        raise
    except OSError:
        return None


def _stays_below(root: Path, entry: os.DirEntry[str]) -> bool:
    return not entry.is_symlink() or Path(os.path.realpath(entry.path)).is_relative_to(root)


def _date_of(name: str) -> date | None:
    if not _FOLDER.fullmatch(name):
        return None
    try:
        return date(int(name[:4]), int(name[4:6]), int(name[6:]))
    except ValueError:
        return None
