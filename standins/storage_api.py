"""The JSON API of Google Cloud Storage over an `ObjectStore`, as far as the services and their tests use it.

Left out, as nothing here asks for it: access rights, batches, rewrites, and unpacking of gzip on the way out.
"""

import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from standins.storage_objects import Description, ObjectStore, Preconditions, Refusal, Version, page_of, whole_number

_PATH = re.compile(
    r"(?:/(?P<area>upload|download))?/storage/v1/b(?:/(?P<bucket>[^/]+)(?P<objects>/o(?:/(?P<name>.+))?)?)?"
)
_CONTENT_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")
_RANGE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was taken apart. `operation` and `name` are what a fault can be set for."""

    method: str
    operation: str
    bucket: str
    name: str | None
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """With names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. The headers come without the length."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Upload:
    """A resumable upload: what came so far, and the object once it is complete."""

    described: Version
    hashes: dict[str, str | None]
    conditions: Preconditions
    received: bytearray = field(default_factory=bytearray)
    lock: threading.Lock = field(default_factory=threading.Lock)
    done: Version | None = None


class StorageApi:
    """Answers requests. Resumable uploads that are under way are in memory only."""

    def __init__(self, store: ObjectStore, host: str) -> None:
        self._store = store
        self._host = host
        self._uploads: dict[str, _Upload] = {}

    def read(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request | None:
        """The request as one of the API's, None where it is none of them."""
        parts = urlsplit(target)
        match = _PATH.fullmatch(parts.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if match is None:
            return None
        operation = _operation(method, match, query)
        if operation is None:
            return None
        bucket, name = unquote(match["bucket"] or ""), match["name"] and unquote(match["name"])
        if operation == "upload":
            upload = self._uploads.get(query.get("upload_id", ""))
            name = upload.described.name if upload else _upload_name(query, headers, body)
        return Request(method, operation, bucket, name, query, headers, body)

    def answer(self, request: Request) -> Response:
        """Does what is asked for."""
        try:
            return getattr(self, f"_{request.operation}")(request)  # type: ignore[no-any-return]
        except Refusal as refusal:
            return refused(refusal.status, refusal.reason, refusal.message)

    def _bucket(self, request: Request) -> Response:
        if request.method == "POST":
            name = str(_json_object(request.body).get("name", ""))
            self._store.create_bucket(name)
            return _json(_bucket_resource(name))
        if not request.bucket:
            return _json({"kind": "storage#buckets", "items": [_bucket_resource(b) for b in self._store.buckets()]})
        self._store.versions(request.bucket)
        return _json(_bucket_resource(request.bucket))

    def _list(self, request: Request) -> Response:
        versions = self._store.versions(request.bucket)
        soft_deleted = request.query.get("softDeleted", "").lower() == "true"  # Google's client writes "True"
        page = page_of([v for v in versions if (v.deleted_at is not None) == soft_deleted], request.query)
        answer: dict[str, object] = {"kind": "storage#objects"}
        if page.versions:
            answer["items"] = [self._resource(version) for version in page.versions]
        if page.prefixes:
            answer["prefixes"] = page.prefixes
        if page.token:
            answer["nextPageToken"] = page.token
        return _json(answer)

    def _get(self, request: Request) -> Response:
        return _json(self._resource(self._read_version(request)))

    def _download(self, request: Request) -> Response:
        version = self._read_version(request)
        headers = {
            "Content-Type": version.content_type,
            "ETag": f'"{_etag(version)}"',
            "X-Goog-Generation": str(version.generation),
            "X-Goog-Metageneration": str(version.metageneration),
            "X-Goog-Hash": f"crc32c={version.crc32c},md5={version.md5}",
            "X-Goog-Stored-Content-Length": str(len(version.data)),
            "X-Goog-Stored-Content-Encoding": version.content_encoding or "identity",
        }
        if version.content_encoding:
            headers["Content-Encoding"] = version.content_encoding
        size = len(version.data)
        span = _span(request.headers.get("range"), size)
        if span is None:
            return Response(200, version.data, headers)
        first, last = span
        return Response(
            206, version.data[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{size}"}
        )

    def _update(self, request: Request) -> Response:
        changes = _json_object(request.body)
        name, conditions = request.name or "", Preconditions.of(request.query)
        return _json(self._resource(self._store.update(request.bucket, name, changes, conditions)))

    def _delete(self, request: Request) -> Response:
        generation = whole_number(request.query, "generation")
        self._store.delete(request.bucket, request.name or "", generation, Preconditions.of(request.query))
        return Response(204)

    def _upload(self, request: Request) -> Response:
        if "upload_id" in request.query:
            return self._continue(request)
        conditions = Preconditions.of(request.query)
        kind = request.query.get("uploadType")
        if kind == "media":
            return self._store_upload(_described(request, {}, request.body), {}, conditions)
        if kind == "multipart":
            description, data, content_type = _multipart(request.headers.get("content-type", ""), request.body)
            description.setdefault("contentType", content_type)
            return self._store_upload(_described(request, description, data), description, conditions)
        if kind == "resumable":
            return self._begin(request, conditions)
        raise Refusal(400, "invalid", "Unknown uploadType")

    def _begin(self, request: Request, conditions: Preconditions) -> Response:
        self._store.versions(request.bucket)
        description = _json_object(request.body or b"{}")
        description.setdefault("contentType", request.headers.get("x-upload-content-type"))
        upload_id = secrets.token_urlsafe(24)
        self._uploads[upload_id] = _Upload(_described(request, description, b""), _hashes(description), conditions)
        where = f"{self._host}/upload/storage/v1/b/{quote(request.bucket)}/o?uploadType=resumable&upload_id={upload_id}"
        return Response(200, headers={"Location": where, "X-GUploader-UploadID": upload_id})

    def _continue(self, request: Request) -> Response:
        upload = self._uploads.get(request.query["upload_id"])
        if upload is None:
            raise Refusal(404, "notFound", "No such upload")
        with upload.lock:
            if upload.done is None and not self._receive(upload, request):
                received = len(upload.received)
                return Response(308, headers={"Range": f"bytes=0-{received - 1}"} if received else {})
            return _json(self._resource(self._finish(upload)))

    def _receive(self, upload: _Upload, request: Request) -> bool:
        """Takes a chunk; whether the upload is complete. A chunk that was received already is not added twice."""
        header = request.headers.get("content-range", f"bytes 0-{len(request.body) - 1}/{len(request.body)}")
        match = _CONTENT_RANGE.fullmatch("bytes */0" if header == "bytes 0--1/0" else header)
        if match is None or (match["first"] and int(match["last"]) - int(match["first"]) + 1 != len(request.body)):
            raise Refusal(400, "invalid", "Invalid Content-Range")
        if match["first"]:
            first = int(match["first"])
            if first > len(upload.received):
                raise Refusal(503, "backendError", "A chunk before this one is missing")
            upload.received += request.body[len(upload.received) - first :]
        return match["total"] != "*" and len(upload.received) == int(match["total"])

    def _finish(self, upload: _Upload) -> Version:
        if upload.done is None:
            described = upload.described
            new = Version(
                described.bucket,
                described.name,
                0,
                bytes(upload.received),
                content_type=described.content_type,
                content_encoding=described.content_encoding,
                metadata=described.metadata,
            )
            upload.done = self._store.put(new, upload.conditions, **upload.hashes)
            upload.received.clear()
        return upload.done

    def _store_upload(self, new: Version, description: Description, conditions: Preconditions) -> Response:
        return _json(self._resource(self._store.put(new, conditions, **_hashes(description))))

    def _read_version(self, request: Request) -> Version:
        generation = whole_number(request.query, "generation")
        return self._store.get(request.bucket, request.name or "", generation, Preconditions.of(request.query))

    def _resource(self, version: Version) -> dict[str, object]:
        path = f"storage/v1/b/{quote(version.bucket)}/o/{quote(version.name, safe='', errors='surrogatepass')}"
        resource = {
            "kind": "storage#object",
            "id": f"{version.bucket}/{version.name}/{version.generation}",
            "selfLink": f"{self._host}/{path}",
            "mediaLink": f"{self._host}/download/{path}?generation={version.generation}&alt=media",
            "name": version.name,
            "bucket": version.bucket,
            "generation": str(version.generation),
            "metageneration": str(version.metageneration),
            "contentType": version.content_type,
            "contentEncoding": version.content_encoding,
            "storageClass": "STANDARD",
            "size": str(len(version.data)),
            "md5Hash": version.md5,
            "crc32c": version.crc32c,
            "etag": _etag(version),
            "timeCreated": version.created_at,
            "updated": version.updated_at,
            "softDeleteTime": version.deleted_at,
            "metadata": version.metadata or None,
        }
        return {key: value for key, value in resource.items() if value is not None}


def refused(status: int, reason: str, message: str) -> Response:
    """The answer of a failure, as the JSON API words it."""
    if status == 304:
        return Response(304)
    errors = [{"domain": "global", "reason": reason, "message": message}]
    return _json({"error": {"code": status, "message": message, "errors": errors}}, status)


def _operation(method: str, match: re.Match[str], query: Mapping[str, str]) -> str | None:
    reading = "download" if match["area"] == "download" or query.get("alt") == "media" else "get"
    if match["area"] == "upload":
        return "upload" if match["objects"] and method in ("POST", "PUT") else None
    if match["objects"] is None:
        return "bucket" if method == "GET" or (method == "POST" and not match["bucket"]) else None
    if match["name"] is None:
        return "list" if method == "GET" else None
    return {"GET": reading, "DELETE": "delete", "PATCH": "update", "PUT": "update"}.get(method)


def _upload_name(query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> str | None:
    """The object that an upload begins for; None where it cannot be told, which `answer` refuses then."""
    if "name" in query:
        return query["name"]
    try:
        if query.get("uploadType") == "multipart":
            description, _, _ = _multipart(headers.get("content-type", ""), body)
        else:
            description = _json_object(body)
    except Refusal:
        return None
    return str(description["name"]) if "name" in description else None


def _described(request: Request, description: Description, data: bytes) -> Version:
    """The object that is uploaded, without a generation. Raises `Refusal` where it has no name."""
    if not request.name:
        raise Refusal(400, "required", "Required object name")
    content_type = description.get("contentType") or request.headers.get("content-type")
    return Version(
        request.bucket,
        request.name,
        0,
        data,
        content_type=str(content_type or "application/octet-stream"),
        content_encoding=description.get("contentEncoding"),
        metadata=description.get("metadata") or {},
    )


def _hashes(description: Description) -> dict[str, str | None]:
    return {"crc32c": description.get("crc32c"), "md5": description.get("md5Hash")}


def _multipart(content_type: str, body: bytes) -> tuple[Description, bytes, str]:
    """The description, the data and the data's content type of a multipart upload. Raises `Refusal`."""
    match = re.search(r"boundary=(?:\"([^\"]+)\"|'([^']+)'|([^;\s]+))", content_type)
    boundary = b"\r\n--" + next(group for group in match.groups() if group).encode() if match else b""
    parts = (b"\r\n" + body).split(boundary) if boundary else []
    if len(parts) != 4:
        raise Refusal(400, "invalid", "A multipart upload has a description and the data")
    description = parts[1].partition(b"\r\n\r\n")[2]
    head, _, data = parts[2].partition(b"\r\n\r\n")
    header = re.search(rb"(?im)^content-type:[ \t]*([^\r\n]+)", head)
    kind = header[1].decode("latin-1").strip() if header else "application/octet-stream"
    return _json_object(description), data, kind


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    """The first and the last byte asked for; None for all. Raises `Refusal` for a range outside."""
    match = _RANGE.fullmatch(header) if header else None
    if match is None or not (match["first"] or match["last"]):
        return None
    if match["first"]:
        first, last = int(match["first"]), min(int(match["last"] or size - 1), size - 1)
    else:
        first, last = max(size - int(match["last"]), 0), size - 1
    if first > last:
        raise Refusal(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
    return first, last


def _json_object(body: bytes) -> Description:
    try:
        found: Description = json.loads(body)
    except ValueError:
        raise Refusal(400, "parseError", "Parse Error") from None
    if not isinstance(found, dict):
        raise Refusal(400, "parseError", "Parse Error")
    return found


def _json(content: Mapping[str, object], status: int = 200) -> Response:
    return Response(status, json.dumps(content).encode(), {"Content-Type": "application/json; charset=UTF-8"})


def _bucket_resource(bucket: str) -> dict[str, str]:
    return {"kind": "storage#bucket", "id": bucket, "name": bucket, "location": "EU", "metageneration": "1"}


def _etag(version: Version) -> str:
    return f"{version.generation}/{version.metageneration}"
