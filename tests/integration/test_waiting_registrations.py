"""Failed registrations in people's hands: notes, who takes care, entering by hand, mix-ups, and what was typed."""

import re

import pytest

from patient_service.app import create_app
from tests.integration.visitor import HTTPS, signing_in

pytestmark = pytest.mark.slow

TOKENS = (
    "Rita:read:r-token-of-24-characters,Wilma:write:w-token-of-24-characters,Otto:write:x-token-of-24-characters,"
    "Olga:operate:o-token-of-24-characters"
)
NAME = "Mustermann_Max_20250705_0b1ab67b.json"
WHO = {"anrede": "Herr", "geschlecht": "männlich", "vorname": "Max", "nachname": "Mustermann"}


@pytest.fixture
def sign_in(process_environment):
    with signing_in(process_environment, create_app, TOKENS) as sign_in:
        yield sign_in


@pytest.fixture
def failed(patients):
    """Imports a registration that fails; the file's number."""

    def fail(data, name=NAME):
        patients.upload(data, name)
        patients.run()
        file = patients.files()[-1]
        assert file["status"] == "failed"
        return file["id"]

    return fail


def hidden(page):
    """The hidden inputs of a page's main form."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.partition("<main")[2]))


def test_notes_and_care_are_kept_shown_and_go_with_the_person(patients, sign_in, failed, make_registration):
    number = failed(make_registration(anrede="Herrn"))
    wilma, otto = sign_in("w"), sign_in("x")
    file = f"/console/imports/{number}"
    assert wilma.form(f"{file}/note", note="angerufen, ruft zurück").status_code == 302
    assert wilma.form(f"{file}/note", note=" ").status_code == 400
    assert wilma.form(f"{file}/take", after="").status_code == 302
    page = otto.page(file).text
    assert "angerufen, ruft zurück" in page
    assert "Wilma kümmert sich darum" in otto.page("/console/imports").text
    assert "Wilma kümmert sich darum" in otto.page("/console").text
    # Somebody whose page still says that nobody does must not take it away unknowingly.
    otto.form(f"{file}/take", after="")
    assert "Wilma war schneller" in otto.page(file).text
    otto.form(f"{file}/give-back")
    assert "Wilma kümmert sich darum" in otto.page("/console/imports").text
    otto.form(f"{file}/take", after="api:Wilma")
    assert "Otto kümmert sich darum" in otto.page("/console/imports").text
    otto.form(f"{file}/give-back")
    assert "kümmert sich darum" not in otto.page("/console/imports").text
    entered = wilma.form(f"{file}/by-hand", reason="am Telefon", **WHO)
    assert entered.status_code == 302
    assert wilma.form(f"{file}/note", note="zu spät").status_code == 409
    (patient,) = patients.patients()
    held = wilma.page(f"/console/people/{patient['id']}/export.json").text
    assert "angerufen, ruft zurück" in held
    patients.parts.erasure.erase(patient["id"], "test")
    said = patients.rows("SELECT action, actor, reason FROM patient_service.operator_actions WHERE action = 'note'")
    assert said == [{"action": "note", "actor": "api:Wilma", "reason": None}]


def test_who_only_reads_neither_notes_nor_enters_but_sees_who_waits(sign_in, failed, make_registration):
    number = failed(make_registration(anrede="Herrn"))
    rita = sign_in("r")
    page = rita.page(f"/console/imports/{number}").text
    assert "Max Mustermann" in page
    assert f"/console/imports/{number}/by-hand" not in page
    for action in ("note", "take", "give-back", "by-hand"):
        assert rita.form(f"/console/imports/{number}/{action}", note="x", reason="x", **WHO).status_code == 403
    assert rita.page(f"/console/imports/{number}/content").data == make_registration(anrede="Herrn")


def test_a_broken_file_is_entered_by_hand_from_what_can_be_read(patients, sign_in, failed, make_registration):
    number = failed(make_registration(ort="Köln")[:-9])
    wilma = sign_in("w")
    page = wilma.page(f"/console/imports/{number}")
    assert "Max Mustermann" in page.text
    assert "0171 3920042" in page.text
    form = wilma.page(f"/console/imports/{number}/by-hand").text
    assert re.search(r'name="ort" value="Köln"', form)
    refused = wilma.form(f"/console/imports/{number}/by-hand", reason="", ort="Bonn", **WHO)
    assert (refused.status_code, 'name="ort" value="Bonn"' in refused.text) == (400, True)
    refused = wilma.form(f"/console/imports/{number}/by-hand", reason="x", email="kaputt", **WHO)
    assert "„kaputt“ ist keine gültige E-Mail-Adresse" in refused.text
    assert patients.patients() == []
    wilma.form(f"/console/imports/{number}/by-hand", reason="abgeschnitten", ort="Köln", **WHO)
    (patient,), (file,) = patients.patients(), patients.files()
    assert (patient["ort"], file["status"], file["new_count"]) == ("Köln", "success", 1)
    (outcome,) = patients.rows("SELECT outcome, entity_id, rule FROM patient_service.import_outcomes")
    assert outcome == {"outcome": "new", "entity_id": patient["id"], "rule": "entered_by_hand"}
    assert [f["code"] for f in patients.rows("SELECT code FROM patient_service.import_findings")] == [
        "consent_unreadable"
    ]
    assert patients.rows("SELECT * FROM patient_service.patient_consents") == []
    assert patients.events() == ["patient.created"]
    patients.run()
    assert patients.in_bucket() == []


def test_a_text_that_no_page_can_show_is_shown_with_its_place_and_stays_wrong_until_it_is_mended(
    patients, sign_in, failed, make_registration
):
    number = failed(make_registration(nachname="@").replace(b'"@"', b'"K\\ud83d\\u0000"'))
    person = sign_in("w")
    for page in ("", "/correct", "/by-hand"):
        shown = person.page(f"/console/imports/{number}{page}")
        assert shown.status_code == 200
        assert "K\ufffd\ufffd" in shown.text
    address, untouched = f"/console/imports/{number}/correct", {**WHO, "nachname": "K\ufffd\ufffd", "reason": "gesehen"}
    assert person.form(address, **untouched).status_code == 400
    assert person.form(address, **{**untouched, "nachname": "Kowalski"}).status_code == 302
    assert [row["nachname"] for row in patients.patients()] == ["Kowalski"]


def test_a_mix_up_shows_both_sides_and_is_entered_with_its_consent(patients, sign_in, failed, make_registration):
    patients.upload(
        make_registration("aaaaaaaa", vorname="Erika", email="e@example.com"), "M_Erika_20250701_aaaaaaaa.json"
    )
    number = failed(make_registration("0b1ab67b"), "Muster_Erika_20250705_aaaaaaaa.json")
    wilma = sign_in("w")
    page = wilma.page(f"/console/imports/{number}").text
    assert "Zwei Anmeldungen in einer Datei" in page
    assert "Erika Mustermann (Patient 1)" in page
    assert "Muster Erika" in page
    assert "correct" not in page
    wilma.form(f"/console/imports/{number}/by-hand", reason="gefragt", email="neu@example.com", **WHO)
    patient = patients.patients()[-1]
    (consent,) = patients.rows(
        "SELECT registration_token, import_id FROM patient_service.patient_consents WHERE patient_id = :id",
        id=patient["id"],
    )
    assert consent == {"registration_token": "0b1ab67b", "import_id": number}
    changed = patients.rows("SELECT pointer, old_value, new_value FROM patient_service.import_corrections")
    assert {
        "pointer": "/patient_data/email",
        "old_value": "max.mustermann@example.com",
        "new_value": "neu@example.com",
    } in (changed)


def test_without_a_copy_the_file_is_discarded_and_its_object_stays(patients, sign_in, failed, make_registration):
    number = failed(make_registration(anrede="Herrn"))
    (patients.copies / patients.files()[0]["local_path"]).unlink()
    wilma = sign_in("w")
    assert wilma.page(f"/console/imports/{number}").status_code == 200
    assert wilma.form(f"/console/imports/{number}/by-hand", reason="keine Kopie", **WHO).status_code == 302
    (file,), (patient,) = patients.files(), patients.patients()
    assert (file["status"], file["discard_reason"], file["new_count"]) == ("discarded", "keine Kopie", 1)
    patients.run()
    assert patients.in_bucket() == [NAME]
    patients.parts.erasure.erase(patient["id"], "test")
    assert patients.in_bucket() == []


def test_the_person_of_an_erased_registration_is_not_entered(patients, sign_in, failed, make_registration):
    patients.upload(make_registration())
    patients.run()
    patients.parts.erasure.erase(1, "test")
    number = failed(make_registration(anrede="Herrn"), NAME)
    wilma = sign_in("w")
    assert wilma.form(f"/console/imports/{number}/by-hand", reason="x", **WHO).status_code == 409
    assert patients.patients() == []


def test_the_second_is_told_what_the_first_did_and_keeps_what_they_typed(patients, sign_in, failed, make_registration):
    number = failed(make_registration(anrede="Herrn"))
    wilma, otto = sign_in("w"), sign_in("x")
    wilma.form(f"/console/imports/{number}/by-hand", reason="am Telefon", **WHO)
    for action in ("by-hand", "correct"):
        told = otto.form(f"/console/imports/{number}/{action}", reason="x", ort="Überlingen", **WHO)
        assert told.status_code == 409
        assert "Wilma hat die Person von Hand eingetragen" in told.text
        assert "Überlingen" in told.text
    assert len(patients.patients()) == 1


FORMS = {
    "/console/imports/{}/correct": 'name="ort" value="Überlingen"',
    "/console/imports/{}/by-hand": 'name="ort" value="Überlingen"',
    "/console/imports/{}/note": "Überlingen</textarea>",
    "/console/people/new": 'name="ort" value="Überlingen"',
}


@pytest.mark.parametrize("form", FORMS)
def test_what_was_typed_survives_the_end_of_the_session_and_is_not_saved_unseen(
    patients, sign_in, failed, make_registration, form
):
    number = failed(make_registration(anrede="Herrn"))
    wilma, path = sign_in("w"), form.format(number)
    mark = wilma.csrf()
    patients.rows("DELETE FROM patient_service.sessions RETURNING name")
    typed = {"csrf_token": mark, **WHO, "ort": "Überlingen", "note": "Überlingen", "reason": "x"}
    kept = wilma.post(path, base_url=HTTPS, data=typed)
    assert (kept.status_code, "Ihre Eingaben sind nicht verloren" in kept.text) == (401, True)
    wrong = wilma.post("/console/sign-in", base_url=HTTPS, data={**hidden(kept.text), "token": "falsch"})
    back = wilma.post(
        "/console/sign-in", base_url=HTTPS, data={**hidden(wrong.text), "token": "w-token-of-24-characters"}
    )
    again = wilma.post(path, base_url=HTTPS, data=hidden(back.text))
    assert (again.status_code, FORMS[form] in again.text) == (200, True)
    assert patients.patients() == []
    assert patients.files()[0]["status"] == "failed"
    assert patients.rows("SELECT id FROM patient_service.operator_actions") == []


def test_another_sites_form_is_not_carried_through_the_sign_in(patients, sign_in):
    wilma = sign_in("w")
    patients.rows("DELETE FROM patient_service.sessions RETURNING name")
    forged = wilma.post("/console/people/new", base_url=HTTPS, data={"csrf_token": "forged", "ort": "Überlingen"})
    assert (forged.status_code, "Überlingen" in forged.text) == (302, False)


def test_of_a_broken_file_the_page_shows_the_text_with_the_place_marked(sign_in, failed, make_registration):
    number = failed(make_registration().replace(b'"telefon"', b',"telefon"'))
    page = sign_in("r").page(f"/console/imports/{number}").text
    assert "<mark>,</mark>" in page
    assert "0b1ab67b" in page
