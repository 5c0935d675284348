"""Decisions as people work through them: many at once after a preview, one after the other, and what they rest on."""

import csv
import io
import re

import pytest
import sqlalchemy as sa

from patient_service.app import create_app as create_patient_app
from tests.integration.visitor import signing_in
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow


@pytest.fixture
def sign_in(process_environment):
    with signing_in(process_environment, create_therapist_app) as sign_in:
        yield sign_in


@pytest.fixture
def conflicts(therapists, make_therapist):
    """Three therapists whose phone staff and source changed differently."""
    therapists.scrape([make_therapist(number) for number in (1, 2, 3)])
    therapists.run()
    therapists.rows("UPDATE therapist_service.therapeuten SET telefon = '0241 77' || id RETURNING id")
    moved = [make_therapist(n, contact={"phone": f"+49 241 8800{n}"}) for n in (1, 2, 3)]
    therapists.scrape(moved, "2025-07-09")
    therapists.run()
    assert [review["kind"] for review in therapists.reviews()] == ["conflict"] * 3
    return therapists


def phones(therapists):
    return [row["telefon"] for row in therapists.therapists()]


def test_several_conflicts_are_previewed_and_decided_each_by_itself(sign_in, conflicts):
    olga = sign_in("o")
    listed = olga.page("/console/decisions").text
    assert re.search(r"Telefon · Datei T2.*0241 771.*\+49 241 88001.*alle 3", listed, re.DOTALL)
    assert "Bitte kreuzen Sie mindestens einen Eintrag an" in follow(olga, olga.form("/console/decisions/preview"))
    conflicts.rows("UPDATE therapist_service.therapeuten SET telefon = '0241 999' WHERE id = 3 RETURNING id")
    chosen = {"choice": "source", "whole": "yes", "member": ["1", "2", "3"]}
    preview = olga.form("/console/decisions/preview", **chosen).text
    assert "3 Einträge entscheiden" in preview
    assert re.search(r"0241 771.*\+49 241 88001", preview, re.DOTALL)
    assert preview.count("Nicht möglich:") == 1
    assert phones(conflicts) == ["0241 771", "0241 772", "0241 999"]
    assert [review["state"] for review in conflicts.reviews()] == ["open"] * 3
    done = olga.form("/console/decisions/together", choice="source", one=["1", "2", "3"], comment="Anruf")
    told = follow(olga, done)
    assert "2 Entscheidungen sind getroffen" in told
    assert "Nicht entschieden: TE3" in told
    assert phones(conflicts) == ["+49 241 88001", "+49 241 88002", "0241 999"]
    assert [(r["state"], r["comment"]) for r in conflicts.reviews()] == [
        ("resolved", "Anruf"), ("resolved", "Anruf"), ("open", None),
    ]  # fmt: skip
    seen = conflicts.rows("SELECT entity_id FROM therapist_service.access_log WHERE route LIKE '%together' ORDER BY id")
    assert [row["entity_id"] for row in seen] == [1, 2]
    assert sign_in("w").form("/console/decisions/together", choice="source", one="3").status_code == 403


def follow(person, answer):
    return person.page(answer.location).text


def test_deciding_leads_to_the_next_and_the_latest_decided_come_first(sign_in, conflicts):
    olga = sign_in("o")
    assert "Entscheiden und weiter (noch 2)" in olga.page("/console/decisions/2").text
    assert olga.form("/console/decisions/2/resolve", choice="staff", next="yes").location == "/console/decisions/3"
    assert olga.form("/console/decisions/3/resolve", choice="staff", next="yes").location == "/console/decisions/1"
    assert olga.form("/console/decisions/1/resolve", choice="staff", next="yes").location == "/console/decisions"
    decided = olga.page("/console/decisions?state=resolved").text
    assert decided.index(">TE1<") < decided.index(">TE3<") < decided.index(">TE2<")


