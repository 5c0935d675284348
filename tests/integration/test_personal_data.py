"""Canaries: a marker in every place of good and broken registrations, searched for wherever it must not be."""

import json
import os
import signal
import sys
from contextlib import suppress

import pytest
import requests

from standins.local import free_port, wait_until
from standins.mail_sink import MailSink
from tests import processes

pytestmark = pytest.mark.slow

MARK = "zqxk"
KEY = f"key{MARK}"
"""The names of unknown fields are kept with the findings; their values are not."""

BELONGS = {
    ("patienten", "*"),
    ("patient_consents", "*"),
    ("field_changes", "old_value"),
    ("field_changes", "new_value"),
    ("event_outbox", "payload"),
    ("import_tracking", "file_name"),
}
FIELDS = ("vorname", "nachname", "strasse", "ort", "telefon", "hausarzt", "krankenkasse", "krankenversicherungsnummer")
FIELDS += ("symptome", "empfehler_der_unterstuetzung", "verkehrsmittel")


def document(token, person=MARK, **answers):
    """A registration with the marker wherever text may stand."""
    return {
        "patient_data": {
            "anrede": "Frau",
            "geschlecht": "weiblich",
            "geburtsdatum": "1990-02-03",
            "email": f"{person}@{MARK}.example",
            **{field: f"{MARK} {field}" for field in FIELDS},
            "nachname": person,
            "zeitliche_verfuegbarkeit": {MARK: [MARK, {"tief": MARK}]},
            "diagnose": MARK,
            KEY: MARK,
            **answers,
        },
        "consent_metadata": {
            "ip_address": MARK,
            "user_agent": MARK,
            "timestamp_utc": "2025-07-05T14:33:55Z",
            MARK: [MARK],
        },
        "registration_timestamp": f"{MARK}",
        "registration_token": token,
        "contracts": {MARK: MARK},
    }


def registrations():
    """(object name, bytes) of good and broken files."""
    good = document("aaaa0001")
    files = {
        "0001": good,
        "0002": document("aaaa0002", telefon=f"{MARK} 2"),
        "0003": document("aaaa0003", vorname=f"{MARK} other"),
        "0004": document("aaaa0004", **dict.fromkeys(FIELDS, MARK * 3000)),
        "0005": document("aaaa0005", **{field: [MARK] for field in FIELDS}),
        "0006": document("aaaa0006", anrede=MARK, geschlecht=MARK, geburtsdatum=MARK, email=MARK, offen_fuer_diga=MARK),
        "0007": document(f"{MARK}7"),
        "0008": {**good, "consent_metadata": MARK},
        "0009": document("aaaa0009", hausarzt=f"{MARK}\x00"),
        "0010": {**good, "registration_token": [MARK]},
        "0011": document("aaaa0011", person=f"crash{MARK}", ort="crash"),
        "0012": document("aaaa0012", person=f"unread{MARK}"),
        "0013": document("aaaa0013", person=f"undeleted{MARK}"),
    }
    named = {f"{MARK}_{MARK}_20250705_aaaa{number}.json": json.dumps(file).encode() for number, file in files.items()}
    text = json.dumps(document("aaaa0020"))
    return named | {
        f"{MARK}\n\x1b[31m/../broken.json": text[:-30].encode(),
        f"{MARK}/twice.json": text.replace('"vorname"', f'"{MARK}": 1, "{MARK}": 2, "vorname"').encode(),
        f"{MARK}/latin.json": text.replace("Frau", "Fräu").encode("latin-1"),
        f"{MARK}/deep.json": (text[:-1] + f', "{MARK}": ' + "[" * 60 + "]" * 60 + "}").encode(),
        f"{MARK}/large.json": text.encode() + b" " * 200_000,
        f"{MARK}/notes.txt": text.encode(),
    }


def ask_everything(base):
    """Requests with the marker in them, and what they are answered."""
    headers = {"Authorization": "Bearer looker-token-24-characters", "X-Request-Id": MARK * 30, "User-Agent": MARK}
    for path in ("imports", "imports/1", "imports/4", "reviews", "patients/import-status"):
        yield requests.get(f"{base}/api/{path}", headers=headers, timeout=30)
    yield requests.get(f"{base}/metrics", timeout=30)
    yield requests.get(f"{base}/health/import", timeout=30)
    yield requests.get(f"{base}/api/patients/{MARK}", headers=headers, timeout=30)
    writer = {"Authorization": "Bearer writer-token-24-characters"}
    crash = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": MARK, "nachname": MARK, "ort": "crash"}
    for body in (
        crash,
        {**crash, "email": MARK},
        {**crash, "vorname": [MARK]},
        {**crash, "symptome": MARK * 9000},
        MARK,
    ):
        yield requests.post(f"{base}/api/patients", headers=writer, json=body, timeout=30)
    yield requests.post(f"{base}/api/patients", headers=writer, data=f'{{"{MARK}', timeout=30)
    yield requests.get(f"{base}/api/patients", headers={"Authorization": f"Bearer {MARK}"}, timeout=30)


