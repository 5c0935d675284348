"""What the storage emulator holds: buckets with live and soft-deleted generations of objects, and their rules.

The preconditions are the point of it: an erasure that deletes a newer upload is what they keep from happening.
"""

import base64
import binascii
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import TypedDict

import google_crc32c

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


class Refusal(Exception):
    """An answer other than success, as the JSON API gives it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class Description(TypedDict, total=False):
    """What a client says about an object, in the JSON API's names."""

    name: str
    contentType: str | None
    contentEncoding: str | None
    metadata: dict[str, str] | None
    crc32c: str | None
    md5Hash: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One generation of an object. `deleted_at` is set once it was deleted or replaced: it is soft-deleted then."""

    bucket: str
    name: str
    generation: int
    data: bytes = field(repr=False)
    metageneration: int = 1
    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    updated_at: str = ""
    deleted_at: str | None = None

    @property
    def crc32c(self) -> str:
        return base64.b64encode(google_crc32c.value(self.data).to_bytes(4, "big")).decode()

    @property
    def md5(self) -> str:
        return base64.b64encode(md5(self.data, usedforsecurity=False).digest()).decode()

    @property
    def created_at(self) -> str:
        return _timestamp(self.generation)


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What has to hold of the live generation. Generation 0 stands for "there is none"."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Preconditions":
        """Reads them from the parameters of a request. Raises `Refusal` for one that is no number."""
        parameters = ("GenerationMatch", "GenerationNotMatch", "MetagenerationMatch", "MetagenerationNotMatch")
        return cls(*(whole_number(query, f"if{parameter}") for parameter in parameters))

    def check(self, version: Version | None, *, reading: bool = False) -> None:
        """Raises `Refusal` where one of them does not hold."""
        generation = version.generation if version else 0
        metageneration = version.metageneration if version else 0
        if (self.generation_match is not None and self.generation_match != generation) or (
            self.metageneration_match is not None and self.metageneration_match != metageneration
        ):
            raise Refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        if self.generation_not_match == generation or self.metageneration_not_match == metageneration:
            raise Refusal(304 if reading else 412, "conditionNotMet", "The not-match condition did not hold.")


class ObjectStore:
    """Buckets and their objects; safe for use by several threads.

    With a folder, each generation is a file there, and a store made later finds them again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._buckets: dict[str, dict[int, Version]] = {}
        self._last_generation = 0
        if folder is not None:
            self._load(folder)

    def buckets(self) -> list[str]:
        with self._lock:
            return sorted(self._buckets)

    def create_bucket(self, bucket: str) -> None:
        """Raises `Refusal` where there is one of this name."""
        if not _BUCKET_NAME.fullmatch(bucket):
            raise Refusal(400, "invalid", f"Invalid bucket name: '{bucket}'")
        with self._lock:
            if bucket in self._buckets:
                raise Refusal(409, "conflict", "Your previous request to create the named bucket succeeded.")
            self._buckets[bucket] = {}
            if self._folder is not None:
                (self._folder / bucket).mkdir(parents=True, exist_ok=True)

    def versions(self, bucket: str) -> list[Version]:
        """Every generation of every object, live and soft-deleted, by name and age. Raises `Refusal`."""
        with self._lock:
            return sorted(self._bucket(bucket).values(), key=lambda version: (version.name, version.generation))

    def live(self, bucket: str) -> list[Version]:
        """The live generations by name, in the order of their bytes as UTF-8. Raises `Refusal` for no such bucket."""
        return [version for version in self.versions(bucket) if version.deleted_at is None]

    def get(self, bucket: str, name: str, generation: int | None, conditions: Preconditions) -> Version:
        """The live generation, if it is the one asked for. Raises `Refusal`."""
        with self._lock:
            version = self._required(bucket, name, generation)
            conditions.check(version, reading=True)
            return version

    def put(
        self, new: Version, conditions: Preconditions, *, crc32c: str | None = None, md5: str | None = None
    ) -> Version:
        """Stores the data as the live generation; the one before becomes soft-deleted. Raises `Refusal`."""
        with self._lock:
            old = self._live(new.bucket, new.name)
            conditions.check(old)
            self._last_generation = max(self._last_generation + 1, time.time_ns() // 1000)
            stored = replace(new, generation=self._last_generation, updated_at=_timestamp(self._last_generation))
            if crc32c not in (None, stored.crc32c) or md5 not in (None, stored.md5):
                raise Refusal(400, "invalid", "The provided hash does not match the one calculated.")
            self._keep(stored)
            if old is not None:
                self._keep(replace(old, deleted_at=_now()))
            return stored

    def update(self, bucket: str, name: str, changes: Description, conditions: Preconditions) -> Version:
        """Changes the live generation's own description, which makes a new metageneration. Raises `Refusal`."""
        with self._lock:
            version = self._required(bucket, name, None)
            conditions.check(version)
            changed = replace(
                version,
                metageneration=version.metageneration + 1,
                updated_at=_now(),
                content_type=str(changes.get("contentType") or version.content_type),
                metadata={**version.metadata, **(changes.get("metadata") or {})},
            )
            self._keep(changed)
            return changed

    def delete(self, bucket: str, name: str, generation: int | None, conditions: Preconditions) -> None:
        """Soft-deletes the live generation, if it is the one asked for. Raises `Refusal`."""
        with self._lock:
            version = self._required(bucket, name, generation)
            conditions.check(version)
            self._keep(replace(version, deleted_at=_now()))

    def _bucket(self, bucket: str) -> dict[int, Version]:
        if bucket not in self._buckets:
            raise Refusal(404, "notFound", "The specified bucket does not exist.")
        return self._buckets[bucket]

    def _live(self, bucket: str, name: str) -> Version | None:
        found = (v for v in self._bucket(bucket).values() if v.name == name and v.deleted_at is None)
        return next(found, None)

    def _required(self, bucket: str, name: str, generation: int | None) -> Version:
        version = self._live(bucket, name)
        if version is None or generation not in (None, version.generation):
            raise Refusal(404, "notFound", f"No such object: {bucket}/{name}")
        return version

    def _keep(self, version: Version) -> None:
        if self._folder is not None:
            described = {key: value for key, value in asdict(version).items() if key != "data"}
            path = self._folder / version.bucket / str(version.generation)
            unfinished = path.with_suffix(".new")
            unfinished.write_bytes(json.dumps(described).encode() + b"\n" + version.data)
            unfinished.replace(path)  # at once: a killed demo leaves the old state or the new one
        self._bucket(version.bucket)[version.generation] = version

    def _load(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for bucket in sorted(path for path in folder.iterdir() if path.is_dir()):
            self._buckets[bucket.name] = {}
            for path in sorted(bucket.iterdir()):
                if path.name.isdecimal():
                    described, _, data = path.read_bytes().partition(b"\n")
                    version = Version(**json.loads(described), data=data)
                    self._buckets[bucket.name][version.generation] = version
                    self._last_generation = max(self._last_generation, version.generation)
            self._settle(self._buckets[bucket.name])

    def _settle(self, versions: dict[int, Version]) -> None:
        """A kill between storing a generation and retiring the one before leaves both live: the newest is."""
        newest = {version.name: version.generation for _, version in sorted(versions.items())}
        for version in list(versions.values()):
            if version.deleted_at is None and version.generation != newest[version.name]:
                self._keep(replace(version, deleted_at=_now()))


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing; `token` asks for the next one."""

    versions: list[Version]
    prefixes: list[str]
    token: str | None


def page_of(versions: list[Version], query: Mapping[str, str]) -> Page:
    """The part of a listing that the parameters of a request ask for. Raises `Refusal` for wrong ones."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
    limit = min(whole_number(query, "maxResults") or 1000, 1000)
    entries: dict[tuple[str, int], Version | None] = {}
    for version in versions:
        wanted = version.name.startswith(prefix) and version.name >= query.get("startOffset", "")
        if not wanted or ("endOffset" in query and version.name >= query["endOffset"]):
            continue
        end = version.name.find(delimiter, len(prefix)) if delimiter else -1
        if end >= 0:
            entries[version.name[: end + len(delimiter or "")], 0] = None
        else:
            entries[version.name, version.generation] = version
    after = _position(query["pageToken"]) if query.get("pageToken") else None
    rest = sorted(key for key in entries if after is None or key > after)
    chosen = [(key, entries[key]) for key in rest[:limit]]
    return Page(
        versions=[version for _, version in chosen if version is not None],
        prefixes=[key[0] for key, version in chosen if version is None],
        token=_token(chosen[-1][0]) if len(rest) > limit else None,
    )


def whole_number(query: Mapping[str, str], parameter: str) -> int | None:
    """The parameter as a number, None where it is missing. Raises `Refusal` where it is something else."""
    text = query.get(parameter)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise Refusal(400, "invalid", f"Invalid value for {parameter}")
    return int(text)


def _token(key: tuple[str, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _position(token: str) -> tuple[str, int]:
    try:
        name, generation = json.loads(base64.urlsafe_b64decode(token))
        return str(name), int(generation)
    except (binascii.Error, ValueError, TypeError):
        raise Refusal(400, "invalid", "Invalid page token") from None


def _now() -> str:
    return _timestamp(time.time_ns() // 1000)


def _timestamp(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
