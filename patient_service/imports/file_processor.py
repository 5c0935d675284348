"""From an object in the bucket to verified bytes with a durable local copy. No copy, no import."""

import base64
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import google_crc32c

from patient_service.imports.bucket import Bucket, StoredObject
from patient_service.imports.local_copies import LocalCopies
from shared.core.errors import DownloadCorrupt, RejectedError
from shared.metrics.process import Stage, unmeasured
from shared.words.codes import Code

_GZIP = 16 + zlib.MAX_WBITS
"""Tells zlib to read the header of gzip."""


@dataclass(frozen=True, slots=True)
class RegistrationFile:
    """A registration's bytes; the place of their copy is `local_path`, relative to the root of the copies."""

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

    def fetch(
        self, stored: StoredObject, noted_path: str | None, note: Callable[[RegistrationFile], None]
    ) -> RegistrationFile:
        """The registration, from an earlier attempt's copy if there is one, else from the bucket; safe on disk.

        `note` is told of it before anything is written: a copy that nobody knows of would outlive an erasure. Raises
        `RejectedError` (`file_too_large`, of the stored bytes before any download), `DiskUnavailable`,
        `DownloadCorrupt`, or what the bucket raises.
        """
        if stored.size > self._max_bytes:
            raise RejectedError(Code.FILE_TOO_LARGE)
        path = noted_path or self._copies.path_for(self._bucket.name, stored.name, stored.generation)
        kept = self._copies.read(path)
        if kept is not None and not stored.packed and _matches(kept, stored):
            file = _file(kept, path)
            note(file)
            return file
        data = self._download(stored)
        file = _file(data, self._copies.free_path(path, data))
        note(file)
        with self._stage("copy"):
            self._copies.write(file.local_path, data)
        return file

    def from_copy(self, local_path: str) -> RegistrationFile | None:
        """The registration from its copy alone, for an object that left the bucket before it could be imported."""
        data = self._copies.read(local_path)
        return None if data is None else _file(data, local_path)

    def _download(self, stored: StoredObject) -> bytes:
        with self._stage("download"):
            data = self._bucket.download(stored)
        if not _matches(data, stored):
            raise DownloadCorrupt
        return _unpacked(data, self._max_bytes) if stored.packed else data


def _file(data: bytes, path: str) -> RegistrationFile:
    return RegistrationFile(data, hashlib.sha256(data).hexdigest(), path)


def _matches(data: bytes, stored: StoredObject) -> bool:
    if len(data) != stored.size:
        return False
    if stored.crc32c is None:
        return True
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode() == stored.crc32c


def _unpacked(data: bytes, max_bytes: int) -> bytes:
    """What the gzip holds; the bytes as they are where it is none: what they say is for the parser to judge.

    A few bytes can unpack to more than there is memory, so no more is unpacked than is allowed.
    """
    found = b""
    rest = data
    try:
        while rest:
            unpacker = zlib.decompressobj(_GZIP)
            found += unpacker.decompress(rest, max_bytes + 1 - len(found))
            if len(found) > max_bytes:
                raise RejectedError(Code.FILE_TOO_LARGE)
            if not unpacker.eof:
                return data
            rest = unpacker.unused_data
    except zlib.error:
        return data
    return found
