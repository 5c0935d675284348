"""gunicorn's worker process with waitress inside: one thread reads and writes all connections, whole requests go to the
threads that answer. So a client that sends or reads slowly costs a connection and no thread.

gunicorn alone knows processes and signals, waitress alone knows slow clients.
"""

import os
import resource
import time
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.server import create_server

LONGEST_REQUEST_SECONDS = 30.0
"""So long a request may take to come in, from its first byte to its last."""
_IDLE_SECONDS = 30
"""So long a connection may say nothing."""
_MOST_CONNECTIONS = 4000
_LOOK_SECONDS = 0.5
_FILES_BESIDE = 100
"""Descriptors that are no connections: database, logs, copies."""
_MOST_HEADER_BYTES = 32 * 1024
_MOST_BODY_BYTES = 4 * 1024 * 1024
"""More than the application takes, so that its own answer tells of a body that is too large."""


class BufferingWorker(Worker):  # type: ignore[misc]  # gunicorn has no type information
    """Serves until it is told to end; then answers what has come in whole."""

    def run(self) -> None:
        """Called by gunicorn in the worker's process, once the application is loaded."""
        server = self._server()
        since: dict[object, float] = {}
        while self.alive and self.ppid == os.getppid():
            self._turn(server)
            _close_slow(server, since)
        self._end(server)

    def _server(self) -> Any:
        return create_server(
            self.wsgi,
            sockets=[listener.sock for listener in self.sockets],
            threads=self.cfg.threads,
            connection_limit=_connection_limit(),
            channel_timeout=_IDLE_SECONDS,
            cleanup_interval=5,
            max_request_header_size=_MOST_HEADER_BYTES,
            max_request_body_size=_MOST_BODY_BYTES,
            # Bodies hold personal data and stay in memory.
            inbuf_overflow=2 * _MOST_BODY_BYTES,
            asyncore_use_poll=True,
            # The application decides which proxies it believes.
            clear_untrusted_proxy_headers=False,
            ident=None,
        )

    def _turn(self, server: Any) -> None:
        self.notify()
        wasyncore.loop(timeout=_LOOK_SECONDS, use_poll=True, map=server._map, count=1)  # noqa: SLF001

    def _end(self, server: Any) -> None:
        """Takes no further connection and finishes the requests in hand, for as long as gunicorn waits."""
        server.del_channel()
        for listener in self.sockets:
            # Or callers would wait for somebody who takes no call any more, until the file in hand is finished.
            listener.sock.close()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < deadline and any(_is_busy(channel) for channel in server.active_channels.values()):
            self._turn(server)
        server.task_dispatcher.shutdown(timeout=1)


def _is_busy(channel: Any) -> bool:
    return bool(channel.requests or channel.total_outbufs_len)


def _close_slow(server: Any, since: dict[object, float]) -> None:
    """Closes connections whose request takes too long to come in; `since` knows when each one began."""
    moment = time.monotonic()
    coming_in = {channel for channel in server.active_channels.values() if channel.request is not None}
    for channel in set(since) - coming_in:
        del since[channel]
    for channel in coming_in:
        if moment - since.setdefault(channel, moment) > LONGEST_REQUEST_SECONDS:
            channel.will_close = True


def _connection_limit() -> int:
    """As many connections as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _FILES_BESIDE
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(most, soft) - _FILES_BESIDE if soft < wanted else _MOST_CONNECTIONS
