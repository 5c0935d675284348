"""What a person is told of themselves: all that is held, and nothing of anybody else's."""

import json
import re

import pytest
import sqlalchemy as sa

from patient_service.app import create_app
from patient_service.export import Export
from patient_service.patient import PATIENT

pytestmark = pytest.mark.slow

MINE, THEIRS = "meinsmeins", "fremdfremd"
OPERATE = {"Authorization": "Bearer a-token-of-24-characters"}


def answers(needle):
    """A registration whose every text holds the needle."""
    return {
        "vorname": f"{needle}-vorname",
        "nachname": f"{needle}-nachname",
        "email": f"{needle}@example.com",
        "telefon": f"0171 {needle}",
        "strasse": f"{needle}-strasse",
        "symptome": f"{needle}-symptome",
        "hausarzt": f"{needle}-hausarzt",
        "krankenkasse": f"{needle}-kasse",
        "zeitliche_verfuegbarkeit": {"montag": [f"{needle}-zeit"]},
    }


def document(make_registration, token, needle, **others):
    data = json.loads(make_registration(token, **{**answers(needle), **others}))
    data["consent_metadata"] |= {"wording": f"{needle}-wortlaut", "user_agent": f"{needle}-browser"}
    data["contracts"] = {"text": f"{needle}-vertrag"}
    return json.dumps(data, ensure_ascii=False).encode()


@pytest.fixture
def two(patients, make_registration):
    """Somebody who registered twice and was changed, and somebody who resembles them."""
    mine = document(make_registration, "aaaaaaaa", MINE)
    patients.upload(mine, f"{MINE}_a_20250705_aaaaaaaa.json")
    later = document(make_registration, "bbbbbbbb", MINE, ort=f"{MINE}-umgezogen")
    later = later.replace(b"2025-07-05 14:33:55", b"2025-07-06 14:33:55")
    patients.run()
    patients.upload(later, f"{MINE}_b_20250706_bbbbbbbb.json")
    theirs = document(make_registration, "cccccccc", THEIRS, email=f"{MINE}@example.com")
    patients.upload(theirs, f"{THEIRS}_c_20250705_cccccccc.json")
    patients.run()
    assert len(patients.patients()) == 2
    return patients


@pytest.fixture
def client(process_environment, two):
    app = create_app({**process_environment, "LOG_LEVEL": "ERROR"}, start_workers=False)
    with app.test_client() as client:
        yield client
    app.extensions["curavani"].close()


def held(client):
    client.put("/api/patients/1", json={"diagnose": f"{MINE}-diagnose"}, headers=OPERATE)
    client.post("/api/patients/1/restrictions", json={"kind": "restricted", "reason": f"{MINE}-grund"}, headers=OPERATE)
    return client.get("/api/patients/1/export", headers=OPERATE)


NEEDLES = [
    *("vorname", "nachname", "strasse", "symptome", "hausarzt", "kasse", "zeit", "wortlaut", "browser", "vertrag"),
    *("umgezogen", "diagnose", "grund"),
]


def test_everything_held_is_told_and_nothing_of_anybody_else(client, curavani, tmp_path):
    answer = held(client)
    assert answer.status_code == 200
    out = tmp_path / "answer.json"
    assert curavani("patients", "export", "1", "--out", str(out)).returncode == 0
    for text in (answer.text, out.read_text("utf-8"), out.with_suffix(".html").read_text("utf-8")):
        assert [needle for needle in NEEDLES if f"{MINE}-{needle}" not in text] == []
        assert THEIRS not in text
        # Under no name, and by no number of theirs.
        assert "cccccccc" not in text
    assert out.stat().st_mode & 0o077 == 0


def test_the_answer_has_each_column_but_the_look_up_keys_and_all_that_happened(client):
    told = held(client).json
    assert set(told) == set(Export.__slots__)
    keys = {"name_key", "email_key", "search_key"}
    assert set(told["patient"]) == {field.name for field in PATIENT} - keys
    assert [file["content"]["registration_token"] for file in told["files"]] == ["aaaaaaaa", "bbbbbbbb"]
    assert [consent["document"]["wording"] for consent in told["consents"]] == [f"{MINE}-wortlaut"] * 2
    assert {"ort", "diagnose"} <= {change["field"] for change in told["changes"]}
    assert [entry["kind"] for entry in told["decisions"]] == ["possible_duplicate"]
    assert {event["event_type"] for event in told["events"]} == {"patient.created", "patient.updated"}
    assert ("change", "api:t") in {(entry["action"], entry["actor"]) for entry in told["accesses"]}


