"""What the services' images are made of, without a container engine: the same packages and the project's wheel in an
environment of their own, which the account that runs the service cannot write to, far from the checkout."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from standins.local import free_port, wait_until
from standins.postgres_account import Account

ROOT = Path(__file__).parents[2]
SERVICES = ("patient", "therapist")
UID = 10001
TOKEN = "a-token-for-the-image-test"


def dockerfile(service):
    return (ROOT / f"{service}_service" / "Dockerfile").read_text(encoding="utf-8")


def test_the_two_images_differ_in_nothing_but_the_service():
    pairs = zip(*(dockerfile(service).splitlines() for service in SERVICES), strict=True)
    for patient, therapist in pairs:
        renamed = patient.replace("patient", "therapist").replace("8001", "8002")
        assert therapist in (patient, renamed)


def account():
    """Whom the image would run as, where this process may become somebody else; otherwise itself."""
    return Account(UID, UID) if os.geteuid() == 0 else Account()


def interpreter(who):
    """A Python that the account can reach: this one, or the system's where this one lies in a closed home folder."""
    for candidate in (getattr(sys, "_base_executable", sys.executable), shutil.which("python3", path=os.defpath)):
        if candidate and who.can_enter(Path(candidate).resolve().parent):
            return candidate
    raise AssertionError("no Python that another account can run")


def change_mode(folder, change):
    """Changes the mode of the folder and of every folder in it: a file may be a link into the packages' cache."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(change(stat.S_IMODE(path.stat().st_mode)))


class Image:
    """One service, installed as its image has it."""

    def __init__(self, service, folder):
        self.service = service
        self.account = account()
        self.venv = folder / "opt"
        self.scratch = folder / "tmp"
        self.data = folder / "data"
        self.scratch.mkdir()
        self.data.mkdir()
        self.account.own(self.scratch)
        self.account.own(self.data)
        self._install()

    def _install(self):
        uv = Path(sys.executable).with_name("uv")
        # Made anew: uv would take a wheel that it made of earlier sources.
        wheel = ("--no-editable", "--reinstall-package", "curavani")
        selection = ("--locked", "--no-dev", "--extra", self.service, *wheel, "--quiet")
        subprocess.run(
            [uv, "sync", *selection, "--python", interpreter(self.account)],
            cwd=ROOT,
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(self.venv)},
            check=True,
            timeout=300,
        )
        tidying = re.search(r"^RUN (find .*)$", dockerfile(self.service), re.MULTILINE)[1]
        subprocess.run(tidying.replace("/opt/curavani", str(self.venv)).split(), check=True)
        # Where it is another account that runs the service, the files are not its own anyway.
        if self.account.user is None:
            change_mode(self.venv, lambda mode: mode & ~0o222)

    def popen(self, *command, **environment):
        """Starts a program of the image as its account would: no home, nothing of this process's environment."""
        return subprocess.Popen(
            command,
            cwd="/",
            env={"PATH": f"{self.venv}/bin:{os.defpath}", "TMPDIR": str(self.scratch), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self.account.options,
        )

    def run(self, *command, **environment):
        process = self.popen(*command, **environment)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def packages(self):
        code = "import importlib.metadata as m; print(*(d.metadata['Name'].lower() for d in m.distributions()))"
        _, output = self.run("python", "-c", code)
        return set(output.replace("_", "-").split())


@pytest.fixture(scope="module", params=SERVICES)
def image(request):
    folder = Path(tempfile.mkdtemp(prefix="curavani-image-"))
    folder.chmod(0o755)
    yield Image(request.param, folder)
    change_mode(folder, lambda mode: mode | 0o200)
    shutil.rmtree(folder)


@pytest.fixture
def environment(image, database_url, bucket, storage_server):
    url = image.data / "database_url"
    url.write_text(database_url + "\n")
    url.chmod(0o444)
    return {
        "DATABASE_URL_FILE": str(url),
        "API_TOKENS": f"test:operate:{TOKEN}",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(image.data / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(image.data / "scrapes"),
        "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
    }


@pytest.mark.slow
def test_an_image_holds_what_its_service_needs_and_nothing_else(image):
    listed = (ROOT / f"{image.service}_service" / "requirements.txt").read_text(encoding="utf-8")
    named = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", listed, re.MULTILINE)}
    assert image.packages() <= named | {"curavani"}
    assert ("google-cloud-storage" in image.packages()) == (image.service == "patient")
    # No tools of libraries: what is left is ours, and the interpreter under its names.
    commands = {path.name for path in (image.venv / "bin").iterdir() if not path.name.startswith("python")}
    assert commands == {"curavani"}


@pytest.fixture
def waiting_file(image, bucket, storage_server, make_registration, make_therapist):
    """A file for each service's import."""
    storage_server.put(bucket, "Mustermann_Max_20250705_0b1ab67b.json", make_registration())
    scrapes = image.data / "scrapes"
    scrapes.mkdir()
    (scrapes / "52066.json").write_text(json.dumps({"metadata": {}, "therapists": [make_therapist(1)]}))


@pytest.mark.slow
@pytest.mark.usefixtures("waiting_file")
def test_an_image_migrates_serves_imports_and_stops(image, environment):
    code, output = image.run("curavani", "db", "upgrade", **environment)
    assert code == 0, output
    port = free_port()
    process = image.popen("curavani", "serve", image.service, "--port", str(port), **environment)
    try:
        assert wait_until(lambda: process.poll() is not None or total(image.service, port) == 1, 120)
        assert process.poll() is None
        assert image.run(*health_check(image.service, port))[0] == 0
        # Templates, translations and the API's pages are files that a wheel can leave out.
        assert "Anmelden" in page(port, "/console/sign-in")
        assert "color" in page(port, "/console/static/console.css")
        assert "swagger" in page(port, "/docs").lower()
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    # Whatever cannot be written where there is no home and nothing else to write to shows up as a line of another form.
    assert [line for line in output.splitlines() if not line.startswith("{")] == []
    assert image.run(*health_check(image.service, port))[0] != 0


def page(port, path):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept-Language": "de"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def total(service, port):
    """How many patients or therapists the service has; None while it does not answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/{service}s", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["total"]
    except OSError:
        return None


def health_check(service, port):
    """The health check of the Dockerfile, asking the given port."""
    text = dockerfile(service)
    command = json.loads(re.search(r"HEALTHCHECK[^\[]*(\[.*\])", text)[1])
    return [part.replace(re.search(r"^EXPOSE (\d+)$", text, re.MULTILINE)[1], str(port)) for part in command]
