"""Processes of this Python that begin with the libraries already loaded, which is most of what a command costs.

`Popen` and `run` are `subprocess`' own, for commands that begin with `sys.executable` and go on with `-m` or `-c`. One
process has imported our packages, and nothing else has happened in it. It forks for each command: the child takes over
argv, environment, folder and open files, and is then a process like any other, with signals, groups and exit code of
its own. How commands start from nothing is tests/unit/test_quick_commands.py's.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import prometheus_client.values

_NUMBER = struct.Struct("q")
_OURS = ("shared", "patient_service", "therapist_service", "curavani")
_LATE = ("sqlalchemy.dialects.postgresql.psycopg", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread")
"""What libraries import once they need it."""


class Popen(subprocess.Popen):
    """`subprocess.Popen`, but that the process is forked where its libraries are loaded already."""

    _ended: socket.socket

    def _execute_child(  # noqa: PLR0917 - as the standard library calls it
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, restore_signals, gid, gids, uid, umask,
        start_new_session, process_group,
    ) -> None:  # fmt: skip
        python, *arguments = map(os.fspath, args)
        assert (python, arguments[0] in ("-m", "-c"), executable, shell) == (sys.executable, True, None, False)
        assert (preexec_fn, pass_fds, process_group, umask) == (None, (), -1, -1)
        request = {
            "arguments": arguments,
            "environment": dict(os.environ if env is None else env),
            "folder": str(Path(cwd or ".").absolute()),
            "new_session": start_new_session,
        }
        files = [given if given != -1 else ours for ours, given in enumerate((p2cread, c2pwrite, errwrite))]
        nursery = _nursery()
        self._ended, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(nursery, [b"x"], [*files, theirs.fileno()])
        text = json.dumps(request).encode()
        try:
            self._ended.sendall(_NUMBER.pack(len(text)) + text)
            self.pid = _number(self._ended)
        except (EOFError, OSError) as error:
            raise RuntimeError(nursery.recv(65536).decode()) from error
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        with suppress(TimeoutError):
            self._collect(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        try:
            self._collect(timeout)
        except (TimeoutError, BlockingIOError):
            raise subprocess.TimeoutExpired(self.args, timeout) from None
        return self.returncode

    def _collect(self, timeout: float | None) -> None:
        if self.returncode is None:
            self._ended.settimeout(timeout)
            with suppress(BlockingIOError):
                self.returncode = os.waitstatus_to_exitcode(_number(self._ended))
                self._ended.close()


def run(command: list[Any], *, timeout: float, check: bool = False, **options: Any) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run` for a process of this kind."""
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, **options) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
    if check:
        done.check_returncode()
    return done


@functools.cache
def _nursery() -> socket.socket:
    """Where processes are asked for; the one behind it ends with the socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        # Like every process that a test starts, in the tests' group: a Ctrl-C in the terminal reaches its children.
        # All its streams are the socket, since Python asks but once whether a stream has a position.
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes"],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONUTF8": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _number(connection: socket.socket) -> int:
    return int(_NUMBER.unpack(_exactly(connection, _NUMBER.size))[0])


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        more = connection.recv(size - len(received))
        if not more:
            raise EOFError
        received += more
    return received


def _load() -> None:
    """Imports what a command or a server would, once asked."""
    for package in map(importlib.import_module, _OURS):
        for module in _modules(package):
            importlib.import_module(module)
    for module in _LATE:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()


def _modules(package: ModuleType) -> list[str]:
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [name for name in names if not name.startswith("curavani.demo") and not name.endswith("__main__")]


def _fork_on_demand(demands: socket.socket) -> tuple[socket.socket, list[int]] | None:
    """Forks for each demand, and tells how the children ended. Returns in a child, or with None at the end."""
    waiting: dict[int, socket.socket] = {}
    wake, woken = socket.socketpair()
    woken.setblocking(False)
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([demands, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            for pid, status in _ended():
                with waiting.pop(pid) as connection, suppress(BrokenPipeError):
                    connection.sendall(_NUMBER.pack(status))
        if demands in ready:
            data, files, _, _ = socket.recv_fds(demands, 1, 4)
            if not data:
                return None
            connection = socket.socket(fileno=files.pop())
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                for other in (demands, wake, woken, *waiting.values()):
                    other.close()
                return connection, files
            for file in files:
                os.close(file)
            waiting[pid] = connection


def _ended() -> Iterator[tuple[int, int]]:
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found


def _become(connection: socket.socket, files: list[int]) -> list[str]:
    """Lets this process, a fork, be what was asked for; returns the command to run."""
    with connection:
        request = json.loads(_exactly(connection, _number(connection)))
        if request["new_session"]:
            os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        connection.sendall(_NUMBER.pack(os.getpid()))
    assert isinstance(sys.stdout, TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    arguments: list[str] = request["arguments"]
    return arguments


def _go_on(arguments: list[str]) -> None:
    """What Python does with its arguments."""
    how, what, *rest = arguments
    sys.argv = [how, *rest]
    if how == "-m":
        sys.modules.pop(f"{what}.__main__", None)
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), main.__dict__)


def _main() -> None:
    _load()
    with socket.socket(fileno=os.dup(0)) as demands:
        demanded = _fork_on_demand(demands)
    if demanded is not None:
        os.execv = _replace
        try:
            _go_on(_become(*demanded))
        except SystemExit as ended:
            if isinstance(ended.code, str):
                raise
            _end(ended.code or 0)
        _end(0)


def _replace(_python: str, command: list[str]) -> None:
    """`os.execv`: goes on as a server in the same process, as `curavani serve` does."""
    importlib.reload(prometheus_client.values)  # it chooses on import whether processes count together
    _go_on(command[1:])


def _end(code: int) -> NoReturn:
    """Ends as Python does, but for the freeing of all that was loaded, which takes longer than most commands."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _main()
