"""The collection of odd and broken scrapes: each file of `tests/acceptance/scrapes` beside what has to become of it.

`NAME.json` is imported as it stands; `NAME.expected.json` says what the ledger then holds: the file's status and code,
the counts that are not zero, every finding in any order, and columns of the rows in the order of the records.
"""

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curavani.__main__ import app
from shared.words.codes import Code

pytestmark = pytest.mark.slow

COLLECTION = Path(__file__).parents[1] / "acceptance" / "scrapes"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in COLLECTION.glob("*.expected.json"))
OUTCOMES = ("new", "updated", "unchanged", "deleted", "reactivated", "skipped", "held", "failed")


def expected(name):
    return json.loads((COLLECTION / f"{name}.expected.json").read_text(encoding="utf-8"))


def bad_file(name):
    return (COLLECTION / f"{name}.json").read_bytes()


def write_scrape(path, *records):
    metadata = {"scrape_id": "x", "scrape_date": "2025-07-02T03:13:24", "postcode_area": "52XXX"}
    path.write_text(json.dumps({"metadata": metadata, "therapists": records}), encoding="utf-8")


def test_every_file_of_the_collection_has_its_expectation():
    files = {path.name.removesuffix(".json") for path in COLLECTION.glob("*.json") if ".expected" not in path.name}
    assert files == set(NAMES)
    assert len(files) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_a_file_becomes_what_is_written_beside_it(therapists, name):
    wanted = expected(name)
    therapists.put(bad_file(name), "20250702/52066.json")
    therapists.run()
    file = therapists.last_file()
    found = therapists.rows("SELECT pointer, code FROM therapist_service.import_findings")
    assert (file["status"], file["error_code"]) == (wanted["status"], wanted["error_code"])
    assert {name: file[f"{name}_count"] for name in OUTCOMES if file[f"{name}_count"]} == wanted["counts"]
    assert Counter((f["pointer"], f["code"]) for f in found) == Counter(map(tuple, wanted["findings"]))
    assert all(finding["code"] in set(Code) for finding in found)
    rows = therapists.therapists()
    assert len(rows) == wanted["counts"].get("new", 0)
    for row, columns in zip(rows, wanted.get("rows", ()), strict=False):
        assert {column: row[column] for column in columns} == columns


def test_no_file_of_the_collection_sinks_the_pass_or_is_passed_over(therapists):
    for number, name in enumerate(NAMES):
        therapists.put(bad_file(name), f"20250702/{52000 + number}.json")
    report = therapists.run()
    assert sum(report.counts.values()) == len(NAMES) == len(therapists.files())
    failed = [file["id"] for file in therapists.files() if file["status"] == "failed"]
    told = therapists.rows("SELECT import_id FROM therapist_service.alert_outbox WHERE kind = 'problem'")
    assert sorted(alert["import_id"] for alert in told) == failed


@pytest.mark.parametrize("command", ["check", "plan"])
def test_a_file_that_is_not_there_is_wrong_usage(tmp_path, command):
    done = CliRunner().invoke(app, [command, str(tmp_path / "52066.json")])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "cannot be read" in done.stderr


def test_of_several_files_those_that_can_be_read_are_checked(tmp_path, make_therapist):
    write_scrape(tmp_path / "52066.json", make_therapist(1, location={"postal_code": "5206"}))
    done = CliRunner().invoke(app, ["check", *(str(tmp_path / name) for name in ("52064.json", "52066.json"))])
    assert (done.exit_code, "invalid_zip" in done.stdout) == (2, True)
    assert f"{tmp_path / '52064.json'}: cannot be read" in done.stderr.replace("\n", "")


def test_a_plan_leaves_out_whom_the_import_would(database_url, monkeypatch, tmp_path, make_therapist):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("THERAPIST_IMPORT_AUDIENCE", "adults")
    write_scrape(tmp_path / "52066.json", make_therapist(1, therapy_methods=["Verhaltenstherapie (Kinder)"]))
    done = CliRunner().invoke(app, ["plan", "--json", str(tmp_path / "52066.json")])
    assert json.loads(done.stdout)["counts"] == {"skipped": 1}


def test_a_plan_says_of_what_would_not_be_applied_why(therapists, make_therapist, database_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    therapists.scrape([make_therapist(1)], day="2025-07-09")
    therapists.run()
    therapists.scrape([make_therapist(2)], day="2025-07-02")
    done = CliRunner().invoke(app, ["plan", "--json", str(therapists.folder / "20250702/52066.json")])
    planned = json.loads(done.stdout)
    assert (planned["status"], planned["error_code"], planned["counts"]) == ("skipped", "superseded", {})
    assert len(therapists.therapists()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_check_says_of_a_file_what_the_import_would(tmp_path, name):
    path = tmp_path / "20250702" / "52066.json"
    path.parent.mkdir()
    path.write_bytes(bad_file(name))
    done = CliRunner().invoke(app, ["check", "--json", str(path)])
    found = {(f["pointer"], f["code"]) for f in json.loads(done.stdout)[0]["findings"]}
    wanted = expected(name)
    # What only the database knows, a file cannot be checked for.
    known_later = {"status_contradicted", "duplicate_in_file", "unknown_therapist", "id_reassigned"}
    missing = {tuple(f) for f in wanted["findings"] if f[1] not in known_later} - found
    assert missing == set()
    assert done.exit_code == (1 if wanted["status"] != "success" else 0)
    if wanted["error_code"] is not None:
        assert wanted["error_code"] in {code for _, code in found}
