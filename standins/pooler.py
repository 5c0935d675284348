"""A connection pooler in front of PostgreSQL: as small as it can be, to give sessions of the server to clients as
PgBouncer does, for the length of a client's connection or of a transaction.
"""

import os
import socket
import struct
import threading
from contextlib import closing, suppress
from typing import Literal

import psycopg

from standins.local import LOOPBACK

PoolMode = Literal["session", "transaction"]

_SSL_REQUEST = 80877103
_READY = b"Z"
_IDLE = b"I"


class _Closed(Exception):
    """The other side has gone."""


class StandinPooler:
    """Takes every user without a password, and speaks to the server as the user of `url`.

    In transaction mode the session that came back last is given first, as PgBouncer does.
    """

    def __init__(self, url: str, mode: PoolMode) -> None:
        self.mode = mode
        self._url = url
        self._idle: list[socket.socket] = []
        self._sessions: list[psycopg.Connection[tuple[object, ...]]] = []
        self._servers: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listening = socket.create_server((LOOPBACK, 0))
        self._clients: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    def close(self) -> None:
        """Ends every connection, and waits for the threads."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._threads[0].join()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for server in self._servers:
            server.close()
        for session in self._sessions:
            session.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._clients.append(client)
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with closing(client), suppress(_Closed, OSError):
            _greet(client)
            while True:
                request = _until(client, b"QS")
                server = server or self._take()
                server.sendall(request)
                answer = _until(server, _READY)
                # Before the client is answered, as PgBouncer does: what it asks next may find this session.
                if self.mode == "transaction" and answer.endswith(_IDLE):
                    self._give_back(server)
                    server = None
                client.sendall(answer)

    def _take(self) -> socket.socket:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            # The driver logs in; what is said from then on goes through the socket below it.
            session = psycopg.connect(self._url, autocommit=True)
            self._sessions.append(session)
        below = socket.socket(fileno=os.dup(session.pgconn.socket))
        below.setblocking(True)
        self._servers.append(below)
        return below

    def _give_back(self, server: socket.socket) -> None:
        with self._lock:
            self._idle.append(server)


def _greet(client: socket.socket) -> None:
    while True:
        (length,) = struct.unpack("!i", _exactly(client, 4))
        body = _exactly(client, length - 4)
        if struct.unpack("!i", body[:4]) != (_SSL_REQUEST,):
            break
        client.sendall(b"N")
    known = {"server_version": "18.0", "client_encoding": "UTF8", "standard_conforming_strings": "on"}
    told = [_message(b"S", f"{name}\0{value}\0".encode()) for name, value in known.items()]
    client.sendall(b"".join([_message(b"R", struct.pack("!i", 0)), *told, _message(_READY, _IDLE)]))


def _until(side: socket.socket, last: bytes) -> bytes:
    """The messages up to one of these kinds."""
    messages = b""
    while True:
        kind = _exactly(side, 1)
        size = _exactly(side, 4)
        messages += kind + size + _exactly(side, struct.unpack("!i", size)[0] - 4)
        if kind in last:
            return messages


def _exactly(side: socket.socket, number: int) -> bytes:
    found = b""
    while len(found) < number:
        part = side.recv(number - len(found))
        if not part:
            raise _Closed
        found += part
    return found


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
