"""Random lives of registrations beside a model of a few lines: what was uploaded, what staff wrote, who was erased.

The order in which registrations arrived is read from the database; whether each may have arrived, and what it may have
changed, is judged by the model alone. Every value that is written is a needle: it stands in the person's row or is
overwritten by something newer, it is there once, and after an erasure it is nowhere.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from patient_service import bootstrap
from patient_service.certificates import DoubtAnswers
from patient_service.imports.bucket import Patience
from patient_service.models import kernel
from patient_service.use_cases import update_patients
from shared.core.errors import CuravaniError
from shared.core.settings import read_settings
from shared.database.engine import create_engine, transaction
from shared.imports import mend
from standins.local import wait_until
from tests import processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.usefixtures("dropped_connections"),
]

PEOPLE = (("Xaver", "Quendel"), ("Yolanthe", "Zwiebelfisch"))
FIELDS = ("telefon", "strasse", "ort")
FAULTS = [("list", 503), ("download", 403), ("download", "truncate"), ("delete", 503), ("delete", "after")]
# Ends its own session when the counter reaches a hundred; a sequence does not roll back.
BOMB = """
    CREATE SEQUENCE public.bomb;
    CREATE FUNCTION public.go_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('public.bomb') = 100 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER bomb AFTER INSERT ON patient_service.patient_consents
      FOR EACH ROW EXECUTE FUNCTION public.go_off();
"""
WAITING = """
    SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'
"""
IMPORTING = """
    SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
who = st.integers(0, 1)
answered = st.sets(st.sampled_from(FIELDS))
upload = st.tuples(st.just("upload"), who, st.integers(0, 2), st.integers(1, 4), answered, st.booleans())
run = st.tuples(st.just("run"))
STEPS = st.one_of(
    upload,
    upload,
    run,
    run,
    st.tuples(st.just("upload_again"), st.integers(0, 9)),
    st.tuples(st.just("touch"), st.integers(0, 9)),
    st.tuples(st.just("run_with_fault"), st.sampled_from(FAULTS), st.integers(1, 3)),
    st.tuples(st.just("run_and_be_cut"), st.integers(1, 3)),
    st.tuples(st.just("run_and_be_killed"), st.sampled_from(["download", "in the transaction", "delete"])),
    st.tuples(st.just("retry")),
    st.tuples(st.just("edit"), who, st.sampled_from(FIELDS), st.booleans()),
    st.tuples(st.just("correct")),
    st.tuples(st.just("erase"), who),
)


@dataclass
class Sent:
    """One content that was uploaded, under one name."""

    person: int
    life: int
    name: str
    order: tuple
    answers: dict
    document: dict
    is_right: bool


@dataclass
class Person:
    """What the model expects of somebody who is a patient."""

    values: dict = field(default_factory=lambda: dict.fromkeys(FIELDS))
    by_staff: set = field(default_factory=set)
    newest: tuple = ()

    def register(self, sent):
        """The newest registration says what holds; an older one answers what nobody has said anything of."""
        for name, value in sent.answers.items():
            if sent.order > self.newest or (self.values[name] is None and name not in self.by_staff):
                self.values[name] = value
                self.by_staff.discard(name)
        self.newest = max(self.newest, sent.order)

    def edit(self, name, value):
        if self.values[name] != value:
            self.values[name] = value
            self.by_staff.add(name)


