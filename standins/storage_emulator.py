"""A Google Cloud Storage of one's own: an HTTP server in this process, with the faults that the real one can have.

The emulator on the package index ignores generation preconditions, so that a delete of the wrong generation deletes:
that is the very thing the import must be tested for.
"""

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

from standins.local import LOOPBACK
from standins.storage_api import Request, Response, StorageApi, refused
from standins.storage_faults import Faults, Met
from standins.storage_objects import ObjectStore, Preconditions, Refusal, Version

_CONTROL_PATH = "/_faults"
_IDLE_SECONDS = 300.0


class StorageEmulator:
    """The server on a port of 127.0.0.1, free and then kept where `port` is 0.

    The objects outlive `stop` and `start`; with a folder, they outlive the process, too. Another process sets faults
    by POST of JSON to `/_faults` (`{"operation": "list", "kind": 503, "times": 2}`) and ends them by DELETE.
    """

    def __init__(self, folder: Path | None = None, *, port: int = 0, buckets: tuple[str, ...] = ()) -> None:
        self.faults = Faults()
        self._store = ObjectStore(folder)
        self._port = port
        self._api: StorageApi | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        for bucket in buckets:
            self.create_bucket(bucket)

    @property
    def host(self) -> str:
        """The address, for `STORAGE_EMULATOR_HOST`; complete after the first start."""
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> Self:
        """Serves, on the port of the last start. Does nothing where it serves already."""
        if self._server is None:
            self._server = _Server(self._port, self.faults)
            self._port = self._server.server_address[1]
            # Kept through a restart, as the real one keeps the uploads that are under way.
            self._api = self._api or StorageApi(self._store, self.host)
            self._server.api = self._api
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Ends serving and cuts the connections there are. Does nothing where it does not serve."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        server.shutdown()
        thread.join()
        server.server_close()
        server.cut_connections()
        self._server = self._thread = None

    def restart(self) -> None:
        """Stops and starts on the same port."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def create_bucket(self, bucket: str) -> None:
        """Creates the bucket unless there is one."""
        try:
            self._store.create_bucket(bucket)
        except Refusal as refusal:
            if refusal.status != 409:
                raise

    def put(self, bucket: str, name: str, data: bytes, content_type: str = "application/json") -> int:
        """Stores an object as a client's upload would, in a bucket made for it if need be; its generation."""
        self.create_bucket(bucket)
        return self._store.put(Version(bucket, name, 0, data, content_type=content_type), Preconditions()).generation

    def data(self, bucket: str, name: str) -> bytes:
        """The live generation's bytes. Raises `Refusal` where there is none."""
        return self._store.get(bucket, name, None, Preconditions()).data

    def names(self, bucket: str) -> list[str]:
        """The live objects."""
        return [version.name for version in self._store.live(bucket)]

    def generations(self, bucket: str, name: str) -> list[int]:
        """Every generation the object ever had, the oldest first, live or not."""
        return [version.generation for version in self._store.versions(bucket) if version.name == name]

    def deleted(self, bucket: str) -> list[Version]:
        """The soft-deleted generations: of deleted objects, and those replaced by a newer one."""
        return [version for version in self._store.versions(bucket) if version.deleted_at is not None]


class _Server(ThreadingHTTPServer):
    """Knows its connections: a client's open one would be served on after the server was closed."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    api: StorageApi

    def __init__(self, port: int, faults: Faults) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.faults = faults
        self._connections: WeakSet[socket.socket] = WeakSet()
        self._connections_lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        with self._connections_lock:
            self._connections.add(connection)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: a connection that breaks is what this server is there for."""

    def cut_connections(self) -> None:
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # closed already


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self._send(refused(411, "required", "Length Required"))
            return
        body = self.rfile.read(int(length))
        if self.path == _CONTROL_PATH:
            self._send(self._control(body))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = self.server.api.read(self.command, self.path, headers, body)
        if request is None:
            self._send(refused(404, "notFound", "Not Found"))
            return
        met = self.server.faults.take(request.operation, request.name)
        if met is None:
            self._send(self.server.api.answer(request))
        elif isinstance(met.kind, int):
            self._send(refused(met.kind, "injected", "An injected fault"))
        else:
            self._fail(request, met)

    do_GET = _serve  # noqa: N815 - the base class looks for this name
    do_POST = _serve  # noqa: N815 - the base class looks for this name
    do_PUT = _serve  # noqa: N815 - the base class looks for this name
    do_PATCH = _serve  # noqa: N815 - the base class looks for this name
    do_DELETE = _serve  # noqa: N815 - the base class looks for this name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Writes nothing: the names of objects are in the paths."""

    def _control(self, body: bytes) -> Response:
        if self.command == "DELETE":
            self.server.faults.clear()
            return Response(204)
        try:
            self.server.faults.add_from(json.loads(body) if self.command == "POST" else None)
        except ValueError as error:
            return refused(400, "invalid", str(error))
        return Response(204)

    def _fail(self, request: Request, met: Met) -> None:
        kind = met.kind
        # Of a download, half of the answer comes first: that is where real ones stall.
        early = kind == "stall" and request.operation == "download"
        if kind == "reset" or (kind == "stall" and not early):
            if kind == "stall":
                met.stall()
            self._reset()
            return
        if kind == "hold":
            met.stall()
            self._send(self.server.api.answer(request))
            return
        response = self.server.api.answer(request)
        if kind == "after":
            self._reset()
        elif kind == "wrong_bytes":
            middle = len(response.body) // 2
            changed = bytes([response.body[middle] ^ 1]) if response.body else b""
            body = response.body[:middle] + changed + response.body[middle + 1 :]
            self._send(Response(response.status, body, response.headers))
        else:
            self._send(response, only=len(response.body) // 2)
            if early:
                met.stall()
            self.close_connection = True

    def _send(self, response: Response, only: int | None = None) -> None:
        """Sends the answer, of its body the first `only` bytes, with the length of all."""
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body[:only])

    def _reset(self) -> None:
        """Breaks the connection off, which the client sees as a reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
