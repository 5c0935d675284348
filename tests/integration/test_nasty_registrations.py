"""A collection of nasty registrations, each with its outcome beside it: `tests/acceptance/registrations`.

`NAME.json` holds the bytes as they come, whatever they are; `NAME.expected` the object's name, the status, code and
findings that the import has to give them, and what has to stand in patient and consent.
"""

import json
from pathlib import Path

import pytest

from patient_service import bootstrap
from shared.core.settings import read_settings
from shared.database.engine import create_engine, transaction

FOLDER = Path(__file__).parents[1] / "acceptance" / "registrations"
CASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.expected"))}


@pytest.fixture(scope="module")
def imported(postgres, storage_server, tmp_path_factory):
    """All of them, imported in one pass: what one file does must not touch another. Rows by the object's name."""
    url = postgres.create_database("nasty", template="template")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", storage_server.host)
        for name, expected in CASES.items():
            storage_server.put("nasty", expected["object"], (FOLDER / f"{name}.json").read_bytes())
        settings = {
            "DATABASE_URL": url,
            "GCS_IMPORT_BUCKET": "nasty",
            "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path_factory.mktemp("nasty")),
            "PATIENT_IMPORT_MAX_FILE_BYTES": "65536",
        }
        parts = bootstrap.build_parts(read_settings(settings, *bootstrap.IMPORT_GROUPS))
        parts.monitor.run_once("test")
        parts.close()
    engine = create_engine(url, application_name="tests")
    with transaction(engine) as connection:
        found = {row["file_name"]: dict(row) for row in connection.exec_driver_sql(ROWS).mappings()}
    engine.dispose()
    yield found
    postgres.drop_database("nasty")


ROWS = """
    SELECT i.*, to_jsonb(p) AS patient, c.document AS consent,
      ARRAY(SELECT f.pointer || ' ' || f.code FROM patient_service.import_findings f
            WHERE f.import_id = i.id ORDER BY 1) AS findings
    FROM patient_service.import_tracking i
    LEFT JOIN patient_service.patient_consents c ON c.import_id = i.id
    LEFT JOIN patient_service.patienten p ON p.id = c.patient_id
"""


@pytest.mark.parametrize("name", CASES)
def test_a_nasty_file_has_the_outcome_that_stands_beside_it(imported, storage_server, name):
    expected = CASES[name]
    row = imported[expected["object"]]
    assert (row["status"], row["error_code"]) == (expected["status"], expected["code"])
    assert row["findings"] == sorted(expected["findings"])
    assert (row["patient"] is not None) == (expected["status"] == "success")
    assert (row["source_deleted_at"] is None) == (expected["status"] == "failed")
    assert (expected["object"] in storage_server.names("nasty")) == (expected["status"] == "failed")
    for field, value in expected.get("patient", {}).items():
        assert row["patient"][field] == value
    for field, value in expected.get("consent", {}).items():
        assert row["consent"][field] == value


@pytest.mark.parametrize("name", CASES)
def test_a_nasty_file_has_its_bytes_kept_safely(imported, name):
    row = imported[CASES[name]["object"]]
    if row["error_code"] == "file_too_large":
        assert row["local_path"] is None
        return
    assert row["file_size"] == (FOLDER / f"{name}.json").stat().st_size
    assert row["local_path"].isascii()
    assert ".." not in row["local_path"]


def test_each_file_has_its_outcome_beside_it():
    assert len(CASES) >= 60
    assert {path.stem for path in FOLDER.glob("*.json")} == set(CASES)
