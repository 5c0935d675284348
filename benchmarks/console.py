"""What each page of the console costs with 10,000 patients and 2,000 files, many of them failed, for an operator.

Medians of whole requests, session and access log included, without a network: milliseconds by the clock, those of the
processor on our side, and waits for the database.
"""

import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from flask.testing import FlaskClient

from benchmarks.meters import CountingProxy
from benchmarks.tables import Row
from curavani.schema import upgrade
from patient_service.app import create_app
from patient_service.models import kernel
from patient_service.use_cases import create_patient
from shared.database.engine import create_engine, transaction
from standins.postgres import EmbeddedPostgres

PATIENTS = 10_000
FILES = 2_000
FAILED_EACH = 10
"""One file in so many failed."""
ROUNDS = 9
_HTTPS = "https://console.example.com"
_TOKEN = "benchmark-token-of-a-good-length"
_PAGES = {
    "overview": "/console",
    "imports": "/console/imports",
    "failed files, last page": "/console/imports?status=failed&page=10",
    "a file": "/console/imports/11",
    "a failed file": "/console/imports/10",
    "correcting it": "/console/imports/10/correct",
    "patients": "/console/people",
    "patients by name, page 400": "/console/people?order=name&page=400",
    "patients of a place": "/console/people?ort=ach&plz=52",
    "a patient": "/console/people/4000",
    "editing one": "/console/people/4000/edit",
    "entering one": "/console/people/new",
    "decisions": "/console/decisions?state=all",
    "a decision": "/console/decisions/7",
    "accesses": "/console/accesses",
    "due": "/console/people/due",
    "erasures": "/console/people/erasures",
    "erasing one": "/console/people/4000/erase",
    "help": "/console/help",
}
_SEARCHES = {
    "search: name": "Mueller4000 Max",
    "search: letters that many have": "mueller",
    "search: phone": "0241 4000",
    "search: birth date": "03.02.1990",
    "search: e-mail": "max4000@example.com",
    "search: who waits": "Wartend10",
    "search: number": "4000",
}


def run() -> list[Row]:
    """Rows of the table of figures: the page, its milliseconds, those of the processor, its round trips."""
    with EmbeddedPostgres() as server, tempfile.TemporaryDirectory() as folder:
        url = server.create_database("console")
        engine = create_engine(url, application_name="benchmark")
        upgrade(engine)
        with transaction(engine) as connection:
            _fill(connection, Path(folder))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
        engine.dispose()
        with CountingProxy(server) as proxy, _signed_in(proxy.before(url), folder) as (client, token):
            rows: list[Row] = [("", "ms", "processor ms", "round trips")]
            for name, path in _PAGES.items():
                rows.append((name, *_measured(client, proxy, path)))
            for name, text in _SEARCHES.items():
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
def _signed_in(url: str, folder: str) -> Iterator[tuple[FlaskClient, str]]:
    """An operator's browser, and the token that its forms carry."""
    environment = {
        "DATABASE_URL": url,
        "API_TOKENS": f"bench:operate:{_TOKEN}",
        "PATIENT_IMPORT_LOCAL_PATH": folder,
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


def _fill(connection: sa.Connection, folder: Path) -> None:
    """People, files with their copies, and decisions as a busy year leaves them."""
    for number in range(1, PATIENTS + 1):
        create_patient(connection, _patient(number), "benchmark")
    since = datetime.now(UTC) - timedelta(days=120)
    connection.execute(sa.insert(kernel.import_tracking), [_file(n, since, folder) for n in range(1, FILES + 1)])
    reviews = [
        {"kind": "possible_duplicate", "entity_id": n, "import_id": n * 10 + 1, "detail": {"candidates": [n + 1]}}
        for n in range(1, 100)
    ]
    connection.execute(sa.insert(kernel.reviews), reviews)


def _patient(number: int) -> dict[str, object]:
    return {
        "anrede": "Herr", "geschlecht": "männlich", "vorname": "Max", "nachname": f"Müller{number}",
        "plz": f"{52000 + number % 100}", "ort": "Aachen", "telefon": f"0241 {number}",
        "email": f"max{number}@example.com", "geburtsdatum": datetime(1950 + number % 50, 2, 3, tzinfo=UTC).date(),
    }  # fmt: skip


def _file(number: int, since: datetime, folder: Path) -> dict[str, object]:
    is_failed = number % FAILED_EACH == 0
    came = since + timedelta(hours=number)
    path = f"{number}.json"
    patient = {"anrede": "Herrn" if is_failed else "Herr", "geschlecht": "männlich", "vorname": "Willi",
               "nachname": f"Wartend{number}", "telefon": f"0221 {number}"}  # fmt: skip
    document = {"patient_data": patient, "consent_metadata": {}, "registration_token": f"{number:08x}"}
    (folder / path).write_text(json.dumps(document), encoding="utf-8")
    return {
        "source_key": f"{number}", "bucket": "bucket", "file_name": f"Wartend_Willi_{number:08x}.json",
        "file_version": "1", "local_path": path, "uploaded_at": came, "first_seen_at": came, "processed_at": came,
        "status": "failed" if is_failed else "success", "error_code": "validation_failed" if is_failed else None,
    }  # fmt: skip


if __name__ == "__main__":
    from benchmarks.tables import print_table

    print_table("console", run())
