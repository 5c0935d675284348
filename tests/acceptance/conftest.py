"""Both services as real processes with imported samples, and a real browser in front of them."""

import itertools
import os
import re
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from curavani.demo.samples.registrations import generate_registrations
from curavani.demo.samples.scrapes import Scrape, broken_scrapes, generate_scrapes, next_week
from shared.database.engine import create_engine
from standins.local import free_port, wait_until
from standins.storage_emulator import StorageEmulator
from tests import processes

PATIENCE_SECONDS = 120
TOKENS = {role: f"{role[0]}-token-of-24-characters" for role in ("look", "read", "write", "operate")}
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""The system's browser, the one without windows if it is there; None leaves the choice to Playwright, which then takes
the one that it has installed."""
# What every window of the whole browser loads for its address line, which nobody sees here and which takes longer
# than our pages. Before it stands Playwright's own list, which this one replaces.
_WITHOUT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    "TcpPortRandomizationWin,OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch,"
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup"
)
SWITCHES = [
    f"--disable-features={_WITHOUT}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A host that is another machine to the browser, and is reached all the same.
    "--host-resolver-rules=MAP console.test 127.0.0.1",
]
_numbers = itertools.count(1)
_FIRST_SCRAPE = date(2025, 7, 9)
_WEEKS = 9
# As if each scrape had come in its own week, the last one in this.
_SPREAD_OVER_WEEKS = """
UPDATE therapist_service.import_tracking SET
  processed_at = processed_at - (latest - scrape_date), first_seen_at = first_seen_at - (latest - scrape_date)
FROM (SELECT max(scrape_date) AS latest FROM therapist_service.import_tracking) AS scrapes
WHERE scrape_date IS NOT NULL
"""


class Services:
    """The two services, each a process of its own, with what they work on."""

    def __init__(self, database_url: str, storage: StorageEmulator, bucket: str, folder: Path) -> None:
        self.storage = storage
        self.bucket = bucket
        self.folder = folder
        self.engine = create_engine(database_url, application_name="tests")
        self._exit = ExitStack()
        self._ports = {name: free_port() for name in ("patient", "therapist")}
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "API_TOKENS": (
                "Lena:look:l-token-of-24-characters,Rita:read:r-token-of-24-characters,"
                "Wilma:write:w-token-of-24-characters,Olga:operate:o-token-of-24-characters"
            ),
            "GCS_IMPORT_BUCKET": bucket,
            "STORAGE_EMULATOR_HOST": storage.host,
            "PATIENT_IMPORT_LOCAL_PATH": str(folder / "copies"),
            # One failed attempt is enough to want a person.
            "PATIENT_IMPORT_MAX_ATTEMPTS": "1",
            "THERAPIST_IMPORT_FOLDER_PATH": str(folder),
            "THERAPIST_IMPORT_SETTLE_SECONDS": "0",
            "LOG_LEVEL": "ERROR",
        }

    def address(self, service: str, path: str = "/console") -> str:
        return f"http://127.0.0.1:{self.port(service)}{path}"

    def port(self, service: str) -> int:
        return self._ports[service]

    def start(self) -> None:
        for name, port in self._ports.items():
            command = [sys.executable, "-m", "curavani", "serve", name, "--port", str(port)]
            process = processes.Popen(command, env=self._environment)
            self._exit.callback(process.wait)
            self._exit.callback(process.terminate)
        for name in self._ports:
            assert wait_until(lambda name=name: self._is_up(name), PATIENCE_SECONDS)
            assert wait_until(lambda name=name: self.is_idle(name), PATIENCE_SECONDS)

    def stop(self) -> None:
        self._exit.close()
        self.engine.dispose()

    def one(self, statement: str, **values: Any) -> Any:
        with self.engine.begin() as connection:
            return connection.execute(sa.text(statement), values).scalar()

    def upload(self, name: str, data: bytes) -> None:
        self.storage.put(self.bucket, name, data)

    def number_of(self, name: str) -> int:
        """The ledger's number of the object, once it has one."""
        statement = "SELECT max(id) FROM patient_service.import_tracking WHERE file_name = :name"
        assert wait_until(lambda: self.one(statement, name=name) is not None, PATIENCE_SECONDS)
        return int(self.one(statement, name=name))

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        return wait_until(condition, PATIENCE_SECONDS)

    def is_idle(self, service: str) -> bool:
        """Whether a pass has finished and none is running."""
        newest = f"SELECT finished_at FROM {service}_service.import_passes ORDER BY id DESC LIMIT 1"
        return self.one(newest) is not None

    def _is_up(self, service: str) -> bool:
        with suppress(OSError), urllib.request.urlopen(self.address(service, "/readyz")) as answer:
            return bool(answer.status == 200)
        return False


