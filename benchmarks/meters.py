"""What an import costs wherever it runs: round trips to the database, and the processor time of its server."""

import os
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from standins.postgres import EmbeddedPostgres

_CHUNK = 1 << 16
_READINGS = 10
_PAUSE = 0.02


class CountingProxy:
    """Stands before a server and counts how often a client has waited for its answer: every time the server speaks
    after the client has."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.round_trips = 0
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def before(self, url: str) -> str:
        """The address by which the database of `url` is reached through the proxy."""
        parts = urlsplit(url)
        host = f"{parts.netloc.rpartition(':')[0]}:{self._listener.getsockname()[1]}"
        return urlunsplit(parts._replace(netloc=host))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server.port))
        client_spoke = False
        with client, server, selectors.DefaultSelector() as selector:
            for one, other in ((client, server), (server, client)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(one, selectors.EVENT_READ, other)
            while True:
                for key, _ in selector.select():
                    speaker, listener = key.fileobj, key.data
                    data = os.read(key.fd, _CHUNK)
                    if not data:
                        return
                    listener.sendall(data)
                    if speaker is server and client_spoke:
                        self.round_trips += 1
                    client_spoke = speaker is client


def server_seconds(server: EmbeddedPostgres) -> float:
    """The processor time of the server and all its processes, those that have ended too."""
    # While a process ends, its time stands nowhere for a moment.
    readings = []
    for _ in range(_READINGS):
        children = [_times(child)[:2] for child in _children(server.pid)]
        readings.append(sum(_times(server.pid)) + sum(map(sum, children)))
        time.sleep(_PAUSE)
    return max(readings) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(int(entry.name)) == pid:
            yield int(entry.name)


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def _times(pid: int) -> tuple[int, ...]:
    """User and system time, then those of children that have ended, in ticks."""
    fields = _stat(pid)
    return tuple(map(int, fields[11:15])) if fields else (0, 0, 0, 0)


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []  # ended since
    return text.rpartition(")")[2].split()
