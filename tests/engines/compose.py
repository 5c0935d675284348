"""The compose file's containers as processes of this machine: each with its own root, as the file describes it.

A container engine has to be fed with images, which come from a registry. What the file itself says can be tried
without: environment, secrets, volumes, accounts, what can be written, names of each other, health and order. Instead of
the images stand PostgreSQL's and Kafka's own programs, and the services as their images have them installed.
"""

import ctypes
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import yaml

from standins.local import wait_until
from tests.engines.programs import Program

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose.yaml"
SECONDS = 400.0
_CLONE_NEWNET = 0x40000000
_UP = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x41))"
_Answer = TypeVar("_Answer")


def read(environ: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with its variables replaced, as `docker compose config` shows it."""

    def value(found: re.Match[str]) -> str:
        return environ.get(found[1]) or found[2]

    text = re.sub(r"(?<!\$)\$\{(\w+):-([^}]*)\}", value, COMPOSE.read_text())
    document: dict[str, Any] = yaml.safe_load(text.replace("$$", "$"))
    return document


class Network:
    """A network of its own, in which every container has the address 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        waiting = ["unshare", "--net", "sh", "-c", f'python3 -c "{_UP}" && echo up && exec sleep infinity']
        self._program = Program("network", waiting, folder / "network.log")
        self._program.await_answer(lambda: "up" in self._program.log.read_text())
        self._threads = ThreadPoolExecutor(1, initializer=self._enter)

    @property
    def path(self) -> str:
        return f"/proc/{self._program.process.pid}/ns/net"

    def do(self, function: Callable[..., _Answer], *arguments: object) -> _Answer:
        """Calls the function in the network."""
        return self._threads.submit(function, *arguments).result()

    def close(self) -> None:
        self._threads.shutdown()
        self._program.end()

    def _enter(self) -> None:
        with open(self.path) as network:  # noqa: PTH123 - what is wanted is its descriptor
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")


class Container:
    """One service of the file. `command` is what its image would start; `host` are folders of
    this machine, by the places where it finds them."""

    def __init__(
        self,
        name: str,
        service: Mapping[str, Any],
        document: Mapping[str, Any],
        folder: Path,
        network: Network,
        *,
        host: Mapping[Path, str],
        files: Mapping[str, str] | None = None,
        path: str = "",
    ) -> None:
        self.name = name
        self._service = service
        self._folder = folder / name
        self._folder.mkdir()
        self._network = network
        self._path = f"{path}:/usr/sbin:/usr/bin:/sbin:/bin".lstrip(":")
        self._mounts = _mounts(self._folder, service, document, host, files or {})
        self._program: Program | None = None
        self._last_answer = ""

    def start(self, command: Sequence[str]) -> None:
        user = str(self._service.get("user", "1000:1000")).split(":")
        root = self._folder / "root"
        root.mkdir(exist_ok=True)
        rights = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        as_user = ["setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups", *rights, "--pdeathsig=KILL"]
        script = "\n".join([*self._mounts, f'exec chroot {root} env -i -C / "$@"'])
        inside = ["nsenter", f"--net={self._network.path}", "unshare", "--mount", "sh", "-ceu", script, "sh"]
        variables = [f"{key}={value}" for key, value in self._environment().items()]
        self._program = Program(self.name, [*inside, *variables, *as_user, *command], self._folder / "log")

    def healthy(self) -> bool:
        """What its health check says, asked from inside as its own user."""
        test = self._service["healthcheck"]["test"]
        assert test[0] == "CMD"
        asked = self.run(*test[1:])
        self._last_answer = asked.stdout + asked.stderr
        return asked.returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the running container, as `docker compose exec` does."""
        pid = str(self.program.process.pid)
        user = str(self._service.get("user", "1000:1000")).split(":")
        enter = ["nsenter", "--target", pid, "--mount", "--net", "--root", "-S", user[0], "-G", user[1]]
        variables = [f"{key}={value}" for key, value in self._environment().items()]
        return subprocess.run(
            [*enter, "env", "-C", "/", "-i", *variables, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def await_health(self) -> None:
        wait_until(lambda: self.program.process.poll() is not None or self.healthy(), SECONDS)
        assert self.healthy(), f"{self.name} is not healthy: {self._last_answer[-3000:]}\n{self.log()}"

    def await_success(self) -> None:
        """Returns once it ended well, as `service_completed_successfully` asks for."""
        assert wait_until(lambda: self.program.process.poll() is not None, SECONDS), self.log()
        assert self.program.process.returncode == 0, self.log()

    def log(self) -> str:
        return self.program.log.read_text(errors="replace")[-4000:]

    @property
    def program(self) -> Program:
        assert self._program is not None
        return self._program

    def close(self) -> None:
        if self._program is not None:
            self._program.end(seconds=40.0)

    def _environment(self) -> dict[str, str]:
        given = self._service.get("environment", {}).items()
        # Where a variable is replaced by nothing, YAML makes nothing of it; the file means an empty text.
        return {"PATH": self._path, **{key: "" if value is None else str(value) for key, value in given}}


def _mounts(
    folder: Path,
    service: Mapping[str, Any],
    document: Mapping[str, Any],
    host: Mapping[Path, str],
    files: Mapping[str, str],
) -> list[str]:
    """The commands that make the container's root: this machine's programs, and what the file adds to them."""
    root = folder / "root"
    lines = ["mount --make-rprivate /", f"mount -t tmpfs tmpfs {root}"]
    # Programs, libraries and devices as they are, the machine's configuration as a copy of its own.
    lines.append(f"cp -a /etc {root}/etc")
    for place in ("/usr", "/dev", "/proc"):
        lines += _folder(root, place, place)
    lines += [f"cp -a {link} {root}{link}" for link in ("/bin", "/sbin", "/lib", "/lib64") if Path(link).is_symlink()]
    lines += [f"mkdir -p {root}/var {root}/run {root}/tmp", f"ln -s ../run {root}/var/run", f"chmod 1777 {root}/tmp"]
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {socket.gethostname()} {' '.join(document['services'])}\n")
    lines.append(f"cp {hosts} {root}/etc/hosts")
    for place, text in files.items():
        source = folder / Path(place).name
        source.write_text(text)
        source.chmod(0o755)
        lines += [*_file(root, str(source), place)]
    for secret in service.get("secrets", []):
        lines += _file(root, str(COMPOSE.parent / document["secrets"][secret]["file"]), f"/run/secrets/{secret}")
    for volume in service.get("volumes", []):
        lines += _volume(root, volume, folder.parent)
    for mount in service.get("tmpfs", []):
        place, _, options = mount.partition(":")
        lines += [f"mkdir -p {root}{place}", f"mount -t tmpfs -o {options} tmpfs {root}{place}"]
    # Last: where the checkout lies in a folder that the file makes anew, it would be hidden.
    for source, place in host.items():
        lines += _folder(root, source, place)
    if service.get("read_only"):
        lines.append(f"mount -o remount,ro {root}")
    return lines


def _folder(root: Path, source: str | Path, place: str) -> list[str]:
    return [f"mkdir -p {root}{place}", f"mount --rbind {source} {root}{place}"]


def _volume(root: Path, volume: Any, folder: Path) -> list[str]:
    if isinstance(volume, str):
        source, place = volume.split(":")[:2]
        if source.startswith("."):
            return _file(root, str(COMPOSE.parent / source), place)
        named = folder / "volumes" / source
        named.mkdir(parents=True, exist_ok=True)
        named.chmod(0o777)
        return [f"mkdir -p {root}{place}", f"mount --bind {named} {root}{place}"]
    assert volume["type"] == "bind"
    place = volume["target"]
    mounted = [f"mkdir -p {root}{place}", f"mount --bind {volume['source']} {root}{place}"]
    return [*mounted, f"mount -o remount,bind,ro {root}{place}"] if volume.get("read_only") else mounted


def _file(root: Path, source: str, place: str) -> list[str]:
    target = f"{root}{place}"
    made = [f"mkdir -p {Path(target).parent}", f"touch {target}", f"mount --bind {shlex.quote(source)} {target}"]
    return [*made, f"mount -o remount,bind,ro {target}"]


def may_mount() -> bool:
    """Whether this machine lets us make namespaces: as root, and not in a container that forbids it."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "--net", "true"], check=False).returncode == 0
