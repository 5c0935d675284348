"""Random histories of uploads, faults, cut connections and restarts, against a model that knows only what was uploaded.

Whatever happened, once the faults are over: every person who registered is there once, with the consent of every
registration that was there to be read, and with exactly the events that tell of it.
"""

import hashlib
import json
from contextlib import contextmanager, suppress

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patient_service import bootstrap
from patient_service.imports.bucket import Patience
from patient_service.models import kernel
from shared.core.errors import CuravaniError
from shared.core.settings import read_settings
from shared.database.engine import create_engine, transaction
from shared.imports import mend

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("dropped_connections"),
]

# Ends its own session when the counter reaches ten; a sequence does not roll back.
BOMB = """
    CREATE SEQUENCE public.bomb;
    CREATE FUNCTION public.go_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('public.bomb') = 10 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER bomb AFTER INSERT ON patient_service.TABLE FOR EACH ROW EXECUTE FUNCTION public.go_off();
"""
FAULTS = [
    ("list", 503),
    ("download", 404),
    ("download", 503),
    ("download", "truncate"),
    ("download", "wrong_bytes"),
    ("delete", 412),
    ("delete", 503),
    ("delete", "after"),
]
"""One of each kind; every kind for itself is held by `test_registration_faults`."""
small = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("upload"), small, small, small, small),
    st.tuples(st.just("upload"), small, small, small, small),
    st.tuples(st.just("break"), small),
    st.tuples(st.just("run_with_fault"), st.sampled_from(FAULTS), st.integers(1, 3)),
    st.tuples(st.just("run_and_be_cut"), st.integers(1, 3)),
    st.tuples(st.just("run")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("retry")),
)


