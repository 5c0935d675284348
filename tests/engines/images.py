"""Both images: built by buildah on a base made of Debian's packages, and run without a container engine."""

import json
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.engines.programs import Program, program

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "engines" / "images"
UID = 10001
_PYTHON = "python3,python3-venv,python3-pip,ca-certificates"
# The Dockerfiles' base has its Python under this name, and lets pip install beside Debian's packages.
_LIKE_THE_BASE = """FROM scratch
ADD base.tar /
RUN ln -s python3 /usr/bin/python && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
"""


def run(*command: str | Path) -> str:
    """What the program prints; fails with its last words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, f"{command}: {(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


class Buildah:
    """A store of images of the suite's own."""

    def __init__(self) -> None:
        self._program = program("buildah", what="Debian package buildah")
        FOLDER.mkdir(parents=True, exist_ok=True)

    def __call__(self, *arguments: str | Path) -> str:
        store = ("--root", FOLDER / "store", "--runroot", FOLDER / "run", "--storage-driver", "vfs")
        return run(self._program, *store, *arguments)

    def build(self, service: str) -> str:
        """Builds the Dockerfile with pip as this machine has it configured; returns the image's name.

        The base stands in under the tag's name, so the tag's digest is left aside.
        """
        text = (ROOT / f"{service}_service" / "Dockerfile").read_text(encoding="utf-8")
        text = re.sub(r"^(FROM [^\s@]+)@\S+", r"\1", text, flags=re.MULTILINE)
        for base in set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)):
            self._need_base(f"docker.io/library/{base}")
        file = FOLDER / f"{service}.Dockerfile"
        file.write_text(text, encoding="utf-8")
        name = f"localhost/curavani/{service}-service:tests"
        how = ("--isolation", "chroot", "--layers=false", "--pull-never", "--format", "docker", "--quiet")
        self("build-using-dockerfile", *how, *_pips_settings(), "--file", file, "--tag", name, ROOT)
        return name

    def _need_base(self, name: str) -> None:
        if name in self("images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
            return
        archive = FOLDER / "base.tar"
        if not archive.exists():
            _make_base(archive)
        (FOLDER / "Containerfile").write_text(_LIKE_THE_BASE)
        self("build-using-dockerfile", "--isolation", "chroot", "--layers=false", "--tag", name, FOLDER)


def _make_base(archive: Path) -> None:
    """This machine's Debian at its smallest, with Python, from where this machine's own packages come."""
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    mirror = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {codename}")
    tree = FOLDER / "base"
    debootstrap = program("debootstrap", what="Debian package debootstrap", places=["/usr/sbin"])
    run("rm", "--recursive", "--force", tree)
    run(debootstrap, "--variant=minbase", f"--include={_PYTHON}", codename, tree, *mirror.split()[:1])
    unneeded = [f"--exclude=./{path}" for path in ("var/cache/apt/*", "var/lib/apt/lists/*", "usr/share/doc/*")]
    run("tar", "--directory", tree, *unneeded, "--create", "--file", archive.with_suffix(".new"), ".")
    archive.with_suffix(".new").rename(archive)
    run("rm", "--recursive", tree)


def _pips_settings() -> list[str]:
    """Volumes with pip's configuration, wherever it comes from here, and the files that it names."""
    listed = run(sys.executable, "-m", "pip", "config", "list")
    settings = dict(re.findall(r"^[^\n=]*\.([a-z-]+)='(.*)'$", listed, re.MULTILINE))
    written = FOLDER / "pip.conf"
    # It may name a mirror with a login.
    written.touch(mode=0o600)
    written.write_text("\n".join(["[global]", *[f"{name} = {value}" for name, value in settings.items()], ""]))
    named = {Path(value) for value in settings.values() if value.startswith("/") and Path(value).exists()}
    volumes = [f"{written}:/etc/pip.conf:ro", *[f"{path}:{path}:ro" for path in sorted(named)]]
    return [f"--volume={volume}" for volume in volumes]


class Running:
    """Processes of an image in its own files, as the image's configuration says: account, variables and commands.

    `mounts` are folders of this machine by where the image finds them; everything else cannot be written to but /tmp.
    """

    def __init__(self, buildah: Buildah, image: str, mounts: Mapping[str, Path], variables: Mapping[str, str]) -> None:
        self.config: Mapping[str, Any] = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
        self._buildah = buildah
        self._name = buildah("from", "--pull-never", image).strip()
        self.root = Path(buildah("mount", self._name).strip())
        self._mounts = dict(mounts)
        self._variables = [*self.config["Env"], *[f"{name}={value}" for name, value in variables.items()]]
        for place in mounts:
            (self.root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def command(self, *arguments: str) -> list[str]:
        """What runs a command inside, in mounts of its own: with no capability, and no way to gain one."""
        inside = {place: self.root / place.lstrip("/") for place in ("/", "/dev", "/proc", "/tmp", *self._mounts)}
        script = [
            f"mount --bind {self.root} {self.root}",
            *[f"mount --rbind {place} {inside[place]}" for place in ("/dev", "/proc")],
            f"mount -t tmpfs -o mode=1777,size=64m tmpfs {inside['/tmp']}",
            *[f"mount --bind {folder} {inside[place]}" for place, folder in self._mounts.items()],
            f"mount -o remount,bind,ro {self.root}",
            f'exec chroot {self.root} env -i -C / "$@"',
        ]
        user, group = self.config["User"].split(":")
        rights = ("--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--pdeathsig=KILL")
        as_user = ("setpriv", f"--reuid={user}", f"--regid={group}", *rights)
        return ["unshare", "--mount", "sh", "-ceu", "\n".join(script), "sh", *self._variables, *as_user, *arguments]

    def start(self, log: Path) -> Program:
        """Starts what the image starts."""
        return Program(self._name, self.command(*self.config["Entrypoint"], *self.config["Cmd"]), log)

    def run(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def healthy(self) -> bool:
        """What the health check in the image's configuration says."""
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.run(*command)[0] == 0

    def close(self) -> None:
        self._buildah("rm", self._name)
