"""Servers of others as child processes of the suite: started once, ended with it, their last words at hand."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from standins.local import wait_until

START_SECONDS = 180.0
"""So long a server may take until it answers: the machine may be busy with something else."""


class Program:
    """A process with its log in a file. It ends at the latest with the thread that started it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        as_nobody: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        group = pwd.getpwnam("nobody").pw_gid
        as_account = ["--reuid", "nobody", "--regid", str(group), "--clear-groups"] if as_nobody else []
        with log.open("ab") as opened:
            self.process = subprocess.Popen(
                ["setpriv", *as_account, "--pdeathsig", "KILL", *command],
                env={"PATH": os.environ["PATH"], "TZ": "UTC", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=opened,
                start_new_session=True,
                cwd="/",
            )

    def await_answer(self, answers: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Returns once it answers; fails with the end of its log where it ended or took too long."""
        wait_until(lambda: self.process.poll() is not None or answers(), seconds)
        if self.process.poll() is not None or not answers():
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
            pytest.fail(f"{self.name} did not start (exit status {self.process.poll()}):\n{tail}")

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Sends the signal and waits for the end; kills what does not heed it. Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def program(name: str, *, what: str, places: Sequence[str] = ()) -> str:
    """The path of a program that no Python package brings. Continuous integration has to have it."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *places]))
    if found is None:
        missing(f"{name} is not installed ({what})")
    assert found is not None
    return found


def debians_postgres() -> Path:
    """The folder of the programs of Debian's PostgreSQL, the newest where there are several."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True
    )
    return Path(program("initdb", what="Debian package postgresql", places=[*map(str, folders)])).parent


def missing(sentence: str) -> None:
    """Leaves a part out with a sentence; where continuous integration runs it is a failure: it can install what is not
    there. A right that the machine does not give is nobody's failure."""
    if "CI" in os.environ:
        pytest.fail(sentence)
    pytest.skip(sentence)


def open_to_others(folder: Path) -> None:
    """Lets another account read the folder, which pytest makes for its own account only."""
    for parent in (folder, *list(folder.parents)[:-2]):
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    for path in folder.iterdir():
        path.chmod(0o644)
    folder.chmod(0o755)
