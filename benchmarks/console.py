"""What each page of both consoles costs with 10,000 people and 2,000 files, many of them failed, for an operator.

Medians of whole requests, session and access log included, without a network: milliseconds by the clock, those of the
processor on our side, and waits for the database.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from benchmarks.console_data import DECISIONS, fill_patients, fill_therapists
from benchmarks.meters import CountingProxy
from benchmarks.tables import Row
from curavani.schema import upgrade
from patient_service.app import create_app as create_patient_app
from shared.database.engine import create_engine
from standins.postgres import EmbeddedPostgres
from therapist_service.app import create_app as create_therapist_app

ROUNDS = 9
_HTTPS = "https://console.example.com"
_TOKEN = "benchmark-token-of-a-good-length"
_SHARED = {
    "overview": "/console",
    "imports": "/console/imports",
    "failed files, last page": "/console/imports?status=failed&page=10",
    "a file": "/console/imports/11",
    "a failed file": "/console/imports/10",
    "people": "/console/people",
    "people by name, page 400": "/console/people?order=name&page=400",
    "people of a place": "/console/people?ort=ach&plz=52",
    "a person": "/console/people/4000",
    "a person with a long history": "/console/people/1",
    "editing one": "/console/people/4000/edit",
    "entering one": "/console/people/new",
    "erasing one": "/console/people/4000/erase",
    "decisions": "/console/decisions?state=all",
    "a decision": "/console/decisions/7",
    "accesses": "/console/accesses",
    "help": "/console/help",
}
_OF_PATIENTS = {
    "correcting a failed file": "/console/imports/10/correct",
    "entering it by hand": "/console/imports/10/by-hand",
    "due": "/console/people/due",
    "erasures": "/console/people/erasures",
}
_OF_THERAPISTS = {
    "a held list of 100 practices": f"/console/decisions/{DECISIONS + 1}",
    "left out": "/console/people/left-out",
}
_PATIENT_SEARCHES = {
    "search: name": "Mueller4000 Max",
    "search: letters that many have": "mueller",
    "search: phone": "0241 4000",
    "search: birth date": "03.02.1990",
    "search: e-mail": "max4000@example.com",
    "search: who waits": "Wartend10",
    "search: number": "4000",
}
_THERAPIST_SEARCHES = {
    "search: name": "Scheel",
    "search: letters that many have": "er",
    "search: phone": "1463386",
    "search: number": "4000",
}


@dataclass(frozen=True, slots=True)
class Console:
    """One service's console: what it is measured with, its own pages, and what is searched for."""

    name: str
    create_app: Callable[..., Flask]
    fill: Callable[[sa.Engine, str, Path], None]
    pages: Mapping[str, str]
    searches: Mapping[str, str]


CONSOLES = (
    Console("patients", create_patient_app, fill_patients, _OF_PATIENTS, _PATIENT_SEARCHES),
    Console("therapists", create_therapist_app, fill_therapists, _OF_THERAPISTS, _THERAPIST_SEARCHES),
)


def run() -> list[Row]:
    """Rows of the table of figures: the page, its milliseconds, those of the processor, its round trips."""
    rows: list[Row] = []
    with EmbeddedPostgres() as server, tempfile.TemporaryDirectory() as folder:
        for console in CONSOLES:
            rows.append((console.name, "ms", "processor ms", "round trips"))
            rows += _figures(server, Path(folder), console)
    return rows


def _figures(server: EmbeddedPostgres, root: Path, console: Console) -> list[Row]:
    folder = root / console.name
    folder.mkdir()
    url = server.create_database(console.name)
    engine = create_engine(url, application_name="benchmark")
    upgrade(engine)
    console.fill(engine, url, folder)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    engine.dispose()
    rows: list[Row] = []
    with CountingProxy(server) as proxy, _signed_in(console.create_app, proxy.before(url), folder) as (client, token):
        for name, path in {**_SHARED, **console.pages}.items():
            rows.append((name, *_measured(client, proxy, path)))
        for name, text in console.searches.items():
            rows.append((name, *_measured(client, proxy, "/console/search", {"csrf_token": token, "search": text})))
    return rows


def _measured(
    client: FlaskClient, proxy: CountingProxy, path: str, form: Mapping[str, str] | None = None
) -> tuple[float, ...]:
    seconds, processor = [], []
    before = proxy.round_trips
    for _ in range(ROUNDS):
        began, used = time.perf_counter(), time.process_time()
        answer = client.open(path, base_url=_HTTPS, method="POST" if form else "GET", data=form)
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")
    return median(seconds) * 1000, median(processor) * 1000, (proxy.round_trips - before) / ROUNDS


@contextmanager
def _signed_in(create_app: Callable[..., Flask], url: str, folder: Path) -> Iterator[tuple[FlaskClient, str]]:
    """An operator's browser, and the token that its forms carry."""
    environment = {
        "DATABASE_URL": url,
        "API_TOKENS": f"bench:operate:{_TOKEN}",
        "PATIENT_IMPORT_LOCAL_PATH": str(folder),
        "PATIENT_RETENTION_DAYS": "3650",
        "THERAPIST_IMPORT_FOLDER_PATH": str(folder),
        "LOG_LEVEL": "ERROR",
    }
    app = create_app(environment, start_workers=False)
    client = app.test_client()
    try:
        form = {"csrf_token": _token(client, "/console/sign-in"), "token": _TOKEN}
        client.post("/console/sign-in", base_url=_HTTPS, data=form)
        yield client, _token(client, "/console")
    finally:
        app.extensions["curavani"].close()


def _token(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path, base_url=_HTTPS).text)
    if found is None:
        raise RuntimeError(f"no form on {path}")
    return found[1]


if __name__ == "__main__":
    from benchmarks.tables import print_table

    print_table("console", run())
