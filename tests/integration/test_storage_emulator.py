"""The storage emulator, asked by Google's own client: what the import relies on, and each fault."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
import requests
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    ServiceUnavailable,
    TooManyRequests,
)
from google.auth.exceptions import InvalidOperation
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from standins.local import wait_until
from standins.storage_emulator import StorageEmulator
from standins.storage_faults import Faults

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("dropped_connections"),
]

BUCKET = "registrations"
ONCE: dict[str, Any] = {"timeout": (60, 60), "retry": None}
RETRIED: dict[str, Any] = {"timeout": (60, 60), "retry": DEFAULT_RETRY.with_delay(0.01, 0.05).with_timeout(60)}


@pytest.fixture
def emulator() -> Iterator[StorageEmulator]:
    with StorageEmulator(buckets=(BUCKET,)) as started:
        yield started
        started.faults.clear()


@pytest.fixture
def client(emulator: StorageEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.host)
    made = storage.Client(project="test")
    yield made
    made.close()


@pytest.fixture
def bucket(client: Any) -> Any:
    return client.bucket(BUCKET)


def test_an_upload_is_listed_and_downloaded_with_its_checksum(emulator: StorageEmulator, bucket: Any) -> None:
    data = json.dumps({"name": "Müller"}).encode()
    blob = bucket.blob("2026/a b&ü?.json")
    blob.metadata = {"form": "3"}
    blob.upload_from_string(data, content_type="application/json", **ONCE)

    (listed,) = bucket.list_blobs(**ONCE)
    assert (listed.name, listed.generation, listed.size) == (blob.name, blob.generation, len(data))
    assert (listed.content_type, listed.metadata, listed.metageneration) == ("application/json", {"form": "3"}, 1)
    assert google_crc32c.value(data).to_bytes(4, "big").hex() == base64.b64decode(listed.crc32c).hex()
    assert listed.updated is not None
    exact = bucket.blob(blob.name, generation=listed.generation)
    assert exact.download_as_bytes(raw_download=True, checksum="crc32c", **ONCE) == data
    assert exact.download_as_bytes(checksum="md5", **ONCE) == data
    assert exact.download_as_bytes(start=2, end=5, **ONCE) == data[2:6]
    assert emulator.generations(BUCKET, blob.name) == [listed.generation]


def test_data_of_any_bytes_and_the_empty_object(emulator: StorageEmulator, bucket: Any) -> None:
    for data in (b"", b"\r\n--x\r\n\r\n\x00\xff\r\n", bytes(range(256)) * 100):
        bucket.blob("o").upload_from_string(data, **ONCE)
        assert bucket.blob("o").download_as_bytes(raw_download=True, checksum="crc32c", **ONCE) == data
        assert emulator.data(BUCKET, "o") == data


def test_a_resumable_upload_in_chunks(emulator: StorageEmulator, bucket: Any) -> None:
    data = bytes(range(256)) * 4096
    blob = bucket.blob("large", chunk_size=256 * 1024)
    blob.upload_from_file(BytesIO(data), checksum="crc32c", **ONCE)
    assert emulator.data(BUCKET, "large") == data

    # A chunk whose answer is lost is sent once more, and must not count twice.
    emulator.faults.add("upload", "after", times=1, name="large")
    with pytest.raises(requests.ConnectionError):
        bucket.blob("large", chunk_size=256 * 1024).upload_from_file(BytesIO(data), **ONCE)
    bucket.blob("large", chunk_size=256 * 1024).upload_from_file(BytesIO(data), **RETRIED)
    assert emulator.data(BUCKET, "large") == data


def test_an_upload_with_a_wrong_checksum_is_refused(emulator: StorageEmulator, bucket: Any) -> None:
    blob = bucket.blob("o")
    blob.crc32c = "AAAAAA=="
    with pytest.raises(BadRequest):
        blob.upload_from_string(b"data", checksum=None, **ONCE)
    assert emulator.names(BUCKET) == []


def test_listing_pages_through_all_and_groups_by_folder(emulator: StorageEmulator, bucket: Any) -> None:
    names = sorted([f"in/{number:03}.json" for number in range(25)] + ["in/", "out/x", "top"])
    for name in names:
        emulator.put(BUCKET, name, b"{}")

    assert [blob.name for blob in bucket.list_blobs(page_size=4, **ONCE)] == names
    assert len(list(bucket.list_blobs(page_size=4, **ONCE).pages)) == 7
    assert [blob.name for blob in bucket.list_blobs(max_results=1, **ONCE)] == ["in/"]
    assert [blob.name for blob in bucket.list_blobs(prefix="in/01", **ONCE)] == [f"in/01{n}.json" for n in range(10)]
    assert [b.name for b in bucket.list_blobs(start_offset="in/023", end_offset="out/x", **ONCE)] == names[24:26]
    grouped = bucket.list_blobs(delimiter="/", page_size=1, **ONCE)
    assert [blob.name for blob in grouped] == ["top"]
    assert grouped.prefixes == {"in/", "out/"}
    assert list(bucket.list_blobs(prefix="none", **ONCE)) == []


def test_a_delete_takes_only_the_generation_it_names(emulator: StorageEmulator, bucket: Any) -> None:
    old = emulator.put(BUCKET, "o", b"old")
    new = emulator.put(BUCKET, "o", b"new")

    with pytest.raises(PreconditionFailed):
        bucket.blob("o").delete(if_generation_match=old, **ONCE)
    with pytest.raises(NotFound):
        bucket.blob("o", generation=old).delete(**ONCE)
    assert emulator.data(BUCKET, "o") == b"new"

    bucket.blob("o").delete(if_generation_match=new, **ONCE)
    with pytest.raises(NotFound):
        bucket.blob("o").delete(if_generation_match=new, **ONCE)
    assert emulator.names(BUCKET) == []
    assert [(version.generation, version.data) for version in emulator.deleted(BUCKET)] == [
        (old, b"old"),
        (new, b"new"),
    ]
    assert emulator.generations(BUCKET, "o") == [old, new]


def test_only_the_live_generation_is_read(emulator: StorageEmulator, bucket: Any) -> None:
    old = emulator.put(BUCKET, "o", b"old")
    new = emulator.put(BUCKET, "o", b"new")

    assert bucket.blob("o", generation=new).download_as_bytes(**ONCE) == b"new"
    with pytest.raises(NotFound):
        bucket.blob("o", generation=old).download_as_bytes(**ONCE)
    with pytest.raises(PreconditionFailed):
        bucket.blob("o").download_as_bytes(if_generation_match=old, **ONCE)
    assert bucket.get_blob("none", **ONCE) is None
    assert [blob.generation for blob in bucket.list_blobs(soft_deleted=True, **ONCE)] == [old]


def test_preconditions_of_uploads_and_of_descriptions(emulator: StorageEmulator, bucket: Any) -> None:
    blob = bucket.blob("o")
    blob.upload_from_string(b"1", if_generation_match=0, **ONCE)
    with pytest.raises(PreconditionFailed):
        bucket.blob("o").upload_from_string(b"2", if_generation_match=0, **ONCE)
    with pytest.raises(PreconditionFailed):
        bucket.blob("none").upload_from_string(b"2", if_generation_match=5, **ONCE)

    blob.metadata = {"seen": "yes"}
    blob.patch(if_metageneration_match=1, **ONCE)
    assert blob.metageneration == 2
    with pytest.raises(PreconditionFailed):
        blob.delete(if_metageneration_match=1, **ONCE)
    with pytest.raises(PreconditionFailed):
        bucket.blob("o").delete(if_generation_not_match=blob.generation, **ONCE)
    assert emulator.data(BUCKET, "o") == b"1"


def test_buckets(client: Any) -> None:
    client.create_bucket("another", **ONCE)
    assert [bucket.name for bucket in client.list_buckets(**ONCE)] == ["another", BUCKET]
    with pytest.raises(Conflict):
        client.create_bucket("another", **ONCE)
    assert client.lookup_bucket("missing", **ONCE) is None
    with pytest.raises(NotFound):
        list(client.bucket("missing").list_blobs(**ONCE))
    with pytest.raises(NotFound):
        client.bucket("missing").blob("o").upload_from_string(b"", **ONCE)
    with pytest.raises(BadRequest):
        client.create_bucket("UPPER", **ONCE)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, InvalidOperation), (403, Forbidden), (429, TooManyRequests), (503, ServiceUnavailable)],
)
@pytest.mark.parametrize("operation", ["list", "download", "delete", "upload"])
def test_a_status_as_fault(
    emulator: StorageEmulator, bucket: Any, operation: str, status: int, expected: type[Exception]
) -> None:
    generation = emulator.put(BUCKET, "o", b"data")
    emulator.faults.add(operation, status)
    calls: dict[str, Callable[[], object]] = {
        "list": lambda: list(bucket.list_blobs(**ONCE)),
        "download": lambda: bucket.blob("o").download_as_bytes(**ONCE),
        "delete": lambda: bucket.blob("o").delete(if_generation_match=generation, **ONCE),
        "upload": lambda: bucket.blob("p").upload_from_string(b"data", **ONCE),
    }
    with pytest.raises(expected):
        calls[operation]()
    assert emulator.names(BUCKET) == ["o"]
    calls[operation]()  # it was for once
    assert emulator.faults.taken == 1


def test_a_fault_for_one_object_and_the_clients_retry(emulator: StorageEmulator, bucket: Any) -> None:
    emulator.put(BUCKET, "bad", b"bad")
    emulator.put(BUCKET, "good", b"good")
    emulator.faults.add("download", 503, times=None, name="bad")
    assert bucket.blob("good").download_as_bytes(**ONCE) == b"good"
    with pytest.raises(ServiceUnavailable):
        bucket.blob("bad").download_as_bytes(**ONCE)
    emulator.faults.clear()
    emulator.faults.add("any", 503, times=3)
    assert bucket.blob("bad").download_as_bytes(**RETRIED) == b"bad"


def test_broken_answers(emulator: StorageEmulator, bucket: Any) -> None:
    emulator.put(BUCKET, "o", b"some data")

    def read(seconds: float = 60) -> bytes:
        return bytes(bucket.blob("o").download_as_bytes(checksum="crc32c", timeout=(60, seconds), retry=None))

    emulator.faults.add("download", "wrong_bytes")
    with pytest.raises(DataCorruption):
        read()
    emulator.faults.add("download", "truncate")
    with pytest.raises(requests.RequestException):
        read()
    emulator.faults.add("download", "reset")
    with pytest.raises(requests.ConnectionError):
        read()
    emulator.faults.add("download", "stall")
    with pytest.raises(requests.RequestException, match="timed out"):
        read(0.2)
    emulator.faults.add("list", "stall")
    with pytest.raises(requests.Timeout):
        list(bucket.list_blobs(timeout=(60, 0.2), retry=None))
    assert read() == b"some data"


def test_clearing_the_faults_releases_a_stalled_request(emulator: StorageEmulator, bucket: Any) -> None:
    emulator.faults.add("list", "stall")
    failures: list[Exception] = []

    def ask() -> None:
        try:
            list(bucket.list_blobs(**ONCE))
        except requests.ConnectionError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert wait_until(lambda: emulator.faults.taken == 1, 60)
    emulator.faults.clear()
    thread.join()
    assert len(failures) == 1


def test_a_request_that_has_met_a_fault_but_does_not_stall_yet_is_released_too() -> None:
    faults = Faults()
    faults.add("list", "stall")
    met = faults.take("list", None)
    faults.clear()
    assert met is not None
    assert met.cleared.is_set()


def test_a_delete_whose_answer_is_lost_is_done(emulator: StorageEmulator, bucket: Any) -> None:
    generation = emulator.put(BUCKET, "o", b"data")
    emulator.faults.add("delete", "after")
    with pytest.raises(requests.ConnectionError):
        bucket.blob("o").delete(if_generation_match=generation, **ONCE)
    assert emulator.names(BUCKET) == []


def test_a_restart_on_the_same_port_keeps_the_objects(emulator: StorageEmulator, bucket: Any) -> None:
    host = emulator.host
    emulator.put(BUCKET, "o", b"data")
    assert bucket.blob("o").download_as_bytes(**ONCE) == b"data"
    emulator.stop()
    with pytest.raises(requests.ConnectionError):
        bucket.blob("o").download_as_bytes(**ONCE)
    emulator.start()
    assert emulator.host == host
    assert bucket.blob("o").download_as_bytes(**ONCE) == b"data"


def test_a_folder_keeps_the_objects_for_another_emulator(tmp_path: Path) -> None:
    first = StorageEmulator(tmp_path, buckets=(BUCKET, "empty"))
    old = first.put(BUCKET, "a/ü", b"one\ntwo")
    new = first.put(BUCKET, "a/ü", b"three\n")

    second = StorageEmulator(tmp_path, buckets=(BUCKET,))
    assert second.names(BUCKET) == ["a/ü"]
    assert second.names("empty") == []
    assert second.data(BUCKET, "a/ü") == b"three\n"
    assert [version.data for version in second.deleted(BUCKET)] == [b"one\ntwo"]
    assert second.put(BUCKET, "a/ü", b"four") > new > old


def test_faults_are_set_by_another_process_over_http(emulator: StorageEmulator, bucket: Any) -> None:
    def control(method: str, body: object = None) -> int:
        connection = HTTPConnection(emulator.host.removeprefix("http://"), timeout=60)
        connection.request(method, "/_faults", json.dumps(body))
        status = connection.getresponse().status
        connection.close()
        return status

    assert control("POST", {"operation": "list", "kind": 503, "times": None}) == 204
    with pytest.raises(ServiceUnavailable):
        list(bucket.list_blobs(**ONCE))
    assert control("DELETE") == 204
    assert list(bucket.list_blobs(**ONCE)) == []
    assert control("POST", {"operation": "none", "kind": 503}) == 400
    assert control("POST", {"operation": "list", "kind": 503, "unknown": 1}) == 400
    assert control("POST", [1]) == 400