@pytest.fixture(scope="module")
def services(
    postgres: Any, storage_server: StorageEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """Both services, after their first pass over some of the demo's samples."""
    # A number, since files that failed stay in their bucket, and the next module may be this process's, too.
    name = f"console_{os.getpid()}_{next(_numbers)}"
    storage_server.create_bucket(name)
    folder = tmp_path_factory.mktemp("scrapes")
    found = Services(postgres.create_database(name, template="template"), storage_server, name, folder)
    for registration in generate_registrations(1, 8):
        found.upload(registration.object_name, registration.content)
    for scrape in _scrapes():
        path = folder / scrape.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scrape.content)
    try:
        found.start()
        with found.engine.begin() as connection:
            connection.execute(sa.text(_SPREAD_OVER_WEEKS))
        yield found
    finally:
        found.stop()
        storage_server.faults.clear()
        postgres.drop_database(name)


def _scrapes() -> list[Scrape]:
    """Weeks of two postal codes, and one of each peculiarity."""
    week = generate_scrapes(1, 120, _FIRST_SCRAPE)
    scrapes = [*broken_scrapes(1, _FIRST_SCRAPE), *week]
    for number in range(1, _WEEKS):
        week = next_week(week, number)
        scrapes += week
    return scrapes


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield started
        started.close()


class Visitor:
    """Somebody in front of a screen. What the browser complains about is kept; nothing of it is allowed."""

    def __init__(self, context: BrowserContext, services: Services) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self._services = services
        self.page.set_default_timeout(PATIENCE_SECONDS * 1000)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dismiss)

    def open(self, path: str = "/console", service: str = "patient") -> None:
        self.page.goto(self._services.address(service, path))

    def sign_in(self, role: str, service: str = "patient") -> None:
        self.open("/console/sign-in", service)
        self.page.get_by_label("Zugangsschlüssel").fill(TOKENS[role])
        self.page.get_by_role("button", name="Anmelden").click()
        self.page.get_by_role("heading", name="Übersicht").wait_for()
        # A heading shows before the page's script runs.
        self.page.wait_for_load_state()

    def enter(self, role: str, service: str) -> None:
        """Opens the overview, signed in without the form being shown."""
        address = self._services.address(service, "/console/sign-in")
        shown = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.context.request.get(address).text())
        assert shown
        form = {"csrf_token": shown[1], "token": TOKENS[role], "next": "/console"}
        assert self.context.request.post(address, form=form, headers={"Referer": address}).ok
        self.open(service=service)
        self.page.get_by_role("heading", name="Übersicht").wait_for()

    def import_now(self) -> None:
        """Asks for a pass, on the overview; returns once the page says so, and goes nowhere by itself any more."""
        self.page.get_by_role("button", name="Jetzt importieren").click()
        self.page.get_by_text("Der Import beginnt, sobald kein anderer mehr läuft.").wait_for()

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _dismiss(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def visit(browser: Browser, services: Services) -> Iterator[Any]:
    """Makes a visitor with a browser profile of their own; keywords are the profile's."""
    visitors: list[Visitor] = []

    def make(role: str | None = None, service: str = "patient", **profile: Any) -> Visitor:
        visitor = Visitor(browser.new_context(locale="de-DE", **profile), services)
        visitors.append(visitor)
        if role is not None:
            visitor.enter(role, service)
        return visitor

    yield make
    for visitor in visitors:
        visitor.context.close()
        assert visitor.complaints == []


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Takes the README's picture of this name, small enough for it; kept with `--write-images`."""

    def take(page: Page, name: str) -> None:
        taken = page.screenshot(full_page=True)
        assert len(taken) < _LARGEST_PICTURE_BYTES
        kept = _ROOT / "docs" / "images" / f"console-{name}.png"
        if request.config.getoption("--write-images"):
            kept.write_bytes(taken)
        assert f"](docs/images/{kept.name})" in (_ROOT / "README.md").read_text(encoding="utf-8")
        assert kept.read_bytes().startswith(b"\x89PNG")

    return take


_ROOT = Path(__file__).parents[2]
_LARGEST_PICTURE_BYTES = 250_000
