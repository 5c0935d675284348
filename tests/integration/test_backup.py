"""The handbook's way to back up and restore, step by step: nobody is lost, doubled, or back after an erasure."""

import json
import subprocess

import psycopg
import pytest

from standins.postgres_account import Account, readable_binaries

pytestmark = pytest.mark.slow


class Backup:
    """Dumps a database and restores it into an empty one, by PostgreSQL's own programs."""

    def __init__(self, source, target, file):
        self.source, self.target, self.file = source, target, file

    def make(self):
        self._run("pg_dump", "--format=custom", f"--file={self.file}", self.source)

    def restore(self):
        self._run("pg_restore", "--clean", "--if-exists", "--no-owner", f"--dbname={self.target}", self.file)

    def _run(self, program, *arguments):
        command = [readable_binaries(None, Account()) / program, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture
def backup(postgres, database_url, tmp_path):
    yield Backup(database_url, postgres.create_database("restored"), tmp_path / "curavani.dump")
    postgres.drop_database("restored")


@pytest.fixture
def register(patients, make_registration):
    """Imports the registration of somebody new."""

    def import_one(first_name, number):
        token = f"{number:08x}"
        answers = {"vorname": first_name, "email": f"{first_name.lower()}@example.com"}
        patients.upload(make_registration(token=token, **answers), f"Mustermann_{first_name}_20250705_{token}.json")
        patients.run()

    return import_one


def test_a_restored_backup_is_completed_from_the_local_copies(patients, register, curavani, backup):
    register("Anna", 1)
    register("Bernd", 2)
    backup.make()
    assert curavani("patients", "erase", "1", "--yes").returncode == 0
    register("Clara", 3)

    backup.restore()
    restored = {"DATABASE_URL": backup.target}
    assert curavani("db", "upgrade", **restored).returncode == 0
    assert curavani("db", "check", **restored).returncode == 0
    erased = json.loads(curavani("patients", "re-erase", "--yes", **restored).stdout)
    assert [certificate["patient_id"] for certificate in erased] == [1]

    for number, copy in enumerate(sorted(patients.copies.rglob("*.json"))):
        patients.upload(copy.read_bytes(), f"copy{number}.json")
    assert curavani("imports", "run", "patient", **restored).returncode == 0
    with psycopg.connect(backup.target) as connection:
        found = connection.execute("SELECT vorname FROM patient_service.patienten ORDER BY vorname").fetchall()
    assert found == [("Bernd",), ("Clara",)]
    assert patients.in_bucket() == []
