"""What storage may answer, and what may lie there: an odd object or answer stops nothing, and is never "no files"."""

import gzip
import json
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from patient_service.imports.bucket import GcsBucket, Patience
from shared.core.errors import StorageUnavailable
from shared.core.settings import StorageSettings
from standins.storage_objects import Preconditions, Version

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("dropped_connections"),
]

ITEM = {
    "kind": "storage#object",
    "name": "a.json",
    "generation": "1751720035000000",
    "size": "3",
    "timeCreated": "2025-07-05T14:33:55.123Z",
}


@pytest.fixture
def answering(monkeypatch) -> Iterator[list[bytes]]:
    """A server that answers every request with 200 and the first of these bodies; the last one stays."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            # The library also asks for the bucket itself.
            is_listing = urlsplit(self.path).path.endswith("/o")
            body = bodies.pop(0) if is_listing and len(bodies) > 1 else bodies[0]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield bodies
    server.shutdown()
    thread.join()
    server.server_close()


def a_bucket() -> GcsBucket:
    return GcsBucket(StorageSettings.model_validate({"GCS_IMPORT_BUCKET": "some"}), Patience(retry=0.2))


def listing(*items, **more):
    return {"kind": "storage#objects", "items": list(items), **more}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "text",
        7,
        {},
        {"error": {"code": 503}},
        {"kind": "storage#buckets"},
        {"items": []},
        {"kind": "storage#objects", "items": None},
        {"kind": "storage#objects", "items": {}},
        listing(None),
        listing("a.json"),
        *[listing({**ITEM, name: None}) for name in ("name", "generation", "timeCreated")],
        *[listing({key: ITEM[key] for key in ITEM if key != name}) for name in ("name", "generation", "timeCreated")],
        listing(ITEM, {**ITEM, "generation": "soon"}),
        listing({**ITEM, "timeCreated": "yesterday"}),
        listing({**ITEM, "size": "much"}),
        listing({**ITEM, "name": ""}),
        listing({**ITEM, "name": 7}),
        *[listing({**ITEM, "generation": odd}) for odd in ("0", "-1", "9" * 19, "9" * 5000, 1.5e400)],
        *[listing({**ITEM, "size": odd}) for odd in ("-1", 1.5e400, [])],
        *[listing({**ITEM, "timeCreated": odd}) for odd in (7, "2025-07-05T14:33:55", "0001-01-01T00:00:00+14:00")],
        listing(ITEM, nextPageToken="the same"),
    ],
    ids=json.dumps,
)  # fmt: skip
def test_an_answer_that_is_no_listing_is_storage_away(answering, answer):
    answering.append(json.dumps(answer).encode())
    bucket = a_bucket()
    with pytest.raises(StorageUnavailable):
        bucket.list_objects()
    bucket.close()


@pytest.mark.parametrize("answer", [None, {}, listing({**ITEM, "generation": None})], ids=json.dumps)
def test_a_page_that_is_no_listing_makes_nothing_of_those_before_it(answering, answer):
    answering += [json.dumps(listing(ITEM, nextPageToken="more")).encode(), json.dumps(answer).encode()]
    bucket = a_bucket()
    with pytest.raises(StorageUnavailable):
        bucket.list_objects()
    bucket.close()


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe{}"])
def test_a_body_that_is_no_json_is_storage_away(answering, body):
    answering.append(body)
    bucket = a_bucket()
    with pytest.raises(StorageUnavailable):
        bucket.list_objects()
    with pytest.raises(StorageUnavailable):
        bucket.ping()
    bucket.close()


def test_an_empty_bucket_and_several_pages_are_listings(answering):
    bucket = a_bucket()
    answering.append(json.dumps({"kind": "storage#objects"}).encode())
    assert bucket.list_objects() == []
    answering[:] = [
        json.dumps(listing(ITEM, nextPageToken="more")).encode(),
        json.dumps(listing({**ITEM, "name": "b.json", "timeCreated": "2025-07-05T14:33:54.123Z"})).encode(),
    ]
    assert [stored.name for stored in bucket.list_objects()] == ["b.json", "a.json"]
    bucket.close()


@pytest.mark.parametrize("name", ["bad\x00name.json", "bad\ud800name.json"])
def test_an_object_whose_name_cannot_be_stored_is_left_alone_counted_and_told_once(patients, make_registration, name):
    generation = patients.upload(b"{}", name)
    patients.upload(make_registration())
    for _ in range(2):
        report = patients.run()
        assert report.ignored["unusable_name"] == 1
        assert not report.has_trouble
    assert len(patients.patients()) == 1
    assert alerts(patients) == [("unusable_name", {"generation": str(generation)}, False)]
    patients.storage._store.delete(patients.bucket, name, generation, Preconditions())
    patients.run()
    assert alerts(patients) == [("unusable_name", {"generation": str(generation)}, True)]


def alerts(patients):
    found = patients.rows("SELECT code, detail, resolved_at FROM patient_service.alert_outbox ORDER BY id")
    return [(row["code"], row["detail"], row["resolved_at"] is not None) for row in found]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_download_refused_once_is_asked_again_within_the_attempt(patients, make_registration, status):
    patients.storage.faults.add("download", status, times=1)
    patients.upload(make_registration())
    patients.run()
    (file,) = patients.files()
    assert (file["status"], file["attempts"], file["error_code"]) == ("success", 1, None)


def test_a_download_that_is_cut_off_once_is_asked_again_within_the_attempt(patients, make_registration):
    patients.storage.faults.add("download", "reset", times=1)
    patients.upload(make_registration())
    patients.run()
    assert [(file["status"], file["attempts"]) for file in patients.files()] == [("success", 1)]


def upload_packed(patients, data, name="Mustermann_Max_20250705_0b1ab67b.json"):
    version = Version(patients.bucket, name, 0, data, content_encoding="gzip")
    patients.storage._store.put(version, Preconditions())


@pytest.mark.parametrize("members", [1, 2])
def test_an_object_stored_as_gzip_is_imported_as_what_it_unpacks_to(patients, make_registration, members):
    data = make_registration()
    half = len(data) // 2
    packed = gzip.compress(data) if members == 1 else gzip.compress(data[:half]) + gzip.compress(data[half:])
    upload_packed(patients, packed)
    patients.run()
    (file,) = patients.files()
    assert (file["status"], file["file_size"]) == ("success", len(data))
    assert (patients.copies / file["local_path"]).read_bytes() == data
    assert patients.in_bucket() == []


def test_the_limit_counts_for_what_a_gzip_unpacks_to_and_no_more_is_unpacked(patients):
    upload_packed(patients, gzip.compress(b" " * 100_000_000, compresslevel=1))
    tracemalloc.start()
    patients.run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000
    assert [(file["status"], file["error_code"]) for file in patients.files()] == [("failed", "file_too_large")]
    assert list(patients.copies.rglob("*.json")) == []


@pytest.mark.parametrize("cut", [10, -4])
def test_a_broken_gzip_is_a_file_of_no_json(patients, make_registration, cut):
    upload_packed(patients, gzip.compress(make_registration())[:cut])
    patients.run()
    assert [(file["status"], file["error_code"]) for file in patients.files()] == [("failed", "invalid_json")]


def test_what_only_claims_to_be_gzip_is_read_as_it_is(patients, make_registration):
    upload_packed(patients, make_registration())
    patients.run()
    assert [file["status"] for file in patients.files()] == ["success"]