def csv_of(person, path):
    answer = person.page(path)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_the_list_is_sorted_and_goes_to_a_spreadsheet_as_it_is_filtered(sign_in, conflicts):
    olga = sign_in("o")
    olga.form("/console/decisions/2/resolve", choice="staff")
    found = {
        order: [line["Nummer"] for line in csv_of(olga, f"/console/decisions/list.csv?state=all&order={order}")]
        for order in ("waiting", "oldest", "newest")
    }
    assert found == {
        "waiting": ["TE1", "TE3", "TE2"], "oldest": ["TE1", "TE2", "TE3"], "newest": ["TE3", "TE2", "TE1"],
    }  # fmt: skip
    page = olga.page("/console/decisions?order=newest").text
    assert page.index(">TE3<") < page.index(">TE1<")
    assert 'href="/console/decisions/list.csv?order=newest"' in page
    first, _third = csv_of(olga, "/console/decisions/list.csv")
    assert (first["Unser Wert"], first["Arztsuche jetzt"]) == ("Telefon: 0241 771", "Telefon: +49 241 88001")
    (decided,) = csv_of(olga, "/console/decisions/list.csv?state=resolved")
    assert (decided["Status"], decided["Entschieden von"]) == ("entschieden", "Olga")
    assert csv_of(olga, "/console/decisions/list.csv?state=all&kind=held_deletions") == []
    assert "0241" not in sign_in("l").page("/console/decisions/list.csv").text
    noted = "SELECT actor, action FROM therapist_service.access_log WHERE route LIKE '%list.csv' GROUP BY 1, 2"
    assert conflicts.rows(noted) == [{"actor": "api:Olga", "action": "export"}]


def test_decisions_about_somebody_restricted_leave_the_console_without_them(sign_in, patients, make_registration):
    patients.upload(make_registration(), "Mustermann_Max_20250705_0b1ab67b.json")
    patients.run()
    second = make_registration("aaaaaaaa", vorname="Moritz", geburtsdatum="2001-02-03")
    patients.upload(second, "Mustermann_Moritz_20250706_aaaaaaaa.json")
    patients.run()
    olga = sign_in("o", create_patient_app)
    assert "Max" in csv_of(olga, "/console/decisions/list.csv")[0]["Betrifft"]
    olga.form("/console/people/1/restrict", kind="restricted", reason="widersprochen")
    (line,) = csv_of(olga, "/console/decisions/list.csv")
    assert (line["Nummer"], line["Betrifft"]) == ("PE1", "")


def test_only_conflicts_are_decided_several_at_once(sign_in, conflicts):
    conflicts.rows(
        "UPDATE therapist_service.reviews SET kind = 'held_deletions', detail = '{}' WHERE id = 1 RETURNING id"
    )
    olga = sign_in("o")
    assert "Nicht entschieden: TE1" in follow(olga, olga.form("/console/decisions/together", choice="staff", one="1"))
    assert conflicts.reviews()[0]["state"] == "open"


def test_a_duplicate_says_why_and_what_comes_of_it_and_shows_both_afterwards(sign_in, patients, make_registration):
    patients.upload(make_registration(ort="Aachen", telefon="0241 1"), "Mustermann_Max_20250705_0b1ab67b.json")
    patients.run()
    second = make_registration("aaaaaaaa", vorname="Moritz", ort="Köln", geburtsdatum="2001-02-03")
    patients.upload(second, "Mustermann_Moritz_20250706_aaaaaaaa.json")
    patients.run()
    olga = sign_in("o", create_patient_app)
    page = olga.page("/console/decisions/1").text
    assert "dieselbe E-Mail-Adresse wie Max Mustermann (Patient 1), aber einen anderen Namen" in page
    row = re.search(r"<tr>\s*<th scope=\"row\">Ort</th>.*?</tr>", page, re.DOTALL)[0]
    assert re.findall(r"Köln|Aachen", row) == ["Köln", "Aachen", "Köln"]
    olga.form("/console/decisions/1/resolve", choice="merge:1", compared="yes")
    after = olga.page("/console/decisions/1").text
    assert "wie sie vor dem Zusammenführen waren" in after
    row = re.search(r"<tr>\s*<th scope=\"row\">Ort</th>.*?</tr>", after, re.DOTALL)[0]
    assert re.findall(r"Köln|Aachen", row) == ["Köln", "Aachen"]
    assert "03.02.2001" in after
    patients.parts.erasure.erase(1, "test")
    assert patients.rows("SELECT detail FROM patient_service.reviews") == [{"detail": {}}]


