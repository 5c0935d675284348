"""fake-gcs-server, a bucket server of others, built from the Go module proxy."""

import json
import os
import re
import subprocess
from pathlib import Path

from tests.engines.kafka import BUILD
from tests.engines.programs import program

VERSION = "v1.56.1"
_MODULE = "github.com/fsouza/fake-gcs-server"
_TOOLCHAIN = "golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64"
"""The Go that it asks for. Debian's is older, but fetches this one as it fetches any module."""


def fake_gcs_server() -> Path:
    """The program, built where it is not there. Go compares what it fetches with the public checksum database."""
    BUILD.mkdir(parents=True, exist_ok=True)
    target = BUILD / "go" / VERSION / "fake-gcs-server"
    if not target.exists():
        go = program("go", what="Debian package golang-go", places=["/usr/local/go/bin"])
        number = re.search(r"go1\.(\d+)", _run(go, "version"))
        assert number is not None
        _run(_newer(go) if int(number[1]) < 26 else go, "install", f"{_MODULE}@{VERSION}", GOBIN=str(target.parent))
    return target


def _newer(go: str) -> str:
    # What comes from the module proxy has lost the mark of programs.
    folder = Path(json.loads(_run(go, "mod", "download", "-json", _TOOLCHAIN))["Dir"])
    for place in (folder / "bin", folder / "pkg" / "tool" / "linux_amd64"):
        for path in place.iterdir():
            path.chmod(0o755)
    return str(folder / "bin" / "go")


def _run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, "GOTOOLCHAIN": "local", **environment}, cwd=BUILD, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
