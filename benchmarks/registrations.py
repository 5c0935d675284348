"""Importing registrations one after the other, against the sum of what cannot be left out, with the same client.

The bare steps do nothing but download the object, write its copy durably, commit one row each of patient, consent,
event and ledger, and delete the object: no listing, verification, parsing, validation, duplicates or alerts. Storage
runs in a process of its own, as it would be elsewhere, but on the same cores.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.tables import Row
from curavani.demo.samples.registrations import Registration, generate_registrations
from curavani.schema import upgrade
from patient_service import bootstrap
from patient_service.imports.bucket import GcsBucket, StoredObject
from shared.core.settings import StorageSettings, read_settings
from shared.database.engine import create_engine
from standins.postgres import EmbeddedPostgres
from standins.storage_emulator import StorageEmulator

NUMBER = 500
ROUNDS = 3
STEPS = ("download", "durable copy", "commit", "delete")


@dataclass(slots=True)
class Bare:
    """Seconds spent on each bare step."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - began


def run() -> list[Row]:
    """Rows of the table of figures: name, value, unit. Medians over the rounds, which alternate."""
    files = generate_registrations(1, NUMBER, broken=False)
    ours: list[float] = []
    bare: list[Bare] = []
    with _storage(files) as host, EmbeddedPostgres(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        os.environ["STORAGE_EMULATOR_HOST"] = host
        for number in range(ROUNDS):
            ours.append(_ours(server, f"ours-{number}", Path(folder)))
            bare.append(_bare(server, f"bare-{number}", Path(folder)))
    each = {step: median(found.seconds[step] for found in bare) / NUMBER * 1000 for step in STEPS}
    total = median(sum(found.seconds.values()) for found in bare)
    rows: list[Row] = [(f"bare: {step}", milliseconds, "ms a file") for step, milliseconds in each.items()]
    return [
        *rows,
        (f"bare: {NUMBER} registrations", total, "s"),
        (f"ours: {NUMBER} registrations", median(ours), "s"),
        ("ours: one registration", median(ours) / NUMBER * 1000, "ms"),
        ("ours / bare", median(ours) / total, "x"),
    ]


def _ours(server: EmbeddedPostgres, bucket: str, folder: Path) -> float:
    """Seconds of one pass over the bucket."""
    url = _database(server, bucket)
    environment = {
        "DATABASE_URL": url,
        "GCS_IMPORT_BUCKET": bucket,
        "PATIENT_IMPORT_LOCAL_PATH": str(folder / bucket),
    }
    parts = bootstrap.build_parts(read_settings(environment, *bootstrap.IMPORT_GROUPS))
    try:
        began = time.perf_counter()
        report = parts.monitor.run_once("benchmark")
        seconds = time.perf_counter() - began
    finally:
        parts.close()
    if dict(report.counts) != {"success": NUMBER}:
        raise RuntimeError(f"not all were imported: {dict(report.counts)}")
    return seconds


def _bare(server: EmbeddedPostgres, bucket: str, folder: Path) -> Bare:
    url = _database(server, bucket)
    copies = folder / bucket
    copies.mkdir()
    storage = GcsBucket(StorageSettings.model_validate({"GCS_IMPORT_BUCKET": bucket}))
    objects = storage.list_objects()
    bare = Bare()
    with psycopg.connect(url) as connection:
        for number, stored in enumerate(objects):
            with bare.step("download"):
                data = storage.download(stored)
            with bare.step("durable copy"):
                _write(copies, str(number), data)
            with bare.step("commit"):
                _commit(connection, stored, data)
            with bare.step("delete"):
                storage.delete(stored.name, stored.generation)
    storage.close()
    return bare


def _write(folder: Path, name: str, data: bytes) -> None:
    partial = folder / f".{name}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, data)
    os.fsync(descriptor)
    os.close(descriptor)
    partial.rename(folder / name)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _commit(connection: psycopg.Connection, stored: StoredObject, data: bytes) -> None:
    document = json.loads(data)
    patient, consent = document["patient_data"], json.dumps(document["consent_metadata"])
    with connection.transaction():
        (import_id,) = connection.execute(
            "INSERT INTO patient_service.import_tracking (source_key, file_name, status) VALUES (%s, %s, 'success')"
            " RETURNING id",
            (f"{stored.name}/{stored.generation}", stored.name),
        ).fetchone() or (0,)
        (patient_id,) = connection.execute(
            "INSERT INTO patient_service.patienten (anrede, geschlecht, vorname, nachname, name_key, search_key)"
            " VALUES (%s, %s, %s, %s, %s, '') RETURNING id",
            (patient["anrede"], patient["geschlecht"], patient["vorname"], patient["nachname"], patient["nachname"]),
        ).fetchone() or (0,)
        connection.execute(
            "INSERT INTO patient_service.patient_consents (patient_id, given_at, document, file_hash, import_id)"
            " VALUES (%s, now(), %s, '', %s)",
            (patient_id, consent, import_id),
        )
        connection.execute(
            "INSERT INTO patient_service.event_outbox (event_id, event_type, topic, key, payload)"
            " VALUES (gen_random_uuid(), 'patient.created', 'patient-events', %s, %s)",
            (str(patient_id), json.dumps(patient)),
        )


def _database(server: EmbeddedPostgres, name: str) -> str:
    url = server.create_database(name.replace("-", "_"))
    engine = create_engine(url, application_name="benchmark")
    upgrade(engine)
    engine.dispose()
    return url


@contextmanager
def _storage(files: list[Registration]) -> Iterator[str]:
    """An emulator in another process, with the files in every bucket; its address."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, files), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send("end")
        process.join(10)


def _serve(pipe: Pipe, files: list[Registration]) -> None:
    with StorageEmulator() as emulator:
        for name in [f"{kind}-{number}" for kind in ("ours", "bare") for number in range(ROUNDS)]:
            for file in files:
                emulator.put(name, file.object_name, file.content)
        pipe.send(emulator.host)
        pipe.recv()


if __name__ == "__main__":
    from benchmarks.tables import print_table

    print_table("registrations", run())
