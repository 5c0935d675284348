"""Decisions and people in the console by Flask's test client: who may what, what is said, and what never gets out."""

import base64
import hashlib
import json
import re

import pytest
import sqlalchemy as sa

from patient_service.app import create_app as create_patient_app
from tests.integration.visitor import signing_in
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow

EVIL = "<img src=x onerror=alert(2)>"


@pytest.fixture
def sign_in(process_environment):
    with signing_in(process_environment, create_patient_app) as sign_in:
        yield sign_in


@pytest.fixture
def duplicate(patients, make_registration):
    """Two patients with one e-mail address, whose answers mean no good."""
    patients.upload(make_registration(), "Mustermann_Max_20250705_0b1ab67b.json")
    patients.run()
    evil = make_registration("aaaaaaaa", vorname="Erika", symptome=EVIL, ort=EVIL)
    patients.upload(evil, "Mustermann_Erika_20250706_aaaaaaaa.json")
    patients.run()
    return patients


@pytest.fixture
def conflict(therapists, make_therapist):
    therapists.scrape([make_therapist(1)])
    therapists.run()
    with therapists.engine.begin() as connection:
        connection.execute(sa.text("UPDATE therapist_service.therapeuten SET telefon = '0241 777'"))
    therapists.scrape([make_therapist(1, contact={"phone": "+49 241 99999"})], day="2025-07-09")
    therapists.run()
    return therapists


PAGES = [
    "/console/decisions",
    "/console/decisions?state=all",
    "/console/decisions/1",
    "/console/people",
    "/console/people/2",
    "/console/people/2/erase",
    "/console/people/erasures",
]
OPERATED = ["/console/people/2/erase", "/console/people/erasures"]
ACTIONS = ["/console/decisions/1/resolve", "/console/decisions/1/undo", "/console/people/2/erase"]


def refused(person, paths):
    return [path for path in paths if person.page(path).status_code == 403]


def test_each_role_gets_the_pages_that_are_for_it(sign_in, duplicate):
    assert refused(sign_in("look"), PAGES) == ["/console/people/2", *OPERATED]
    assert refused(sign_in("read"), PAGES) == OPERATED
    assert refused(sign_in("write"), PAGES) == OPERATED
    operator = sign_in("operate")
    assert {operator.page(path).status_code for path in PAGES} == {200}


@pytest.mark.parametrize("role", ["look", "read", "write"])
def test_only_operators_decide_undo_and_erase(sign_in, duplicate, role):
    person = sign_in(role)
    for path in ACTIONS:
        assert person.form(path, choice="separate", number="2").status_code == 403
    assert len(duplicate.patients()) == 2
    assert duplicate.rows("SELECT state FROM patient_service.reviews") == [{"state": "open"}]


def test_who_only_looks_sees_states_and_counts_but_no_name_and_no_value(sign_in, duplicate):
    looker = sign_in("look")
    for path in ("/console/decisions", "/console/decisions/1", "/console/people"):
        page = looker.page(path).text
        assert not re.search("Mustermann|Erika|example.com|onerror", page)
    assert '<b class="number">2</b> offen' in page
    assert not re.search("Mustermann|example.com|onerror", looker.form("/console/search", search="Erika").text)


def test_what_people_answered_is_shown_as_text(sign_in, duplicate):
    operator = sign_in("operate")
    for path in ("/console/decisions/1", "/console/people", "/console/people/2"):
        page = operator.page(path).text
        assert "&lt;img src=x onerror=alert(2)&gt;" in page
        assert EVIL not in page


@pytest.mark.parametrize(
    ("path", "recorded"),
    [
        ("/console/decisions", [("list", None, None)]),
        ("/console/decisions/1", [("view", 2, 2), ("view", 1, 2)]),
        ("/console/people", [("list", None, None)]),
        ("/console/people/2", [("view", 2, None)]),
        ("/console/people/2/erase", [("view", 2, None), ("view", 1, None)]),
        ("/console/people/99", []),
    ],
)
def test_each_look_at_people_is_on_record_with_who_looked(sign_in, engine, duplicate, path, recorded):
    sign_in("operate").page(path)
    with engine.begin() as connection:
        statement = "SELECT actor, action, entity_id, import_id FROM patient_service.access_log ORDER BY id"
        rows = [tuple(row) for row in connection.execute(sa.text(statement))]
    assert rows == [("api:Olga", *entry) for entry in recorded]


