"""fake-gcs-server, a bucket server of others, built from the Go module proxy."""

import os
import subprocess
from pathlib import Path

from tests.engines.kafka import BUILD
from tests.engines.programs import program

_MODULE = "github.com/fsouza/fake-gcs-server"
VERSION = "v1.56.1"


def fake_gcs_server() -> Path:
    """The program, built where it is not there. Go compares what it fetches with the public checksum database."""
    target = BUILD / "go" / VERSION / "fake-gcs-server"
    if not target.exists():
        go = program("go", what="Debian package golang-go", places=["/usr/local/go/bin"])
        done = subprocess.run(
            [go, "install", f"{_MODULE}@{VERSION}"],
            env={**os.environ, "GOBIN": str(target.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return target
