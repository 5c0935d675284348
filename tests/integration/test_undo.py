"""Undoing a decision: the rows as before it, with history and events, or a refusal that says why."""

import json
from datetime import date

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from curavani.__main__ import app as command_line
from patient_service.app import create_app as create_patient_app
from patient_service.reviews import resolve_review as resolve_patients
from patient_service.undo import undo_review as undo_patients
from patient_service.use_cases import update_patients
from shared.core.errors import NotAllowedError, NotFound
from shared.reviews.reviews import ResolutionRefused, UndoRefused
from shared.reviews.values import Resolution
from therapist_service.reviews import resolve_review
from therapist_service.undo import undo_review

pytestmark = pytest.mark.slow

COLUMNS = "id, vorname, nachname, telefon, status, source_removed_at, source_record"


def resolve(imported, choose, review_id=1, **choice):
    decide = resolve_review if hasattr(imported, "folder") else resolve_patients
    with imported.engine.begin() as connection:
        return decide(connection, review_id, Resolution(choose, "api:anna", **choice))


def undo(imported, review_id=1, comment=None):
    take_back = undo_review if hasattr(imported, "folder") else undo_patients
    with imported.engine.begin() as connection:
        return take_back(connection, review_id, "api:bert", comment)


def staff_sets(therapists, therapist_id=1, **values):
    with therapists.engine.begin() as connection:
        sets = ", ".join(f"{name} = :{name}" for name in values)
        statement = f"UPDATE therapist_service.therapeuten SET {sets}, updated_at = now() WHERE id = :id"
        connection.execute(sa.text(statement), {"id": therapist_id, **values})


@pytest.fixture
def conflict(therapists, make_therapist):
    """Staff and source both changed a phone number; the list of languages, too."""
    therapists.scrape([make_therapist(1)])
    therapists.run()
    staff_sets(therapists, telefon="0241 777", fremdsprachen=json.dumps(["Polnisch"]))
    changed = make_therapist(1, status="modified", contact={"phone": "+49 241 99999"}, languages=["Türkisch"])
    therapists.scrape([changed], day="2025-07-09")
    therapists.run()
    return therapists


@pytest.fixture
def ambiguous(therapists, make_therapist):
    """Two practices of one name at one postal code, and a third record that may be either."""
    same = {"last_name": "Zeevaert", "first_name": "Thomas"}
    therapists.scrape([make_therapist(1, basic_info=same), make_therapist(2, basic_info=same)])
    therapists.run()
    asked = make_therapist(50, basic_info=same, location={"street": "Anderswo"})
    therapists.scrape([asked, make_therapist(3)], day="2025-07-09")
    therapists.run()
    return therapists


def rows(therapists):
    return therapists.rows(f"SELECT {COLUMNS}, fremdsprachen FROM therapist_service.therapeuten ORDER BY id")


@pytest.mark.parametrize(
    ("question", "choose"),
    [
        ("conflict", "source"),
        ("conflict", "staff"),
        ("held_deletions", "apply"),
        ("held_deletions", "reject"),
        ("ambiguous", "separate"),
    ],
)
def test_after_an_undo_the_rows_are_as_before_and_the_question_is_open(request, question, choose):
    therapists = request.getfixturevalue(question)
    before, (asked,) = rows(therapists), therapists.reviews()
    decided = resolve(therapists, choose, comment="angerufen")
    assert decided.state == "resolved"
    undo(therapists, comment="doch nicht")
    assert rows(therapists) == before
    (review,) = therapists.reviews()
    earlier = review["detail"].pop("earlier")
    assert review == asked
    assert len(earlier) == 1
    kept = {name: earlier[0][name] for name in ("choice", "comment", "decided_by", "undone_by", "why")}
    assert kept == {
        "choice": choose,
        "comment": "angerufen",
        "decided_by": "api:anna",
        "undone_by": "api:bert",
        "why": "doch nicht",
    }
    actions = therapists.rows("SELECT action, actor FROM therapist_service.operator_actions ORDER BY id")
    made, removed = (["create"], ["delete"]) if choose == "separate" else ([], [])
    by_anna = [{"action": action, "actor": "api:anna"} for action in (*made, "resolve")]
    assert actions == [*by_anna, *[{"action": action, "actor": "api:bert"} for action in (*removed, "undo")]]


