"""The bucket: what the import needs of it, and Google Cloud Storage's side of that.

Foreign errors end here. A failure of one object and of the storage as a whole are told apart by asking for the bucket.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Protocol

import requests
import urllib3
from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
from google.api_core.page_iterator import HTTPIterator
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from shared.core.errors import CuravaniError, DownloadCorrupt, ObjectUnavailable, StorageUnavailable
from shared.core.settings import StorageSettings
from shared.imports.source import SourceGone

# A stream that breaks off in the middle of a raw download comes as urllib3's own exception.
_FAILURES = (
    GoogleAPIError, GoogleAuthError, InvalidResponse, requests.RequestException, urllib3.exceptions.HTTPError, OSError
)  # fmt: skip


_LISTING = "storage#objects"
_LAST_GENERATION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: to connect, between two pieces of an answer, and for the client's own retries.

    The client's own defaults are minutes. The retries are short: the ledger retries what the client could not.
    """

    connect: float = 5.0
    answer: float = 20.0
    retry: float = 8.0

    @property
    def timeout(self) -> tuple[float, float]:
        return self.connect, self.answer

    @property
    def retries(self) -> Retry:
        # The library's own predicate: that of a bare `Retry` covers neither media downloads nor 408, 502 and 504.
        patient: Retry = DEFAULT_RETRY.with_delay(initial=0.2, maximum=2.0, multiplier=2.0)
        return patient.with_timeout(self.retry)


class Deletion(Enum):
    """How a conditional delete ended; each of them means that this generation is gone."""

    DELETED = "deleted"
    ALREADY_GONE = "already_gone"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One generation of an object, as the listing shows it; `size` and `crc32c` (base64) are of the stored bytes.

    `created` is when this generation was uploaded; what happens to its metadata later does not change it. `packed` says
    that it is stored as gzip of what was sent.
    """

    name: str
    generation: int
    size: int
    crc32c: str | None
    created: datetime
    packed: bool = False


class Bucket(Protocol):
    """A bucket of registrations."""

    @property
    def name(self) -> str: ...

    def list_objects(self) -> list[StoredObject]:
        """Every live object, in the order of upload. Raises `StorageUnavailable`.

        A failed listing, or an answer that is none, is never an empty listing.
        """

    def download(self, stored: StoredObject) -> bytes:
        """This generation's bytes as stored, of verified length and checksum.

        Raises `SourceGone`, `ObjectUnavailable`, `DownloadCorrupt` or `StorageUnavailable`.
        """

    def delete(self, name: str, generation: int) -> Deletion:
        """Deletes exactly this generation. Raises `ObjectUnavailable` or `StorageUnavailable`."""

    def ping(self) -> None:
        """Raises `StorageUnavailable` where the bucket cannot be listed."""


class GcsBucket:
    """The bucket in Google Cloud Storage, or in an emulator at `STORAGE_EMULATOR_HOST`."""

    def __init__(self, settings: StorageSettings, patience: Patience | None = None) -> None:
        patience = patience or Patience()
        self._settings = settings
        self._timeout = patience.timeout
        self._retry = patience.retries
        self._client: storage.Client | None = None

    def close(self) -> None:
        """Ends the connections; a later call opens new ones."""
        if self._client is not None:
            self._client.close()
        self._client = None

    @property
    def name(self) -> str:
        return self._settings.bucket

    def list_objects(self) -> list[StoredObject]:
        with _storage_wide():
            found = list(_listed(self._bucket().list_blobs(timeout=self._timeout, retry=self._retry)))
        return sorted(found, key=lambda stored: (stored.created, stored.generation, stored.name))

    def download(self, stored: StoredObject) -> bytes:
        with self._generation_only():
            # The generation in the request, not only as a precondition: a newer upload must not be read as this one.
            blob = self._bucket().blob(stored.name, generation=stored.generation)
            data: bytes = blob.download_as_bytes(
                raw_download=True, checksum="crc32c", timeout=self._timeout, retry=self._retry
            )
        if len(data) != stored.size:
            raise DownloadCorrupt
        return data

    def delete(self, name: str, generation: int) -> Deletion:
        try:
            with self._object_only():
                self._bucket().blob(name).delete(
                    if_generation_match=generation, timeout=self._timeout, retry=self._retry
                )
        except SourceGone:
            return Deletion.ALREADY_GONE
        except _Replaced:
            return Deletion.REPLACED
        return Deletion.DELETED

    def ping(self) -> None:
        with _storage_wide():
            next(_listed(self._bucket().list_blobs(max_results=1, timeout=self._timeout, retry=None)), None)

    def _bucket(self) -> storage.Bucket:
        # Made on first use: the client reads credentials, and importing or building must not fail or call out.
        if self._client is None:
            self._client = storage.Client(project=self._settings.project)
        return self._client.bucket(self.name)

    @contextmanager
    def _generation_only(self) -> Iterator[None]:
        """The same for a read: another generation in its place means that the one asked for is gone."""
        try:
            with self._object_only():
                yield
        except _Replaced:
            raise SourceGone from None

    @contextmanager
    def _object_only(self) -> Iterator[None]:
        """Translates the failure of one object, after asking whether it is the storage as a whole."""
        try:
            yield
        except NotFound as error:
            _let_go(error)
            self.ping()  # a bucket that vanished answers 404 for its objects, too
            raise SourceGone from None
        except PreconditionFailed as error:
            _let_go(error)
            raise _Replaced from None
        except DataCorruption as error:
            _let_go(error)
            raise DownloadCorrupt from None
        except _FAILURES as error:
            _let_go(error)
            self.ping()
            raise ObjectUnavailable from None


class _Replaced(CuravaniError):
    """Another generation has taken the place of the one asked for."""


@contextmanager
def _storage_wide() -> Iterator[None]:
    try:
        yield
    except _FAILURES:
        # The client's text names objects and addresses: it is not passed on.
        raise StorageUnavailable from None


def _let_go(error: Exception) -> None:
    """An answer that nobody reads would keep its connection open."""
    response = getattr(error, "response", None)
    if isinstance(response, requests.Response):
        response.close()


def _listed(blobs: HTTPIterator) -> Iterator[StoredObject]:
    """The objects of a listing, page by page. Raises `StorageUnavailable` for an answer that is no listing."""
    tokens = set()
    pages = blobs.pages
    while True:
        try:
            page = next(pages, None)
            found = [] if page is None else [_stored(item) for item in _items(page.raw_page)]
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
            # The library takes any JSON for a listing: it stumbles over it somewhere, or takes it for an empty one.
            raise StorageUnavailable from None
        if page is None:
            return
        yield from found
        token = blobs.next_page_token
        if token is not None and token in tokens:
            # Storage that sends us round in circles would keep the pass for ever.
            raise StorageUnavailable
        tokens.add(token)


def _items(answer: Mapping[str, object]) -> Iterable[Mapping[str, str]]:
    items = answer.get("items", [])
    if answer["kind"] != _LISTING or not isinstance(items, list):
        raise ValueError
    return items


def _stored(item: Mapping[str, str]) -> StoredObject:
    generation, size = int(item["generation"]), int(item.get("size", 0))
    created = datetime.fromisoformat(item["timeCreated"])
    is_named = isinstance(item["name"], str) and item["name"]
    if not is_named or not 0 < generation <= _LAST_GENERATION or size < 0 or created.tzinfo is None:
        raise ValueError
    return StoredObject(
        name=item["name"],
        generation=generation,
        size=size,
        crc32c=item.get("crc32c"),
        created=created.astimezone(UTC),
        packed=item.get("contentEncoding") == "gzip",
    )
