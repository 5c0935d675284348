"""Both images, built from their Dockerfiles and run as their configuration says.

What is proved: that the Dockerfiles build and what is in the images; that they run as 10001 without capabilities, with
a root that cannot be written to and secrets as files; their health check and their end on a signal. What is not: the
base is this machine's Debian with its own Python under the name of the Dockerfiles' base, and no container engine
starts them, but the same calls of the kernel made by hand, with the network and the processes of this machine.
"""

import os
from contextlib import closing

import pytest

from tests.engines.compose import may_mount
from tests.engines.dockerfiles import copied
from tests.engines.images import UID, Buildah, Running

SERVICES = ("patient", "therapist")


@pytest.fixture(scope="module", params=SERVICES)
def built(request):
    """The service, and the name of its image."""
    if os.geteuid() != 0 or not may_mount():
        pytest.skip("images are built and run by root only, where it may mount")
    buildah = Buildah()
    return request.param, buildah, buildah.build(request.param)


@pytest.fixture
def running(built, database_url, bucket, storage_server, tmp_path):
    _, buildah, image = built
    secrets, data = tmp_path / "secrets", tmp_path / "data"
    for folder, name, content in (
        (secrets, "database_url", database_url),
        (secrets, "api_tokens", "test:operate:a-token-of-24-characters"),
    ):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(content + "\n")
    data.mkdir()
    os.chown(data, UID, UID)
    mounts = {"/run/secrets": secrets, "/var/lib/curavani": data}
    variables = {
        "DATABASE_URL_FILE": "/run/secrets/database_url",
        "API_TOKENS_FILE": "/run/secrets/api_tokens",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": "/var/lib/curavani",
        "THERAPIST_IMPORT_FOLDER_PATH": "/var/lib/curavani",
    }
    with closing(Running(buildah, image, mounts, variables)) as started:
        yield started


def test_an_image_holds_its_own_service_and_no_tools(built, running):
    service, _, _ = built
    other = next(name for name in SERVICES if name != service)
    venv = running.root / "opt/curavani"
    tools = {path.name for path in (venv / "bin").iterdir() if not path.name.startswith("python")}
    assert tools == {"curavani"}
    (packages,) = venv.glob("lib/python*/site-packages")
    assert not list(packages.glob("pip*"))
    assert not list(packages.glob("*/*/Dockerfile"))
    present = {str(path.relative_to(packages)) for path in (packages / f"{other}_service").rglob("*.py")}
    assert present == {path for path in copied(service) if path.startswith(f"{other}_service/")}
    # Nothing of what it was built from or with, nor of the project's own tests.
    for left_over in ("build", "root/.cache", "opt/curavani/tests"):
        assert not (running.root / left_over).exists(), left_over


def test_an_image_runs_with_no_rights_and_ends_in_good_order(running, tmp_path):
    code, output = running.run("curavani", "db", "upgrade")
    assert code == 0, output
    code, output = running.run("python", "-c", "print(open('/proc/self/status').read())")
    status = dict(line.split(":\t", 1) for line in output.splitlines() if ":\t" in line)
    assert (status["Uid"], status["Gid"]) == ("\t".join([str(UID)] * 4),) * 2
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    # Root could not either: it is the mount that refuses.
    for place in ("/", "/opt/curavani", "/var"):
        code, output = running.run("python", "-c", f"open('{place}/written', 'w')")
        assert code == 1
        assert "Read-only file system" in output

    assert not running.healthy()
    process = running.start(tmp_path / "log")
    try:
        process.await_answer(running.healthy)
    finally:
        code = process.end()
    log = (tmp_path / "log").read_text()
    assert code == 0, log
    # Whatever has no place to write shows up as a line of another form.
    assert [line for line in log.splitlines() if not line.startswith("{")] == []
    assert not running.healthy()