@pytest.mark.parametrize(
    ("question", "choose", "events"),
    [
        ("conflict", "source", ["therapist.updated"] * 2),
        ("conflict", "staff", []),
        ("held_deletions", "apply", ["therapist.updated"] * 16),
        ("held_deletions", "reject", []),
        ("ambiguous", "separate", ["therapist.created", "therapist.deleted"]),
    ],
)
def test_a_decision_and_its_undo_publish_what_they_change(request, question, choose, events):
    therapists = request.getfixturevalue(question)
    before = len(therapists.events())
    resolve(therapists, choose)
    undo(therapists)
    assert therapists.events()[before:] == events


def test_the_history_names_who_undid(conflict):
    resolve(conflict, "source")
    undo(conflict)
    changes = conflict.rows(
        "SELECT field, old_value, new_value, changed_by FROM therapist_service.field_changes WHERE field = 'telefon'"
        " ORDER BY id"
    )
    assert changes == [
        {"field": "telefon", "old_value": "0241 777", "new_value": "+49 241 99999", "changed_by": "api:anna"},
        {"field": "telefon", "old_value": "+49 241 99999", "new_value": "0241 777", "changed_by": "api:bert"},
    ]


def test_a_question_can_be_decided_and_undone_again_and_again(held_deletions):
    before = rows(held_deletions)
    for choose in ("apply", "reject", "apply"):
        resolve(held_deletions, choose)
        undo(held_deletions)
    assert rows(held_deletions) == before
    (review,) = held_deletions.reviews()
    assert [entry["choice"] for entry in review["detail"]["earlier"]] == ["apply", "reject", "apply"]


def test_only_those_ticked_come_back(held_deletions):
    resolve(held_deletions, "apply", only=(2, 3))
    before = rows(held_deletions)
    assert [row["id"] for row in before if row["status"] == "inaktiv"] == [2, 3]
    undo(held_deletions)
    assert {row["status"] for row in rows(held_deletions)} == {"aktiv"}


def test_who_came_back_by_themselves_does_not_keep_the_others_from_it(held_deletions):
    resolve(held_deletions, "apply")
    staff_sets(held_deletions, 1, status="aktiv", source_removed_at=None)
    undo(held_deletions)
    assert {row["status"] for row in rows(held_deletions)} == {"aktiv"}


@pytest.mark.parametrize(
    ("question", "choose", "meanwhile", "code"),
    [
        ("conflict", "source", lambda t: staff_sets(t, telefon="0241 888"), "changed_since"),
        ("held_deletions", "apply", lambda t: staff_sets(t, 4, status="gesperrt"), "changed_since"),
        ("ambiguous", "separate", lambda t: staff_sets(t, 4, telefon="0241 888"), "changed_since"),
        ("conflict", "staff", lambda t: remove(t, 1), "gone_since"),
        ("conflict", "source", lambda t: remove(t, 1), "gone_since"),
        ("held_deletions", "apply", lambda t: remove(t, 4), "gone_since"),
        ("ambiguous", "separate", lambda t: remove(t, 4), "gone_since"),
    ],
)
def test_what_somebody_went_on_from_is_not_undone(request, question, choose, meanwhile, code):
    therapists = request.getfixturevalue(question)
    resolve(therapists, choose)
    meanwhile(therapists)
    before = rows(therapists), therapists.reviews(), therapists.events()
    with pytest.raises(UndoRefused) as refused:
        undo(therapists)
    assert refused.value.code == code
    assert (rows(therapists), therapists.reviews(), therapists.events()) == before


