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
from tests.engines.conftest import registration, therapist
from tests.engines.dockerfiles import ROOT, copied, dockerfile

SERVICES = ("patient", "therapist")
UID = 10001
TOKEN = "a-token-for-the-image-test"


# Each of the commands as a process of its own, which begins with the libraries of all loaded.
COMMANDS = """
import json, os, sys
import alembic.command, psycopg, sqlalchemy.dialects.postgresql.psycopg
from curavani.__main__ import main
ended = []
for words in json.loads(sys.argv[1]):
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        sys.argv = ["curavani", *words]
        main()
        sys.exit()
    os.close(writing)
    with open(reading) as output:
        said = output.read()
    ended.append((os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), said))
json.dump(ended, sys.stdout)
"""


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
        self._install(folder / "sources")

    def _install(self, sources):
        for name in ("uv.lock", *copied(self.service)):
            place, copy = ROOT / name, sources / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(place, copy, dirs_exist_ok=True) if place.is_dir() else shutil.copy(place, copy)
        uv = Path(sys.executable).with_name("uv")
        # Made anew: uv would take a wheel that it made of earlier sources.
        wheel = ("--no-editable", "--reinstall-package", "curavani")
        selection = ("--locked", "--no-dev", "--extra", self.service, *wheel, "--quiet")
        subprocess.run(
            [uv, "sync", *selection, "--python", interpreter(self.account)],
            cwd=sources,
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

    def commands(self, *commands, **environment):
        """How each of the commands ended, and what it said."""
        code, output = self.run("python", "-c", COMMANDS, json.dumps(commands), **environment)
        assert code == 0, output
        return [tuple(ended) for ended in json.loads(output)]

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
def other(image):
    """The other service."""
    return next(name for name in SERVICES if name != image.service)


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


def test_an_image_holds_what_its_service_needs_and_nothing_else(image, other):
    listed = (ROOT / f"{image.service}_service" / "requirements.txt").read_text(encoding="utf-8")
    named = {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", listed, re.MULTILINE)}
    assert image.packages() <= named | {"curavani"}
    assert ("google-cloud-storage" in image.packages()) == (image.service == "patient")
    # No tools of libraries: what is left is ours, and the interpreter under its names.
    commands = {path.name for path in (image.venv / "bin").iterdir() if not path.name.startswith("python")}
    assert commands == {"curavani"}
    # Of the other service just what the database's schema is made of.
    (package,) = image.venv.glob(f"lib/python*/site-packages/{other}_service")
    present = {f"{other}_service/{path.relative_to(package)}" for path in package.rglob("*.py")}
    assert present == {path for path in copied(image.service) if path.startswith(f"{other}_service/")}


OF_ONE_SERVICE = {
    "patient": (
        *(["serve", "patient"], ["imports", "run", "patient"]),
        *(["patients", "due"], ["check", "Mustermann_Max_20250705_0b1ab67b.json"]),
    ),
    "therapist": (
        ["serve", "therapist"],
        ["therapists", "erase", "1", "--yes"],
        ["baseline", "."],
        ["check", "52066.json"],
    ),
}


def test_an_image_says_in_a_sentence_which_commands_it_has_not(image, environment, other):
    sentence = f"Error: This image has nothing of the {other} service but its tables. Run it in that service's image.\n"
    # A file that is not there shows that what reads it is.
    file = OF_ONE_SERVICE[image.service][-1]
    unread = f"Error: {file[1]}: cannot be read. Check path and permissions.\n"
    foreign = OF_ONE_SERVICE[other]
    upgraded, *refused, checked = image.commands(["db", "upgrade"], *foreign, file, **environment)
    assert upgraded[0] == 0
    assert refused == [(2, sentence)] * len(foreign)
    assert checked == (2, unread)


def test_an_image_looks_after_the_whole_database(image, environment):
    on_tables = [["db", "upgrade"], ["db", "check"], ["db", "current"], ["db", "adopt", "--plan"]]
    on_rows = [["reviews", "list"], ["imports", "list"], ["events", "status"], ["sessions", "list"]]
    *ended, (_, output) = image.commands(*on_tables, *on_rows, ["doctor", "--json"], **environment)
    assert [output for code, output in ended if code != 0] == []
    found = {part["part"]: part for part in json.loads(output)}
    foreign = {"patient": ["therapist folder"], "therapist": ["bucket", "local copies"]}[image.service]
    assert [part for part, line in found.items() if line["advice"] == "Not part of this image."] == foreign


@pytest.fixture
def waiting_file(image, bucket, storage_server):
    """A file for each service's import."""
    storage_server.put(bucket, "Mustermann_Max_20250705_0b1ab67b.json", registration())
    scrapes = image.data / "scrapes"
    scrapes.mkdir()
    (scrapes / "52066.json").write_text(json.dumps({"metadata": {}, "therapists": [therapist(1)]}))


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