class History:
    """The import under test, and beside it the model: every content that was uploaded, and which one is the last."""

    def __init__(self, url, storage, bucket, copies):
        self.url, self.storage, self.bucket, self.copies = url, storage, bucket, copies
        self.engine = create_engine(url, application_name="tests")
        self.uploaded = {}
        self.generations = {}
        self.latest = {}
        self.parts = None
        self.restart()

    def restart(self):
        if self.parts:
            self.parts.close()
        environment = {
            "DATABASE_URL": self.url,
            "GCS_IMPORT_BUCKET": self.bucket,
            "PATIENT_IMPORT_LOCAL_PATH": str(self.copies),
            "PATIENT_IMPORT_RETRY_BASE_SECONDS": "0",
        }
        chosen = read_settings(environment, *bootstrap.IMPORT_GROUPS)
        self.parts = bootstrap.build_parts(chosen, patience=Patience(connect=60.0, answer=60.0, retry=0.2))

    def upload(self, person, registration, version, naming):
        """Versions of a registration differ in one field; its object may come under three names."""
        token = f"{person}{registration}aaaaaa"
        names = (
            f"M_P{person}_20250705_{token}.json",
            f"again/{token}.json",
            f"Kopie_von_P{person}_20250706_{token}.json",
        )
        answers = {"telefon": f"0171 {person}{registration}{version}", "email": f"p{person}@example.com"}
        patient = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": f"P{person}", "nachname": "M", **answers}
        consent = {"timestamp_utc": "2025-07-05T14:33:55Z"}
        document = {"patient_data": patient, "consent_metadata": consent, "registration_token": token}
        data = json.dumps(document).encode()
        generation = self.storage.put(self.bucket, names[naming], data)
        self.generations[names[naming], str(generation)] = len(self.generations)
        self.uploaded[hashlib.sha256(data).hexdigest()] = patient
        self.latest[names[naming]] = hashlib.sha256(data).hexdigest()

    def break_(self, number):
        name = f"broken{number}.json"
        self.storage.put(self.bucket, name, b"{" * (number + 1))
        self.latest[name] = None

    def run_with_fault(self, where, times):
        self.storage.faults.add(*where, times=times)
        self.run()

    def run_and_be_cut(self, after):
        self.rows(f"SELECT setval('public.bomb', {10 - after})")
        self.run()

    def run(self):
        with suppress(CuravaniError):
            self.parts.monitor.run_once("test")

    def retry(self):
        with transaction(self.engine) as connection:
            mend.retry(connection, kernel, mend.failed_ids(connection, kernel), "api:test")

    def take(self, step):
        name, *arguments = step
        getattr(self, {"break": "break_"}.get(name, name))(*arguments)

    def come_to_rest(self):
        self.storage.faults.clear()
        self.rows("SELECT setval('public.bomb', 1000)")
        self.retry()
        self.restart()
        for _ in range(3):
            self.parts.monitor.run_once("test")

    def rows(self, statement):
        with transaction(self.engine) as connection:
            return [dict(row) for row in connection.execute(sa.text(statement)).mappings()]

    def check(self):
        consents = self.rows("SELECT * FROM patient_service.patient_consents ORDER BY id")
        patients = {row["id"]: row for row in self.rows("SELECT * FROM patient_service.patienten")}
        hashes = [row["file_hash"] for row in consents]
        assert len(set(hashes)) == len(hashes)
        assert {sha256 for sha256 in self.latest.values() if sha256} <= set(hashes) <= set(self.uploaded)
        people = {self.uploaded[sha256]["email"] for sha256 in hashes}
        assert sorted(row["email"] for row in patients.values()) == sorted(people)
        taken = self.rows("SELECT id, file_name, file_version FROM patient_service.import_tracking")
        uploads = {row["id"]: self.generations.get((row["file_name"], row["file_version"])) for row in taken}
        consents.sort(key=lambda row: uploads[row["import_id"]])
        latest = {row["patient_id"]: self.uploaded[row["file_hash"]] for row in consents}
        assert {number: row["telefon"] for number, row in patients.items()} == {
            number: said["telefon"] for number, said in latest.items()
        }
        self.check_events(patients)
        self.check_files()

    def check_events(self, patients):
        events = self.rows("SELECT event_type, key FROM patient_service.event_outbox")
        created = sorted(row["key"] for row in events if row["event_type"] == "patient.created")
        assert created == sorted(map(str, patients))
        (changed,) = self.rows("SELECT count(DISTINCT (entity_id, changed_by)) FROM patient_service.field_changes")
        assert len(events) - len(created) == changed["count"]

    def check_files(self):
        broken = sorted(name for name, sha256 in self.latest.items() if sha256 is None)
        assert self.storage.names(self.bucket) == broken
        files = self.rows("SELECT * FROM patient_service.import_tracking")
        assert {row["status"] for row in files} <= {"success", "skipped", "failed"}
        assert all(row["file_name"].startswith("broken") for row in files if row["status"] == "failed")
        assert all(row["source_deleted_at"] for row in files if row["status"] != "failed")
        for row in files:
            if row["status"] == "success":
                assert hashlib.sha256((self.copies / row["local_path"]).read_bytes()).hexdigest() == row["file_hash"]


@contextmanager
def history(postgres, storage_server, folder, number):
    url = postgres.create_database(f"history_{number}", template="template")
    storage_server.create_bucket(f"history-{number}")
    found = History(url, storage_server, f"history-{number}", folder / str(number))
    with transaction(found.engine) as connection:
        connection.exec_driver_sql(BOMB.replace("TABLE", ("event_outbox", "patient_consents")[number % 2]))
    try:
        yield found
    finally:
        storage_server.faults.clear()
        found.parts.close()
        found.engine.dispose()
        postgres.drop_database(f"history_{number}")


def test_random_histories_lose_and_double_nothing(postgres, storage_server, tmp_path, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_server.host)
    numbers = iter(range(100_000))

    @settings(max_examples=15, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(steps=st.lists(STEPS, min_size=8, max_size=20))
    def live(steps):
        with history(postgres, storage_server, tmp_path, next(numbers)) as import_history:
            for step in steps:
                import_history.take(step)
            import_history.come_to_rest()
            import_history.check()

    live()