def remove(therapists, therapist_id):
    with therapists.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM therapist_service.therapeuten WHERE id = :id"), {"id": therapist_id})


def test_an_older_question_stays_decided_once_a_newer_one_is_asked(conflict, make_therapist):
    resolve(conflict, "staff")
    changed = make_therapist(1, status="modified", contact={"phone": "+49 241 55555"}, languages=["Türkisch"])
    conflict.scrape([changed], day="2025-07-16")
    conflict.run()
    with pytest.raises(UndoRefused) as refused:
        undo(conflict)
    assert refused.value.code == "asked_again"


def test_a_merge_is_final(ambiguous):
    resolve(ambiguous, "merge", into=1)
    with pytest.raises(UndoRefused) as refused:
        undo(ambiguous)
    assert refused.value.code == "decision_final"


def test_an_open_or_unknown_question_has_nothing_to_undo(conflict):
    with pytest.raises(NotAllowedError) as refused:
        undo(conflict)
    assert refused.value.message == "Review TE1 is open; there is nothing to undo"
    with pytest.raises(NotFound):
        undo(conflict, review_id=99)


@pytest.fixture
def duplicate(patients, make_registration):
    """Two patients with one e-mail address."""
    patients.upload(make_registration(), "Mustermann_Max_20250705_0b1ab67b.json")
    patients.run()
    patients.upload(make_registration("aaaaaaaa", vorname="Erika"), "Mustermann_Erika_20250706_aaaaaaaa.json")
    patients.run()
    return patients


def test_two_patients_kept_apart_are_asked_about_again(duplicate):
    before = duplicate.patients(), duplicate.events()
    resolve(duplicate, "separate")
    assert undo(duplicate).state == "open"
    assert (duplicate.patients(), duplicate.events()) == before
    resolve(duplicate, "merge")
    assert len(duplicate.patients()) == 1
    with pytest.raises(UndoRefused, match="decision_final"):
        undo(duplicate)


def test_what_staff_wrote_on_the_record_that_goes_is_kept_where_the_other_is_empty(duplicate):
    written = {
        1: {"diagnose": "F32.1"},
        2: {
            "diagnose": "F33",
            "vertraege_unterschrieben": True,
            "status": "auf_der_Suche",
            "ausgeschlossene_therapeuten": [7],
            "startdatum": date(2025, 1, 2),
        },
    }
    with duplicate.engine.begin() as connection:
        update_patients(connection, written, "api:test")
    resolve(duplicate, "merge")
    (patient,) = duplicate.patients()
    assert patient["id"] == 1
    assert {name: patient[name] for name in written[2]} == {**written[2], "diagnose": "F32.1"}


def test_what_the_person_said_later_counts_in_a_merge_even_where_staff_had_corrected_it(duplicate):
    with duplicate.engine.begin() as connection:
        update_patients(connection, {1: {"telefon": "0241 777", "ort": "Köln"}, 2: {"telefon": "0241 888"}}, "api:test")
    resolve(duplicate, "merge")
    (patient,) = duplicate.patients()
    assert (patient["id"], patient["vorname"], patient["telefon"], patient["ort"]) == (1, "Erika", "0241 888", "Köln")
    query = "SELECT old_value FROM patient_service.field_changes WHERE entity_id = 1 AND new_value = '0241 888'"
    assert {"old_value": "0241 777"} in duplicate.rows(query)


def test_of_a_question_about_somebody_erased_nothing_is_left(duplicate):
    resolve(duplicate, "separate", comment="Max rief an")
    undo(duplicate, comment="Max rief noch einmal an")
    resolve(duplicate, "separate", comment="doch Max")
    duplicate.parts.erasure.erase(1, "api:anna")
    kept = duplicate.rows("SELECT * FROM patient_service.reviews")
    kept += duplicate.rows("SELECT * FROM patient_service.operator_actions")
    assert "Max" not in str(kept)
    with pytest.raises(UndoRefused):
        undo(duplicate)


