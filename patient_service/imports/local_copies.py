"""The local copies of registrations: durable before any import, never overwritten, safe for any object name.

Layout below the root: `YYYY/MM/<generation>_<digest of bucket and name>.json`, folders `0700`, files `0600`; year and
month are the generation's. An object's name holds a person's name and arbitrary characters, so it is not part of the
path; the ledger knows which file is whose.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from shared.core.errors import DiskUnavailable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_GENERATION = 10**17
"""Generations are microseconds since 1970 with Google, and may be any number elsewhere."""
_ERASURES = "erasures.jsonl"
_LEAST_ROOM_BYTES = 16 * 1024 * 1024
"""A few registrations of the largest size."""


class LocalCopies:
    """The folder of the copies. Paths given and taken are relative to it, as the ledger keeps them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def ensure_root(self, *, copies_expected: bool) -> None:
        """Makes the folder on a fresh installation.

        Where copies were written before, a missing folder is a volume that is not mounted: writing beside it would put
        the copies where no backup looks. Raises `DiskUnavailable`.
        """
        with _disk_errors():
            if not self._root.is_dir():
                if copies_expected:
                    raise DiskUnavailable
                self._root.mkdir(mode=0o700, parents=True)

    def check(self, *, copies_expected: bool) -> None:
        """Makes nothing. Raises `DiskUnavailable` where a copy could not be written, or where the volume is missing."""
        with _disk_errors():
            there = next(entry for entry in (self._root, *self._root.parents) if entry.exists())
            missing = there != self._root and copies_expected
            writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
            if missing or not writable or shutil.disk_usage(there).free < _LEAST_ROOM_BYTES:
                raise DiskUnavailable

    def path_for(self, bucket: str, name: str, generation: int) -> str:
        """The relative path of this generation's copy; the same for every attempt, whatever happened to the object."""
        digest = hashlib.sha256(f"{bucket}\x00{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        uploaded = _EPOCH + timedelta(microseconds=generation if 0 <= generation < _LAST_GENERATION else 0)
        return str(PurePosixPath(f"{uploaded:%Y}", f"{uploaded:%m}", f"{generation}_{digest}.json"))

    def free_path(self, path: str, data: bytes) -> str:
        """Where a copy with these bytes can be: the path, or one beside it where that has other bytes.

        A copy that was damaged later is never overwritten. Raises `DiskUnavailable`.
        """
        if self.read(path) in (None, data):
            return path
        return f"{path.removesuffix('.json')}_{hashlib.sha256(data).hexdigest()[:16]}.json"

    def read(self, path: str) -> bytes | None:
        """The copy's bytes, or None if there is none. Raises `DiskUnavailable` where it cannot be told."""
        with _disk_errors():
            try:
                return self._absolute(path).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, path: str, data: bytes) -> None:
        """Makes the copy durable: when this returns, it survives a power cut. An existing copy is kept as it is.

        Raises `DiskUnavailable`.
        """
        with _disk_errors():
            target = self._absolute(path)
            if target.exists():
                # It may stand there since a kill between the rename and the moment that made it durable.
                _sync_folder(target.parent)
                return
            self._make_folders(target.parent)
            partial = _partial(target)
            try:
                _write_durably(partial, data)
                partial.rename(target)
                _sync_folder(target.parent)
            except BaseException:
                with suppress(OSError):
                    partial.unlink()
                raise

    def remove(self, path: str) -> bool:
        """Removes every copy of the generation for an erasure; False if there was none. Raises `DiskUnavailable`.

        Beside the one at `path` there may be a damaged one, one that a killed process left unfinished, and one in the
        folder of another month. A missing root is a volume that is not mounted: the copies on it are not gone.
        """
        stem = stem_of(path)
        with _disk_errors():
            if not self._root.is_dir():
                raise DiskUnavailable
            found = [copy for copy in self._all() if stem_of(copy.name) == stem]
            for copy in found:
                copy.unlink(missing_ok=True)
            for folder in {copy.parent for copy in found}:
                _sync_folder(folder)
            return bool(found)

    def older_than(self, moment: datetime) -> list[str]:
        """The paths of all copies, unfinished ones too, that were written before then. Raises `DiskUnavailable`."""
        with _disk_errors():
            if not self._root.is_dir():
                return []
            found = [copy for copy in self._all() if copy.stat().st_mtime < moment.timestamp()]
            return sorted(copy.relative_to(self._root).as_posix() for copy in found)

    def keep_erasures(self, lines: Sequence[str]) -> None:
        """Appends lines to the list of erasures, which outlives a restore of the database. Raises `DiskUnavailable`."""
        if not lines:
            return
        with _disk_errors():
            if not self._root.is_dir():
                raise DiskUnavailable
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._root / _ERASURES, flags, 0o600)
            with os.fdopen(descriptor, "a", encoding="ascii") as file:
                # A line that a crash cut off must not take the next one with it.
                file.write("".join(f"\n{line}" for line in lines) + "\n")
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(self._root)

    def erasures(self) -> list[str]:
        """The lines kept so far, without empty ones. Raises `DiskUnavailable`."""
        with _disk_errors():
            try:
                text = (self._root / _ERASURES).read_text(encoding="ascii", errors="replace")
            except FileNotFoundError:
                return []
        return [line for line in text.splitlines() if line]

    def _all(self) -> Iterator[Path]:
        return (entry for entry in self._root.glob("*/*/*") if entry.is_file())

    def _absolute(self, path: str) -> Path:
        return self._root / path

    def _make_folders(self, folder: Path) -> None:
        path = [folder, *folder.parents]
        missing = [entry for entry in path[: path.index(self._root)] if not entry.is_dir()]
        for entry in reversed(missing):
            entry.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(entry.parent)


def stem_of(path: str) -> str:
    """What all copies of one generation of an object have in common: generation and digest."""
    return "_".join(PurePosixPath(path).name.lstrip(".").split(".")[0].split("_")[:2])


def _partial(target: Path) -> Path:
    """Where a copy is written before it gets its name."""
    return target.with_name(f".{target.name}.part")


def _write_durably(path: Path, data: bytes) -> None:
    # A left-over of a killed attempt is ours alone and incomplete.
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError:
        # The system's text quotes the path; the code says enough.
        raise DiskUnavailable from None