def test_personal_data_stays_where_it_belongs(patients, curavani, tmp_path, database_url):
    # A fault of the program, whose text would quote the row.
    with patients.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE patient_service.patienten ADD CHECK (ort <> 'crash')")
    for name, data in registrations().items():
        patients.upload(data, name)
    patients.storage.faults.add("download", 503, times=None, name=f"{MARK}_{MARK}_20250705_aaaa0012.json")
    patients.storage.faults.add("delete", 403, times=None, name=f"{MARK}_{MARK}_20250705_aaaa0013.json")
    outputs = {}
    log = tmp_path / "service.log"
    with MailSink() as sink, log.open("wb") as output:
        base = f"http://127.0.0.1:{free_port()}"
        service = start_service(patients, database_url, sink, base, output)
        try:
            assert wait_until(lambda: settled(patients), 120)
            sink.wait_for(1, 120)
            answers = list(ask_everything(base))
            assert {200, 400, 401, 404, 500} <= {answer.status_code for answer in answers}
            # A finding names the unknown key.
            outputs |= {f"answer {n}": f"{a.headers} {a.text.replace(KEY, '')}" for n, a in enumerate(answers)}
        finally:
            with suppress(ProcessLookupError):
                os.killpg(service.pid, signal.SIGTERM)
            service.wait()
        outputs |= {f"mail {n}": m.as_string() for n, m in enumerate(sink.messages)}
    # The client's own debug records are there, and say nothing.
    assert b"library_message" in log.read_bytes()
    assert b"file_crashed" in log.read_bytes()
    outputs["log of the service"] = log.read_text()
    for command in (
        ["imports", "run", "patient"],
        ["reviews", "list"],
        ["doctor"],
        ["patients", "erase", "1", "--yes"],
    ):
        ran = curavani(*command, LOG_LEVEL="DEBUG")
        outputs[" ".join(command)] = ran.stdout + ran.stderr
    assert {where for where, text in outputs.items() if MARK in text.lower()} == set()
    assert places_in_the_database(patients) <= BELONGS | {("import_findings", "pointer")}
    assert pointers_without_key_names(patients) == []
    assert [path for path in patients.copies.rglob("*") if MARK in str(path.relative_to(patients.copies))] == []
    assert MARK not in (patients.copies / "erasures.jsonl").read_text()


def start_service(patients, database_url, sink, base, output):
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "API_TOKENS": "eva:look:looker-token-24-characters,otto:write:writer-token-24-characters",
        "GCS_IMPORT_BUCKET": patients.bucket,
        "STORAGE_EMULATOR_HOST": patients.storage.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(patients.copies),
        "PATIENT_IMPORT_MAX_FILE_BYTES": "150000",
        "PATIENT_IMPORT_RETRY_BASE_SECONDS": "0",
        "SMTP_HOST": sink.host,
        "SMTP_PORT": str(sink.port),
        "SMTP_USE_TLS": "false",
        "LOG_LEVEL": "DEBUG",
    }
    command = [sys.executable, "-m", "curavani", "serve", "patient", "--port", base.rpartition(":")[2]]
    return processes.Popen(command, env=environment, start_new_session=True, stdout=output, stderr=output)


def settled(patients):
    waiting = patients.rows("SELECT id FROM patient_service.import_tracking WHERE status = 'pending'")
    ended = patients.rows("SELECT id FROM patient_service.import_passes WHERE finished_at IS NOT NULL")
    return bool(ended) and not waiting


def places_in_the_database(patients):
    """(table, column) of every value that holds the marker, in every schema; `*` for a table that is made for it."""
    columns = patients.rows(
        "SELECT table_schema AS s, table_name AS t, column_name AS c FROM information_schema.columns"
        " WHERE table_schema IN ('patient_service', 'therapist_service', 'public')"
    )
    found = set()
    for column in columns:
        where = f'"{column["s"]}"."{column["t"]}" WHERE "{column["c"]}"::text ILIKE :mark'
        if patients.rows(f"SELECT 1 FROM {where} LIMIT 1", mark=f"%{MARK}%"):
            whole = (column["t"], "*") in BELONGS
            found.add((column["t"], "*" if whole else column["c"]))
    return found


def pointers_without_key_names(patients):
    """Pointers whose marker is not the name of a key of the file."""
    found = patients.rows(
        "SELECT pointer FROM patient_service.import_findings WHERE pointer ILIKE :mark", mark=f"%{MARK}%"
    )
    return [row["pointer"] for row in found if KEY not in row["pointer"]]
