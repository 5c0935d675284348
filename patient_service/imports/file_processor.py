"""From an object in the bucket to verified bytes with a durable local copy. No copy, no import."""

import base64
import hashlib
from dataclasses import dataclass

import google_crc32c

from patient_service.imports.bucket import Bucket, StoredObject
from patient_service.imports.local_copies import LocalCopies
from shared.core.errors import DownloadCorrupt, RejectedError
from shared.metrics.process import Stage, unmeasured
from shared.words.codes import Code


@dataclass(frozen=True, slots=True)
class RegistrationFile:
    """A registration's bytes, safe on disk at `local_path` (relative to the root of the copies)."""

    data: bytes
    sha256: str
    local_path: str


class FileProcessor:
    """Downloads, verifies and keeps. Knows nothing of patients or of the database."""

    def __init__(self, bucket: Bucket, copies: LocalCopies, max_bytes: int, stage: Stage = unmeasured) -> None:
        self._bucket = bucket
        self._copies = copies
        self._max_bytes = max_bytes
        self._stage = stage

    def fetch(self, stored: StoredObject) -> RegistrationFile:
        """The object's bytes, from an earlier attempt's copy if there is one, else from the bucket.

        Raises `RejectedError` (`file_too_large`) before any download, `DiskUnavailable`, `DownloadCorrupt`, or what the
        bucket raises.
        """
        if stored.size > self._max_bytes:
            raise RejectedError(Code.FILE_TOO_LARGE)
        path = self._copies.path_for(self._bucket.name, stored.name, stored.generation, stored.updated)
        kept = self._copies.read(path)
        if kept is not None and _matches(kept, stored):
            return _file(kept, path)
        with self._stage("download"):
            data = self._bucket.download(stored)
        if not _matches(data, stored):
            raise DownloadCorrupt
        with self._stage("copy"):
            path = self._copies.write(path, data)
        return _file(data, path)

    def from_copy(self, local_path: str) -> RegistrationFile | None:
        """The registration from its copy alone, for an object that left the bucket before it could be imported."""
        data = self._copies.read(local_path)
        return None if data is None else _file(data, local_path)


def _file(data: bytes, path: str) -> RegistrationFile:
    return RegistrationFile(data, hashlib.sha256(data).hexdigest(), path)


def _matches(data: bytes, stored: StoredObject) -> bool:
    if len(data) != stored.size:
        return False
    if stored.crc32c is None:
        return True
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode() == stored.crc32c