def test_who_was_told_is_on_record(client, two):
    held(client)
    rows = two.rows("SELECT actor, entity_id FROM patient_service.access_log WHERE action = 'export'")
    assert rows == [{"actor": "api:t", "entity_id": 1}]


def test_the_page_shows_what_people_wrote_as_text_and_says_german_words(client, curavani, two, tmp_path):
    times = {"freitag": ["9-10"], "montag": ["8-9"], "mittwoch": []}
    changed = {"symptome": "<script>alert(1)</script>", "zeitliche_verfuegbarkeit": times, "status": "auf_der_Suche"}
    changed["geburtsdatum"] = "1990-02-03"
    client.put("/api/patients/1", json=changed, headers=OPERATE)
    client.post("/api/patients/1/restrictions", json={"kind": "restricted", "reason": "bestritten"}, headers=OPERATE)
    out = tmp_path / "answer.json"
    curavani("patients", "export", "1", "--out", str(out))
    page = out.with_suffix(".html").read_text("utf-8")
    assert "<script>" not in page
    assert "<dt>Vorname</dt>" in page
    assert re.search(r"Stand: \d\d\.\d\d\.\d{4}, \d\d:\d\d Uhr", page)
    assert "Montag: 8-9; Mittwoch: ; Freitag: 9-10" in page
    for said in (
        "auf der Suche",
        "Mögliche Dublette",
        "offen",
        "Verarbeitung eingeschränkt",
        "geändert",
        "Datei P2",
        "03.02.1990",
    ):
        assert f"<td>{said}</td>" in page
    assert re.findall("possible_duplicate|auf_der_Suche|api:|import:|>restricted<|>patient[.]|>change<", page) == []
    again = curavani("patients", "export", "1", "--out", str(out))
    assert (again.returncode, "File exists" in again.stderr) == (2, True)


@pytest.mark.parametrize(("out", "there"), [("a.json", "a.html"), ("a.html", "b")])
def test_where_one_of_two_files_cannot_be_made_there_is_none(curavani, two, tmp_path, out, there):
    (tmp_path / there).write_text("another's")
    assert curavani("patients", "export", "1", "--out", str(tmp_path / out)).returncode == 2
    assert [path.name for path in tmp_path.glob("[ab]*")] == [there]
    assert (tmp_path / there).read_text() == "another's"
    assert two.rows("SELECT actor FROM patient_service.access_log WHERE action = 'export'") == []


def test_nobody_is_nobody(client, curavani):
    assert client.get("/api/patients/99/export", headers=OPERATE).status_code == 404
    assert curavani("patients", "export", "99").returncode == 2


def test_a_merged_person_is_told_what_both_records_held(client, two):
    decided = client.post("/api/reviews/1/resolve", json={"choose": "merge"}, headers=OPERATE)
    assert decided.status_code == 200, decided.text
    told = client.get("/api/patients/1/export", headers=OPERATE)
    assert THEIRS in told.text
    assert len(told.json["consents"]) == 3


def test_a_removed_copy_is_said_to_be_gone(client, two):
    for path in two.copies.rglob("*.json"):
        path.unlink()
    told = client.get("/api/patients/1/export", headers=OPERATE).json
    assert [file["content"] for file in told["files"]] == [None, None]
    with two.engine.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM patient_service.patienten")).scalar() == 2


def test_a_persons_failed_files_are_told_and_nobody_elses(client, two, make_registration):
    failed = {"anrede": "Herrn"}
    two.upload(document(make_registration, "dddddddd", MINE, **failed, ort="aus-einer-fehlgeschlagenen"), "d.json")
    two.upload(document(make_registration, "eeeeeeee", MINE, **failed, email=f"{THEIRS}@example.com"), "e.json")
    two.run()
    told = client.get("/api/patients/1/export", headers=OPERATE).text
    assert "aus-einer-fehlgeschlagenen" in told
    assert THEIRS not in told
