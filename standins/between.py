"""A server before a real one that harms the answers on their way: what a client may meet, whatever the protocol."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum, auto
from types import TracebackType
from typing import Final, Self

from standins.local import LOOPBACK

_CHUNK: Final = 65536
_SLOWLY_SECONDS: Final = 0.5


class Harm(StrEnum):
    """What becomes of an answer."""

    NONE = auto()
    CLOSED = auto()
    """The connection ends instead."""
    NOISE = auto()
    """As many bytes of any kind."""
    HALF_THEN_SILENCE = auto()
    HALF_THEN_CLOSED = auto()
    SLOWLY = auto()
    """A byte now and then."""
    LOST = auto()
    """It never comes, this one only."""


class Between:
    """Listens on a port of its own for a server at `host:port`.

    What is set as `harm` holds for the answers from then on, also on connections that are open already. Once it is NONE
    again, harmed connections end: what was left out of an answer cannot be made good. `names` is how the server writes
    the port where it says whom to turn to: ours is written instead.
    """

    def __init__(self, host: str, port: int, *, names: Callable[[int], bytes] | None = None) -> None:
        self._server = (host, port)
        self._names = names
        self._harm = Harm.NONE
        self._changed = threading.Condition()
        self._listener = socket.create_server((LOOPBACK, 0))
        self._open: set[socket.socket] = set()
        self._harmed: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def harm(self) -> Harm:
        return self._harm

    @harm.setter
    def harm(self, harm: Harm) -> None:
        with self._changed:
            self._harm = harm
            if harm is Harm.NONE:
                for connection in self._harmed:
                    _end(connection)
                self._harmed.clear()
            self._changed.notify_all()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._listener)
        self._listener.close()
        self.harm = Harm.NONE
        with self._changed:
            for connection in self._open:
                _end(connection)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            with self._changed:
                self._open |= {client, server}
            for what in (self._ask, self._answer):
                thread = threading.Thread(target=what, args=(client, server), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        """Hands on what the client says, as it is."""
        with suppress(OSError):
            while said := client.recv(_CHUNK):
                server.sendall(said)
        _end(server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while answer := server.recv(_CHUNK):
                if not self._hand_on(client, self._renamed(answer)):
                    break
        for connection in (client, server):
            _end(connection)
        with self._changed:
            self._open -= {client, server}
            self._harmed.discard(client)
        client.close()
        server.close()

    def _renamed(self, answer: bytes) -> bytes:
        return answer.replace(self._names(self._server[1]), self._names(self.port)) if self._names else answer

    def _hand_on(self, client: socket.socket, answer: bytes) -> bool:
        """Sends what is left of the answer; whether the connection goes on."""
        with self._changed:
            harm = self._harm
            if harm is Harm.LOST:
                self._harm = Harm.NONE
            elif harm is not Harm.NONE:
                self._harmed.add(client)
        if harm is Harm.NONE:
            client.sendall(answer)
        elif harm is Harm.NOISE:
            client.sendall(os.urandom(len(answer)))
        elif harm is Harm.SLOWLY:
            return self._drip(client, answer)
        elif harm in (Harm.HALF_THEN_SILENCE, Harm.HALF_THEN_CLOSED):
            client.sendall(answer[: len(answer) // 2])
            if harm is Harm.HALF_THEN_SILENCE:
                self._await_other_than(harm)
        return harm in (Harm.NONE, Harm.NOISE, Harm.LOST)

    def _drip(self, client: socket.socket, answer: bytes) -> bool:
        for place in range(len(answer)):
            client.sendall(answer[place : place + 1])
            with self._changed:
                if self._changed.wait_for(lambda: client not in self._harmed, _SLOWLY_SECONDS):
                    return False
        return True

    def _await_other_than(self, harm: Harm) -> None:
        """Says nothing for as long as the harm lasts."""
        with self._changed:
            self._changed.wait_for(lambda: self._harm is not harm)


def _end(connection: socket.socket) -> None:
    """Wakes whoever waits for it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