def test_the_api_undoes_for_operators_and_says_why_not(duplicate, database_url, bucket, storage_server, tmp_path):
    environment = {
        "DATABASE_URL": database_url,
        "API_TOKENS": "o:operate:operator-token-24-characters,w:write:writer-token-24-characters",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
    }
    app = create_patient_app(environment, start_workers=False)
    client = app.test_client()
    operator, writer = (
        {"Authorization": f"Bearer {token}"} for token in ("operator-token-24-characters", "writer-token-24-characters")
    )
    address = "/api/reviews/1"
    assert client.post(f"{address}/undo", headers=writer).status_code == 403
    assert client.post(f"{address}/undo", headers=operator).status_code == 409
    client.post(f"{address}/resolve", json={"choose": "separate"}, headers=operator)
    undone = client.post(f"{address}/undo", json={"comment": "vertan"}, headers=operator)
    assert (undone.status_code, undone.json["state"], undone.json["choice"]) == (200, "open", None)
    assert undone.json["detail"]["earlier"][0]["why"] == "vertan"
    assert client.post(f"{address}/undo", json={"comment": 1}, headers=operator).status_code == 400
    client.post(f"{address}/resolve", json={"choose": "merge"}, headers=operator)
    refused = client.post(f"{address}/undo", headers=operator)
    assert refused.status_code == 409
    assert "cannot be undone" in refused.json["message"]
    app.extensions["curavani"].close()


def test_the_command_line_undoes(conflict, database_url):
    def curavani(*arguments):
        return CliRunner().invoke(command_line, arguments, env={"DATABASE_URL": database_url})

    assert curavani("reviews", "resolve", "TE1", "--choose", "source").exit_code == 0
    assert curavani("reviews", "undo", "TE1", "--comment", "vertan").exit_code == 0
    (shown,) = json.loads(curavani("reviews", "list", "--json").stdout)
    assert (shown["id"], shown["state"]) == ("TE1", "open")
    again = curavani("reviews", "undo", "TE1")
    assert (again.exit_code, "is open" in again.stderr) == (2, True)


def test_the_sources_value_does_not_overwrite_what_staff_wrote_after_the_question(conflict):
    staff_sets(conflict, telefon="0241 888")
    with pytest.raises(ResolutionRefused) as refused:
        resolve(conflict, "source")
    assert refused.value.code == "edited_since"
    assert (rows(conflict)[0]["telefon"], conflict.reviews()[0]["state"]) == ("0241 888", "open")
    resolve(conflict, "staff")
    assert rows(conflict)[0]["telefon"] == "0241 888"


def test_a_field_that_staff_set_to_the_sources_value_keeps_no_question_from_its_answer(conflict):
    staff_sets(conflict, telefon="+49 241 99999")
    resolve(conflict, "source")
    assert (rows(conflict)[0]["telefon"], rows(conflict)[0]["fremdsprachen"]) == ("+49 241 99999", ["Türkisch"])


def test_what_the_source_said_earlier_does_not_overwrite_what_it_says_now(conflict, make_therapist):
    newer = make_therapist(1, status="modified", contact={"phone": "+49 241 55555"}, languages=["Türkisch"])
    conflict.scrape([newer], day="2025-07-16")
    conflict.run()
    older, newer = conflict.reviews()
    assert (older["state"], older["choice"], older["decided_by"]) == ("resolved", "settled", "import:3")
    # What the newer one does not ask about itself it has taken over.
    assert [found["field"] for found in newer["detail"]["fields"]] == ["telefon", "fremdsprachen"]
    with pytest.raises(NotAllowedError):
        resolve(conflict, "source", review_id=1)
    resolve(conflict, "source", review_id=2)
    assert (rows(conflict)[0]["telefon"], rows(conflict)[0]["fremdsprachen"]) == ("+49 241 55555", ["Türkisch"])