class Life:
    """The import under test, and the model beside it."""

    def __init__(self, parts, engine, storage, environment, copies):
        self.parts, self.engine, self.storage, self.copies = parts, engine, storage, copies
        self.environment, self.bucket, self.was_killed = environment, environment["GCS_IMPORT_BUCKET"], False
        self.sent, self.latest, self.arrived = {}, {}, []
        self.people, self.lives = {}, [0, 0]
        self.needles, self.number = {}, 0

    def needle(self, person):
        self.number += 1
        needle = f"zq{self.number:03}kx"
        self.needles.setdefault((person, self.lives[person]), []).append(needle)
        return needle

    def upload(self, person, registration, month, fields, is_right):
        """A token is kept by all versions of a registration, a name by all that are right of one token."""
        first, last = PEOPLE[person]
        token = f"{person}{self.lives[person]:03}{registration}aaa"
        answers = {name: self.needle(person) for name in sorted(fields)}
        patient = {"anrede": "Frau" if is_right else self.needle(person), "geschlecht": "weiblich", **answers}
        patient |= {"vorname": first, "nachname": last, "email": f"{first}@quendel.example"}
        document = {
            "patient_data": patient,
            "consent_metadata": {"timestamp_utc": "2025-05-05T14:33:55Z", "note": self.needle(person)},
            "registration_timestamp": f"2025-{month:02}-05 14:33:55",
            "registration_token": token,
        }
        name = f"{last}_{first}_20250705_{token}.json"
        name = name if is_right else f"{self.number}/{name}"
        self.put(name, Sent(person, self.lives[person], name, (month,), answers, document, is_right))

    def put(self, name, sent):
        data = json.dumps(sent.document).encode()
        generation = self.storage.put(self.bucket, name, data)
        key = sha256(data).hexdigest()
        if key not in self.sent:
            sent.order = (*sent.order, generation)
            self.sent[key] = sent
        self.latest[name] = key

    def upload_again(self, index):
        """The same bytes once more: nothing happens, also after an erasure."""
        if self.arrived:
            key = self.arrived[index % len(self.arrived)]
            self.put(f"again/{self.sent[key].name}", self.sent[key])

    def touch(self, index):
        names = self.storage.names(self.bucket)
        if names:
            blob = self.parts.bucket._bucket().get_blob(names[index % len(names)])
            blob.metadata = {"seen": "yes"}
            blob.patch()

    def run(self):
        with suppress(CuravaniError):
            self.parts.monitor.run_once("test")
        self.observe()

    def run_with_fault(self, fault, times):
        self.storage.faults.add(*fault, times=times)
        self.run()

    def run_and_be_cut(self, after):
        self.rows(f"SELECT setval('public.bomb', {100 - after})")
        self.run()
        self.rows("SELECT setval('public.bomb', 1000)")

    def run_and_be_killed(self, step):
        """A process of its own is killed once it has got to the step, if it does; once in a life, for it takes long."""
        if self.was_killed:
            return
        self.was_killed = True
        with ExitStack() as stack:
            is_there = self.hold_at(step, stack)
            command = [sys.executable, "-m", "curavani", "imports", "run", "patient"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = processes.Popen(command, env={**os.environ, **self.environment}, **quiet)
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert wait_until(lambda: is_there() or process.poll() is not None, 120)
        assert wait_until(lambda: not self.rows(IMPORTING), 60)
        self.observe()

    def hold_at(self, step, stack):
        """Lets storage or database keep whoever gets to the step; returns whether somebody is there."""
        if step == "in the transaction":
            blocker = stack.enter_context(psycopg.connect(self.environment["DATABASE_URL"]))
            blocker.execute("LOCK TABLE patient_service.patient_consents IN SHARE MODE")
            return lambda: bool(self.rows(WAITING))
        before = self.storage.faults.taken
        self.storage.faults.add(step, "stall", times=None)
        stack.callback(self.storage.faults.clear)
        return lambda: self.storage.faults.taken > before

    def retry(self):
        with transaction(self.engine) as connection:
            mend.retry(connection, kernel, mend.failed_ids(connection, kernel), "api:test")

    def edit(self, person, name, fill):
        if person in self.people:
            value = self.needle(person) if fill else None
            with transaction(self.engine) as connection:
                update_patients(connection, {self.number_of(person): {name: value}}, "api:eva")
            self.people[person].edit(name, value)

    def correct(self):
        """Puts right the first file that failed for its form of address."""
        for row in self.rows("SELECT * FROM patient_service.import_tracking WHERE status = 'failed' ORDER BY id"):
            if row["error_code"] == "validation_failed":
                document = self.sent[row["file_hash"]].document
                right = {**document, "patient_data": {**document["patient_data"], "anrede": "Frau"}}
                self.parts.corrections.correct(row["id"], right, "a slip", "api:eva")
                self.observe()
                return

    def erase(self, person):
        if person not in self.people:
            return
        self.storage.faults.clear()
        number = self.number_of(person)
        certificate = self.parts.erasure.erase(number, "api:olga")
        if certificate["completed_at"] is None:
            certificate = self.parts.erasure.erase(number, "api:olga", DoubtAnswers(also=certificate["doubtful"]))
        assert certificate["completed_at"]
        del self.people[person]
        self.lives[person] += 1
        self.check_needles()

    def number_of(self, person):
        (row,) = self.rows(f"SELECT id FROM patient_service.patienten WHERE vorname = '{PEOPLE[person][0]}'")
        return row["id"]

    def observe(self):
        """Lets the model follow what has arrived since, in the order in which it did."""
        consents = self.rows("SELECT file_hash FROM patient_service.patient_consents ORDER BY id")
        for key in [row["file_hash"] for row in consents]:
            if key not in self.arrived:
                sent = self.sent[key]
                assert sent.life == self.lives[sent.person], "an erased person has come back"
                self.arrived.append(key)
                self.people.setdefault(sent.person, Person()).register(sent)
        self.check_people()

    def check_people(self):
        found = self.rows("SELECT * FROM patient_service.patienten")
        assert {row["vorname"]: {name: row[name] for name in FIELDS} for row in found} == {
            PEOPLE[person][0]: model.values for person, model in self.people.items()
        }
        assert len(found) == len(self.people)

    def come_to_rest(self):
        self.storage.faults.clear()
        self.retry()
        for _ in range(3):
            self.parts.monitor.run_once("test")
        self.observe()

    def check_rest(self):
        """Nothing that could be read is lost, nothing is there twice, nothing of erased people is anywhere."""
        consents = [row["file_hash"] for row in self.rows("SELECT file_hash FROM patient_service.patient_consents")]
        assert len(set(consents)) == len(consents)
        living = {key for key in self.latest.values() if self.sent[key].life == self.lives[self.sent[key].person]}
        assert {key for key in living if self.sent[key].is_right} <= set(consents)
        created = self.rows("SELECT key FROM patient_service.event_outbox WHERE event_type = 'patient.created'")
        assert len({row["key"] for row in created}) == len(created)
        for row in self.rows("SELECT * FROM patient_service.import_tracking WHERE status = 'failed'"):
            assert row["error_code"] in ("validation_failed", "erased_registration"), row["error_code"]
        self.check_needles()

    def check_needles(self):
        everything = self.everything()
        gone = [needle for (person, life), them in self.needles.items() if life < self.lives[person] for needle in them]
        assert [needle for needle in gone if needle in everything] == []

    def everything(self):
        """All rows of the schema, and all that lies in the folder of copies."""
        tables = self.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'patient_service'")
        rows = [self.rows(f'SELECT * FROM patient_service."{row["table_name"]}"') for row in tables]
        return str(rows) + str([path.read_bytes() for path in self.copies.rglob("*") if path.is_file()])

    def rows(self, statement):
        with transaction(self.engine) as connection:
            return [dict(row) for row in connection.execute(sa.text(statement)).mappings()]


@contextmanager
def a_life(postgres, storage_server, folder, number):
    url = postgres.create_database(f"life_{number}", template="template")
    storage_server.create_bucket(f"life-{number}")
    environment = {
        "DATABASE_URL": url,
        "GCS_IMPORT_BUCKET": f"life-{number}",
        "PATIENT_IMPORT_LOCAL_PATH": str(folder / str(number)),
        "PATIENT_IMPORT_RETRY_BASE_SECONDS": "0",
    }
    chosen = read_settings(environment, *bootstrap.IMPORT_GROUPS)
    parts = bootstrap.build_parts(chosen, patience=Patience(connect=60.0, answer=60.0, retry=0.2))
    engine = create_engine(url, application_name="tests")
    with transaction(engine) as connection:
        connection.exec_driver_sql(BOMB)
    try:
        yield Life(parts, engine, storage_server, environment, folder / str(number))
    finally:
        storage_server.faults.clear()
        parts.close()
        engine.dispose()
        postgres.drop_database(f"life_{number}")


def test_lives_of_registrations_follow_the_model(postgres, storage_server, tmp_path, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_server.host)
    numbers = iter(range(100_000))

    # A life that fails is told as it is: to shrink it takes minutes.
    @settings(
        max_examples=8,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps=st.lists(STEPS, min_size=10, max_size=30))
    def live(steps):
        with a_life(postgres, storage_server, tmp_path, next(numbers)) as life:
            for name, *arguments in steps:
                getattr(life, name)(*arguments)
            life.come_to_rest()
            life.check_rest()

    live()
