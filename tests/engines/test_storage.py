"""One contract for every bucket server: what the import needs of Google Cloud Storage, asked by its own adapter."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from google.api_core.exceptions import PreconditionFailed
from google.cloud import storage

from patient_service.imports.bucket import Deletion, GcsBucket, StoredObject
from shared.core.errors import StorageUnavailable
from shared.core.settings import StorageSettings
from shared.imports.source import SourceGone
from standins.local import free_port
from standins.storage_emulator import StorageEmulator
from tests.engines.programs import Program
from tests.engines.storage import fake_gcs_server

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def ours(folder: Any) -> Iterator[str]:
    with StorageEmulator() as emulator:
        yield emulator.host


def theirs(folder: Any) -> Iterator[str]:
    """fake-gcs-server, as it comes, with objects in memory."""
    port = free_port()
    host = f"http://127.0.0.1:{port}"
    flags = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    server = Program("fake-gcs-server", [fake_gcs_server(), *flags, "-external-url", host], folder / "fake-gcs.log")

    def answers() -> bool:
        try:
            return requests.get(f"{host}/storage/v1/b?project=test", timeout=5).ok
        except requests.ConnectionError:
            return False

    try:
        server.await_answer(answers)
        yield host
    finally:
        server.end()


@pytest.fixture(scope="module", params=[ours, theirs], ids=["ours", "fake-gcs-server"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from request.param(tmp_path_factory.mktemp("storage"))


@pytest.fixture
def bucket_name(request: pytest.FixtureRequest) -> str:
    return f"bucket-{abs(hash(request.node.name)) % 10**9}"


@pytest.fixture
def uploads(host: str, bucket_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[storage.Bucket]:
    """The bucket as the website sees it, fresh."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", host)
    client = storage.Client(project="test")
    yield client.create_bucket(bucket_name)
    client.close()


@pytest.fixture
def new_bucket(uploads: storage.Bucket) -> Iterator[Callable[[str], GcsBucket]]:
    """Makes the import's side of a bucket."""
    made: list[GcsBucket] = []

    def make(name: str) -> GcsBucket:
        made.append(GcsBucket(StorageSettings(bucket=name, project="test")))
        return made[-1]

    yield make
    for bucket in made:
        bucket.close()


@pytest.fixture
def bucket(new_bucket: Callable[[str], GcsBucket], bucket_name: str) -> GcsBucket:
    return new_bucket(bucket_name)


def put(uploads: storage.Bucket, name: str, data: bytes) -> int:
    blob = uploads.blob(name)
    blob.upload_from_string(data, content_type="application/json")
    return int(blob.generation)


def only(bucket: GcsBucket) -> StoredObject:
    (found,) = bucket.list_objects()
    return found


def test_what_was_uploaded_is_listed_in_order_and_downloaded_whole(uploads, bucket) -> None:
    names = ["Müller_Jörg_20250705_0b1ab67b.json", "in/a b&c?+%.json", "Zeevaert_Anna_20250706_1.json", "a.json"]
    data = [json.dumps({"n": name}, ensure_ascii=False).encode() for name in names[:3]] + [b""]
    generations = [put(uploads, name, content) for name, content in zip(names, data, strict=True)]
    found = bucket.list_objects()
    assert [stored.name for stored in found] == names
    assert [stored.generation for stored in found] == generations
    assert [stored.size for stored in found] == [len(content) for content in data]
    assert [bucket.download(stored) for stored in found] == data
    assert all(stored.crc32c and not stored.packed for stored in found)


def test_a_listing_of_many_pages_is_whole(uploads, bucket, new_bucket) -> None:
    names = {f"{number:04}.json" for number in range(1, 1051)}
    for name in names:
        put(uploads, name, b"{}")
    assert {stored.name for stored in bucket.list_objects()} == names
    assert len(list(uploads.list_blobs(page_size=100).pages)) == 11


def test_a_delete_takes_the_generation_it_names_and_no_other(uploads, bucket, request) -> None:
    first = put(uploads, "o.json", b"one")
    second = put(uploads, "o.json", b"two")
    assert second > first
    if "fake-gcs-server" in request.node.name:
        # It deletes whatever is there. The day it does not, this test says so, and can do without the difference.
        assert bucket.delete("o.json", first) is Deletion.DELETED
        return
    assert bucket.delete("o.json", first) is Deletion.REPLACED
    assert bucket.download(only(bucket)) == b"two"
    assert bucket.delete("o.json", second) is Deletion.DELETED
    assert bucket.delete("o.json", second) is Deletion.ALREADY_GONE
    assert bucket.list_objects() == []


def test_a_generation_that_was_replaced_is_not_read_as_the_newer_one(uploads, bucket) -> None:
    put(uploads, "o.json", b"one")
    listed = only(bucket)
    put(uploads, "o.json", b"two")
    with pytest.raises(SourceGone):
        bucket.download(listed)
    assert bucket.download(only(bucket)) == b"two"


def test_metadata_that_changes_makes_no_other_upload(uploads, bucket) -> None:
    generation = put(uploads, "o.json", b"{}")
    before = only(bucket)
    blob = uploads.blob("o.json")
    blob.metadata = {"seen": "yes"}
    blob.patch()
    assert only(bucket) == before
    assert bucket.delete("o.json", generation) is Deletion.DELETED


def test_an_object_stored_packed_comes_as_it_is_stored(uploads, bucket) -> None:
    blob = uploads.blob("o.json")
    blob.content_encoding = "gzip"
    packed = gzip.compress(b'{"n": 1}')
    blob.upload_from_string(packed, content_type="application/json")
    stored = only(bucket)
    assert (stored.packed, stored.size) == (True, len(packed))
    assert bucket.download(stored) == packed


def test_a_bucket_that_does_not_exist_is_no_empty_one(new_bucket) -> None:
    missing = new_bucket("no-such-bucket")
    for ask in (missing.ping, missing.list_objects, lambda: missing.delete("o.json", 1)):
        with pytest.raises(StorageUnavailable):
            ask()


def test_an_upload_that_expects_no_object_finds_one(uploads) -> None:
    put(uploads, "o.json", b"one")
    with pytest.raises(PreconditionFailed):
        uploads.blob("o.json").upload_from_string(b"two", if_generation_match=0)
