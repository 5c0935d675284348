"""What the servers of the demo and the tests have in common: ports of this machine, and waiting for something."""

import socket
import time
from collections.abc import Callable
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def free_port() -> int:
    """A port of 127.0.0.1 that is kept for a minute for whoever binds it by its number, as servers do.

    A closed connection of it stays behind, which the system remembers for so long: nobody is given such a port by
    chance, and only a socket with `SO_REUSEADDR` gets it. Without that, two processes could be told the same port.
    """
    with socket.create_server((LOOPBACK, 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            accepted, _ = server.accept()
            # The side that closes first is the one that is remembered.
            accepted.close()
            client.recv(1)
    port: int = address[1]
    return port


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Polls for the condition; whether it came about in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