def test_held_deletions_show_what_speaks_for_each_and_tick_nothing(sign_in, therapists, make_therapist):
    week = [make_therapist(number) for number in range(1, 13)]
    therapists.scrape(week)
    namesake = make_therapist(
        1, location={"street": "Domhof", "house_number": "9", "postal_code": "50667", "city": "Köln"}
    )
    therapists.scrape([namesake], zip_code="50667")
    therapists.run()
    therapists.rows(
        "UPDATE therapist_service.therapeuten SET potenziell_verfuegbar_notizen = 'ab Mai'"
        " WHERE strasse = 'Salierallee 1' RETURNING id"
    )
    therapists.scrape([{**each, "status": "deleted"} for each in week], "2025-07-09")
    therapists.run()
    (review,) = [each for each in therapists.reviews() if each["kind"] == "held_deletions"]
    page = sign_in("o").page(f"/console/decisions/{review['id']}").text
    assert " checked" not in page
    assert "ab Mai" in page
    assert "Liste von 52066" in page
    assert "Domhof 9" in page


def test_a_status_is_changed_by_one_button_unless_somebody_was_faster(sign_in, conflicts):
    wilma = sign_in("w")
    page = wilma.page("/console/people/1").text
    blocking = inputs_of(page, "Sperren …")
    wilma.form("/console/people/1/edit", **blocking, sperrgrund="Praxis schließt")
    first = conflicts.therapists()[0]
    assert (first["status"], first["sperrgrund"], first["sperrdatum"] is not None) == (
        "gesperrt",
        "Praxis schließt",
        True,
    )
    assert conflicts.events()[-1] == "therapist.blocked"
    late = wilma.form("/console/people/1/edit", **{**blocking, "status": "inaktiv"})
    assert (late.status_code, conflicts.therapists()[0]["status"]) == (409, "gesperrt")
    wilma.form("/console/people/1/edit", **inputs_of(wilma.page("/console/people/1").text, "Entsperren"))
    first = conflicts.therapists()[0]
    assert (first["status"], first["sperrgrund"], conflicts.events()[-1]) == ("aktiv", None, "therapist.unblocked")
    assert "Praxis schließt" in wilma.page("/console/people/1/edit").text


def inputs_of(page, label):
    """The hidden inputs of the form behind a button."""
    before, _, after = page.partition(label)
    part = after if label.endswith("…") else before[before.rindex("<form") :]
    found = re.findall(r'name="([^"]+)" value="([^"]*)"', part.partition("</form>")[0])
    return {name: value for name, value in found if name != "csrf_token"}


def test_a_therapists_page_says_what_the_next_scrape_would_do(sign_in, conflicts):
    page = sign_in("w").page("/console/people/1").text
    outlook = page[page.index("Was die nächste Arztsuche damit macht") :]
    assert re.search(
        r"Telefon.*0241 771.*\+49 241 88001.*Unser Eintrag bleibt\. Steht in der Arztsuche etwas Neues",
        outlook,
        re.DOTALL,
    )


def test_the_preview_holds_nothing_locked(sign_in, conflicts, engine):
    sign_in("o").form("/console/decisions/preview", choice="source", one="1")
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT * FROM therapist_service.therapeuten FOR UPDATE NOWAIT"))