def test_a_duplicate_is_decided_with_who_and_when_and_undone(sign_in, duplicate):
    operator = sign_in("operate")
    page = operator.page("/console/decisions/1").text
    assert "Patient 2" in page
    assert re.search(r"auch wo wir sie berichtigt hatten.*Status, Diagnose und andere eigene Vermerke bleiben", page)
    assert "dieselbe E-Mail-Adresse wie Max Mustermann (Patient 1), aber einen anderen Namen" in page
    differing = page.index("Was sich unterscheidet")
    assert differing < page.index("Erika", differing) < page.index("Was gleich ist")
    answer = operator.form("/console/decisions/1/resolve", choice="separate", comment="Geschwister")
    assert answer.location == "/console/decisions/1"
    decided = operator.page("/console/decisions/1").text
    assert re.search(r"zwei verschiedene Personen.*Olga.*Geschwister", decided, re.DOTALL)
    assert operator.form("/console/decisions/1/undo", comment="vertan").location == "/console/decisions/1"
    again = operator.page("/console/decisions/1").text
    assert "Entscheidung PE1 ist rückgängig gemacht und wieder offen" in again
    assert re.search(r"Früher entschieden.*Geschwister.*Olga.*vertan", again, re.DOTALL)
    assert duplicate.rows("SELECT state FROM patient_service.reviews") == [{"state": "open"}]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Bitte eine der Antworten wählen."),
        ({"choice": "merge:1"}, "Bitte bestätigen, dass Sie verglichen haben"),
        ({"choice": "merge:99", "compared": "yes"}, "Diese Antwort ist hier nicht möglich"),
        ({"choice": "merge:x", "compared": "yes"}, "Diese Antwort ist hier nicht möglich"),
        ({"choice": "source"}, "Diese Antwort ist hier nicht möglich"),
        ({"choice": "nonsense"}, "Diese Antwort ist hier nicht möglich"),
        ({"choice": "separate", "comment": "x" * 1001}, "Diese Antwort ist hier nicht möglich"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_and_what_was_written_stays(sign_in, duplicate, fields, said):
    comment = fields.get("comment", "meine Bemerkung")
    answer = sign_in("operate").form("/console/decisions/1/resolve", **{**fields, "comment": comment})
    assert answer.status_code == 400
    assert said in answer.text
    assert comment in answer.text
    assert duplicate.rows("SELECT state FROM patient_service.reviews") == [{"state": "open"}]


def test_joining_needs_a_confirmation_and_is_final(sign_in, duplicate):
    operator = sign_in("operate")
    assert operator.form("/console/decisions/1/resolve", choice="merge:1", compared="yes").status_code == 302
    assert [row["vorname"] for row in duplicate.patients()] == ["Erika"]
    assert "lässt sich nicht rückgängig machen" in operator.page("/console/decisions/1").text
    assert operator.form("/console/decisions/1/undo").status_code == 409


def test_who_decides_second_is_told_so_and_changes_nothing(sign_in, duplicate):
    operator = sign_in("operate")
    operator.form("/console/decisions/1/resolve", choice="separate")
    second = operator.form("/console/decisions/1/resolve", choice="merge:1", compared="yes")
    assert second.status_code == 409
    assert "Inzwischen hat jemand anderes entschieden" in second.text
    assert len(duplicate.patients()) == 2


def test_a_conflict_is_shown_field_by_field_and_its_undo_refused_after_a_change(sign_in, conflict):
    operator = sign_in("operate", create_therapist_app)
    page = operator.page("/console/decisions/1").text
    assert re.search(r"Telefon.*\+49 241 12345.*0241 777.*\+49 241 99999", page, re.DOTALL)
    operator.form("/console/decisions/1/resolve", choice="source")
    with conflict.engine.begin() as connection:
        connection.execute(sa.text("UPDATE therapist_service.therapeuten SET telefon = '0241 888'"))
    undone = operator.form("/console/decisions/1/undo")
    assert undone.status_code == 409
    assert "wurde inzwischen geändert" in undone.text
    assert conflict.therapists()[0]["telefon"] == "0241 888"


def test_who_would_overwrite_a_newer_edit_is_told_so(sign_in, conflict):
    operator = sign_in("operate", create_therapist_app)
    with conflict.engine.begin() as connection:
        connection.execute(sa.text("UPDATE therapist_service.therapeuten SET telefon = '0241 888'"))
    refused = operator.form("/console/decisions/1/resolve", choice="source")
    assert (refused.status_code, "inzwischen von Hand geändert" in refused.text) == (409, True)
    assert conflict.therapists()[0]["telefon"] == "0241 888"


def test_of_held_deletions_those_ticked_are_marked_as_gone(sign_in, held_deletions):
    operator = sign_in("operate", create_therapist_app)
    page = operator.page("/console/decisions/1").text
    assert page.count('name="only"') == 8
    assert "Thomas Zeevaertba" in page
    none = operator.form("/console/decisions/1/resolve", choice="apply")
    assert (none.status_code, "kreuzen Sie mindestens eine Praxis an" in none.text) == (400, True)
    operator.form("/console/decisions/1/resolve", choice="apply", only=["2", "3"])
    assert [row["id"] for row in held_deletions.therapists() if row["status"] == "inaktiv"] == [2, 3]


def test_a_persons_page_tells_which_file_and_which_person_changed_what(sign_in, conflict):
    operator = sign_in("operate", create_therapist_app)
    operator.form("/console/decisions/1/resolve", choice="source")
    page = re.sub(r"<[^>]+>|\s+", " ", operator.page("/console/people/1").text)
    page = re.sub(r"\s+", " ", page)
    assert "Olga hat geändert: Telefon 0241 777 → wurde zu +49 241 99999" in page
    assert "Olga hat TE1 entschieden: die Arztsuche hat recht" in page
    assert "Durch Datei T1 neu angelegt" in page
    assert "Noch nicht an andere Dienste gemeldet (therapist.updated)" in page
    assert operator.page("/console/people/99").status_code == 404


def test_the_evidence_of_consent_stands_on_the_patients_page(sign_in, duplicate):
    page = sign_in("write").page("/console/people/1").text
    assert "192.0.2.7" in page
    assert "2025-07-05T14:33:55Z" in page


@pytest.mark.parametrize("typed", ["", "1", "2x"])
def test_nobody_is_erased_without_their_number(sign_in, duplicate, typed):
    answer = sign_in("operate").form("/console/people/2/erase", number=typed)
    assert answer.status_code == 400
    assert "Nichts wurde gelöscht." in answer.text
    assert len(duplicate.patients()) == 2


def test_an_erasure_ends_with_a_certificate_without_the_persons_data(sign_in, duplicate):
    operator = sign_in("operate")
    erased = operator.form("/console/people/2/erase", number="2")
    assert erased.location == "/console/people/erasures/1"
    page = operator.page(erased.location).text
    assert "Bescheinigung der Löschung" in page
    download = operator.page("/console/people/erasures/1/certificate")
    assert download.headers["Content-Disposition"] == 'attachment; filename="curavani-erasure-2.json"'
    certificate = json.loads(download.data)
    assert (certificate["patient_id"], certificate["erased_by"]) == (2, "api:Olga")
    assert not re.search("Mustermann|Erika|example.com", page + download.text)
    assert operator.page("/console/people/2").status_code == 404
    assert operator.page("/console/people/erasures/9").status_code == 404
    about = operator.page("/console/decisions/1").text
    assert "Die Daten, um die es ging, sind gelöscht." in about
    assert "Erika" not in about


def test_what_is_in_doubt_is_decided_before_an_erasure(sign_in, duplicate, make_registration):
    for number, token in enumerate(("dddddddd", "eeeeeeee", "ffffffff")):
        broken = make_registration(token, anrede="Herrn", email=f"anders{number}@example.com")
        duplicate.upload(broken, f"{token}.json")
    duplicate.run()
    operator = sign_in("operate")
    page = operator.page("/console/people/1/erase").text
    assert re.findall(r'name="(file-\d|patient-\d)" value="(?:also|others)"', page) == [
        "file-3", "file-4", "file-5", "patient-2",
    ]  # fmt: skip
    stale = operator.form("/console/people/1/erase", number="1", **{"file-9": "keep"})
    assert (stale.status_code, len(duplicate.patients())) == (409, 2)
    choices = {"file-3": "also", "file-4": "keep", "file-5": "", "patient-2": "others"}
    erasure = operator.form("/console/people/1/erase", number="1", **choices).location
    assert [row["status"] for row in duplicate.files()[2:]] == ["discarded", "failed", "failed"]
    assert "noch nicht abgeschlossen" in operator.page("/console/people/erasures").text
    operator.form(erasure, **{"file-5": "keep"})
    printed = operator.page(f"{erasure}/certificate.html")
    assert "Datei P3: gehört zur Person" in printed.text
    assert "noch nicht abgeschlossen" not in printed.text
    (style,) = re.findall("<style>(.*?)</style>", printed.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in printed.headers["Content-Security-Policy"]


def test_a_copy_in_doubt_is_told_before_an_erasure_and_decided_after_it(sign_in, patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    copy = patients.copies / "2025" / "07" / f"1751720035000000_{'a' * 32}.json"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(make_registration("cccccccc", email="anders@example.com"))
    operator = sign_in("operate")
    assert "1 Kopie ohne Eintrag gehört vielleicht zur Person." in operator.page("/console/people/1/erase").text
    erasure = operator.form("/console/people/1/erase", number="1").location
    assert "Datei P2" in operator.page(erasure).text
    assert "anders@example.com" in operator.page("/console/imports/2").text
    operator.form(erasure, **{"file-2": "also"})
    assert "noch nicht abgeschlossen" not in operator.page(f"{erasure}/certificate.html").text
    assert not copy.exists()


def as_opened(page):
    """A form as a browser would send it back untouched."""
    fields = dict(re.findall(r'<input type="hidden" name="(was_[^"]+)" value="([^"]*)"', page, re.DOTALL))
    return {**fields, **{name.removeprefix("was_"): text for name, text in fields.items()}}


def test_a_patient_is_entered_by_hand_with_the_same_checks_as_over_the_api(sign_in, engine):
    person = sign_in("write")
    refused = person.form("/console/people/new", vorname="Erika", geburtsdatum="31.02.1990", anrede="Frau")
    assert refused.status_code == 400
    assert "„31.02.1990“ ist kein gültiges Datum" in refused.text
    assert "Bitte ausfüllen." in refused.text
    assert 'value="Erika"' in refused.text
    made = person.form(
        "/console/people/new",
        anrede="Frau",
        geschlecht="weiblich",
        vorname="Erika",
        nachname="Handeintrag",
        geburtsdatum="03.02.1990",
        zeitliche_verfuegbarkeit="montag: 09:00-12:00",
        status="auf_der_Suche",
    )
    assert made.status_code == 302
    with engine.begin() as connection:
        row = connection.execute(sa.text("SELECT * FROM patient_service.patienten")).mappings().one()
        event = connection.execute(sa.text("SELECT event_type FROM patient_service.event_outbox")).scalar_one()
        action = connection.execute(
            sa.text("SELECT action || actor FROM patient_service.operator_actions")
        ).scalar_one()
    assert (str(row["geburtsdatum"]), row["zeitliche_verfuegbarkeit"]) == ("1990-02-03", {"montag": ["09:00-12:00"]})
    assert (row["status"], row["offen_fuer_diga"], event, action) == (
        "auf_der_Suche",
        False,
        "patient.created",
        "createapi:Wilma",
    )


def test_only_what_was_touched_is_written_and_history_names_who_did_it(sign_in, conflict):
    person = sign_in("write", create_therapist_app)
    number = conflict.therapists()[0]["id"]
    form = as_opened(person.page(f"/console/people/{number}/edit").text)
    saved = person.form(
        f"/console/people/{number}/edit", **form | {"telefon": "0241 888", "status": "gesperrt", "sperrgrund": "Umzug"}
    )
    assert saved.status_code == 302
    changes = conflict.rows(
        "SELECT field, new_value FROM therapist_service.field_changes WHERE changed_by = 'api:Wilma'"
    )
    assert {change["field"]: change["new_value"] for change in changes} == {
        "telefon": "0241 888", "status": "gesperrt", "sperrgrund": "Umzug",
    }  # fmt: skip
    assert conflict.events()[-1] == "therapist.blocked"


def test_whoever_saves_second_is_told_what_the_first_did(sign_in, duplicate):
    person = sign_in("write")
    number = duplicate.patients()[0]["id"]
    form = as_opened(person.page(f"/console/people/{number}/edit").text)
    assert (
        person.form(f"/console/people/{number}/edit", **form | {"ort": "Köln", "hausarzt": "Dr. A"}).status_code == 302
    )
    second = person.form(f"/console/people/{number}/edit", **form | {"ort": "Bonn", "plz": "53111"})
    assert second.status_code == 409
    assert "Inzwischen hat jemand hier „Köln“ eingetragen" in second.text
    assert 'value="Bonn"' in second.text
    assert 'value="Dr. A"' in second.text
    assert duplicate.patients()[0]["ort"] == "Köln"
    again = as_opened(second.text) | {"ort": "Bonn", "plz": "53111"}
    assert person.form(f"/console/people/{number}/edit", **again).status_code == 302
    row = duplicate.patients()[0]
    assert (row["ort"], row["plz"], row["hausarzt"]) == ("Bonn", "53111", "Dr. A")


def test_a_wrong_value_says_so_beside_its_field_and_keeps_what_was_typed(sign_in, duplicate):
    person = sign_in("write")
    number = duplicate.patients()[0]["id"]
    form = as_opened(person.page(f"/console/people/{number}/edit").text)
    refused = person.form(f"/console/people/{number}/edit", **form | {"email": "kaputt", "ort": "Bonn"})
    assert refused.status_code == 400
    assert "„kaputt“ ist keine gültige E-Mail-Adresse." in refused.text
    assert 'value="Bonn"' in refused.text
    assert duplicate.patients()[0]["ort"] is None


def test_forms_are_for_people_who_may_edit_and_for_entries_that_exist(sign_in, duplicate):
    reader = sign_in("read")
    number = duplicate.patients()[0]["id"]
    for path in ("/console/people/new", f"/console/people/{number}/edit"):
        assert reader.page(path).status_code == 403
        assert reader.form(path).status_code == 403
    assert sign_in("write").page("/console/people/99999/edit").status_code == 404


def test_a_therapist_who_objects_is_erased_with_a_certificate_and_can_be_allowed_again(conflict, sign_in):
    olga, wilma = sign_in("operate", create_therapist_app), sign_in("write", create_therapist_app)
    assert "/console/people/1/erase" in olga.page("/console/people/1").text
    assert "/console/people/1/erase" not in wilma.page("/console/people/1").text
    assert {wilma.page(f"/console/people/{path}").status_code for path in ("1/erase", "left-out")} == {403}
    before = (conflict.therapists(), conflict.reviews(), conflict.events())
    asked = olga.page("/console/people/1/erase").text
    assert ("Zeevaert" in asked, '<dt>Entscheidungen</dt><dd class="number">1</dd>' in asked) == (True, True)
    assert olga.form("/console/people/1/erase", number="2").status_code == 400
    assert (conflict.therapists(), conflict.reviews(), conflict.events()) == before
    erased = olga.form("/console/people/1/erase", number="1", reason="Brief vom 3. Mai")
    assert conflict.therapists() == []
    certificate = olga.page(erased.headers["Location"]).text
    assert ("Brief vom 3. Mai" in certificate, "Zeevaert" in certificate) == (True, False)
    kept = json.loads(olga.page(f"{erased.headers['Location']}/certificate").text)
    assert (kept["therapist_id"], len(kept["digests"]["known_by"])) == (1, 4)
    number = kept["suppression_id"]
    assert "Brief vom 3. Mai" in olga.page("/console/people/left-out").text
    assert wilma.form(f"/console/people/left-out/{number}/allow").status_code == 403
    assert olga.form(f"/console/people/left-out/{number}/allow").status_code == 302
    assert {olga.page(f"/console/people/left-out/{number}").status_code} == {404}


@pytest.mark.parametrize(
    ("role", "path", "asked"),
    [
        ("look", "/console/people", "Namen und Angaben sehen: Olga, Rita, Wilma."),
        ("look", "/console/decisions/1", "Entscheiden können: Olga."),
        ("read", "/console/decisions", "Entscheiden können: Olga."),
        ("write", "/console/decisions/1", "Entscheiden können: Olga."),
        ("read", "/console/people/1", "Ändern können: Olga, Wilma."),
        ("write", "/console/people/1", "Löschen können: Olga."),
        ("look", "/console/people/1", "das dürfen nur: Olga, Rita, Wilma."),
        ("write", "/console/accesses", "das dürfen nur: Olga."),
    ],
)
def test_who_may_not_is_told_by_name_who_may(sign_in, duplicate, role, path, asked):
    assert asked in sign_in(role).page(path).text
    assert asked not in sign_in("operate").page(path).text


def test_of_a_failed_file_everybody_is_told_who_can_do_what(sign_in, patients, make_registration):
    patients.upload(make_registration(anrede="Herrn", hat_ptv11=True), "Mustermann_Max_20250705_0b1ab67b.json")
    patients.run()
    pages = {role: sign_in(role).page("/console/imports/1").text for role in ("look", "write", "operate")}
    correcting, mending = "Anmeldungen korrigieren können: Olga, Wilma.", "Erneut versuchen und verwerfen können: Olga."
    told = {role: (correcting in page, mending in page, "Bitte" in page) for role, page in pages.items()}
    assert told == {"look": (True, True, False), "write": (False, True, True), "operate": (False, False, True)}
    assert "<dt>Psychotherapeutische Sprechstunde</dt>" in pages["write"]
    assert "hat_ptv11" not in pages["write"]


def test_a_place_in_a_scrape_is_that_of_a_record_counted_from_one(sign_in, therapists, make_therapist):
    broken = make_therapist(2, location={"postal_code": "1"})
    therapists.scrape([make_therapist(1), broken, make_therapist(3)])
    therapists.run()
    page = sign_in("read", create_therapist_app).page("/console/imports/1").text
    assert "<b>Eintrag 2</b> <code>location/postal_code</code>" in page
    assert "/therapists/" not in page


def test_who_is_due_to_be_erased_stands_on_pages_the_longest_first(sign_in, patients):
    with patients.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO patient_service.patienten"
                " (anrede, geschlecht, vorname, nachname, name_key, search_key, created_at, updated_at)"
                " SELECT 'Frau', 'weiblich', 'Ada', 'Alt' || number, 'ada alt', 'ada alt',"
                " now() - make_interval(days => 100 + number), now() - make_interval(days => 100 + number)"
                " FROM generate_series(1, 41) AS number"
            )
        )
    rita = sign_in("read", PATIENT_RETENTION_DAYS="110")
    pages = [rita.page(f"/console/people/due?page={number}").text for number in (1, 2)]
    named = [re.findall(r"Ada Alt(\d+)", page) for page in pages]
    assert named == [[str(number) for number in range(41, 21, -1)], [str(number) for number in range(21, 9, -1)]]
    assert all("32 Personen" in page for page in pages)


def test_a_long_history_stands_on_pages_the_newest_first(sign_in, patients, make_registration):
    patients.upload(make_registration(), "Mustermann_Max_20250705_0b1ab67b.json")
    patients.run()
    with patients.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO patient_service.field_changes (entity_id, field, new_value, changed_by, changed_at)"
                " SELECT 1, 'telefon', 'Nr-' || number, 'api:Olga', now() + make_interval(secs => number)"
                " FROM generate_series(1, 43) AS number"
            )
        )
    wilma = sign_in("write")
    newest, last, edit = (wilma.page(f"/console/people/1{more}").text for more in ("", "?page=3", "/edit"))
    assert re.findall(r"<ins>Nr-(\d+)", newest) == [str(number) for number in range(43, 23, -1)]
    assert re.findall(r"<ins>Nr-(\d+)", last) == ["3", "2", "1"]
    assert "neu angelegt" in last
    assert (edit.count("<ins>Nr-"), "/console/people/1?page=2#history" in edit) == (20, True)
