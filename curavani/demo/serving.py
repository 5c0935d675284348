"""Both services over the demo's stack, until Ctrl-C: addresses, sign-ins, and what to try first."""

import os
import signal
import socket
import subprocess
import sys
from typing import TextIO

import requests

from curavani.cli.output import TROUBLE, USAGE, end, print_table, talk
from curavani.demo.stack import PEOPLE, TOKENS, DemoStack
from standins.local import wait_until

_PORTS = {"patient": 8001, "therapist": 8002}
_START_SECONDS = 120


def require_ports() -> None:
    """Ends the command where a service could not listen, before anything is started."""
    for name, port in _PORTS.items():
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            end(f"The {name} service needs port {port}: {reason}. End what listens there, such as another demo.", USAGE)


def serve(stack: DemoStack, log: TextIO, waiting: int) -> None:
    """Runs both services, whose logs join the demo's. `waiting` is the registration to try first."""
    processes = {name: _started(stack, log, name) for name in _PORTS}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for name, process in processes.items():
            # An address that does not answer yet would be taken for a broken one.
            if not wait_until(lambda: _answers(name) or process.poll() is not None, _START_SECONDS):  # noqa: B023
                end(f"The {name} service does not answer. Its log is in {log.name}", TROUBLE)
            if process.poll() is not None:
                end(f"The {name} service has ended. Its log is in {log.name}", TROUBLE)
        _tell(waiting)
        for process in processes.values():
            process.wait()
    except KeyboardInterrupt:
        talk("Ending …")
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def _started(stack: DemoStack, log: TextIO, name: str) -> "subprocess.Popen[bytes]":
    other = next(port for service, port in _PORTS.items() if service != name)
    addresses = {"CONSOLE_BASE_URL": _address(_PORTS[name]), "OTHER_CONSOLE_URL": _address(other)}
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "curavani", "serve", name, "--port", str(_PORTS[name])],
        env={**os.environ, **stack.environment, **addresses},
        stdout=log,
        stderr=log,
    )


def _tell(waiting: int) -> None:
    rows = [(name, f"{_address(port)}/console", f"{_address(port)}/docs") for name, port in _PORTS.items()]
    print_table(("service", "console", "API"), rows, title="Both services are running")
    rows = [(name, role, TOKENS[name]) for name, role in PEOPLE.items()]
    print_table(("who", "may", "token to sign in with"), rows, title="Sign-ins, for both")
    talk(f"Next: sign in as wilma and correct P{waiting}: {_address(_PORTS['patient'])}/console/imports/{waiting}")
    talk("Ctrl-C ends everything.")


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _answers(name: str) -> bool:
    try:
        return requests.get(f"{_address(_PORTS[name])}/readyz", timeout=1).ok
    except requests.RequestException:
        return False
