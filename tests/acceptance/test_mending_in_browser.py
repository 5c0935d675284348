"""A failed registration in a real browser: who waits, what is wrong, and put right on one page."""

import json

import pytest

from tests.acceptance.axe import violations

pytestmark = pytest.mark.slow
README_PICTURE = {"width": 1120, "height": 760}


BORN = """
    SELECT concat_ws(' ', geburtsdatum, anrede, zeitliche_verfuegbarkeit)
    FROM patient_service.patienten WHERE nachname = 'Wartend'
"""
KEPT = """
    SELECT string_agg(pointer || ' ' || corrected_by, ',' ORDER BY pointer)
    FROM patient_service.import_corrections WHERE import_id = :id
"""


def registration(token, **answers):
    patient = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Wanda", "nachname": "Wartend"}
    document = {
        "patient_data": {**patient, "email": "wanda@example.com", "telefon": "0241 5550", **answers},
        "consent_metadata": {"timestamp_utc": "2025-07-05T14:33:55Z", "ip_address": "192.0.2.7"},
        "registration_timestamp": "2025-07-05 14:33:55",
        "registration_token": token,
    }
    return json.dumps(document, ensure_ascii=False).encode()


def failed(services, visitor, name, data):
    """The number of a file that was uploaded and has failed."""
    services.upload(name, data)
    visitor.import_now()
    number = services.number_of(name)
    state = "SELECT status FROM patient_service.import_tracking WHERE id = :id"
    assert services.wait_for(lambda: services.one(state, id=number) == "failed")
    return number


def refused(visitor, status):
    """The browser complained about an answer of this status, and about nothing else."""
    assert visitor.complaints
    assert all(status in text for text in visitor.complaints)
    visitor.complaints.clear()


def test_a_wrong_birth_date_is_put_right_in_a_few_clicks(visit, services):
    visitor = visit("write")
    operator = visit("operate")
    data = registration(
        "0000aa01", geburtsdatum="31.02.1990", anrede="Herrn", zeitliche_verfuegbarkeit={"montag": ["09:00-12:00"]}
    )
    number = failed(services, operator, "Wartend_Wanda_20250705_0000aa01.json", data)
    page = visitor.page
    visitor.open(f"/console/imports/{number}")
    page.get_by_role("heading", name="Wanda Wartend").wait_for()
    assert page.get_by_text("„31.02.1990“ ist kein gültiges Datum").count()
    assert page.get_by_text("„Herrn“ ist hier nicht erlaubt. Möglich: Herr, Frau.").count()
    assert page.get_by_text("0241 5550").count()
    page.get_by_role("link", name="Korrigieren …").click()
    wrong = page.get_by_role("group", name="Das stimmt noch nicht")
    wrong.get_by_label("Anrede").select_option("Frau")
    wrong.get_by_role("textbox", name="Geburtsdatum").fill("28.02.1990")
    assert violations(page) == []
    page.get_by_label("Warum wird korrigiert?").fill("am Telefon geklärt")
    page.get_by_role("button", name="Korrigieren und übernehmen").click()
    page.get_by_text(f"Datei P{number} ist korrigiert und übernommen.").wait_for()
    assert services.one(BORN) == '1990-02-28 Frau {"montag": ["09:00-12:00"]}'
    assert services.one(KEPT, id=number) == "/patient_data/anrede api:Wilma,/patient_data/geburtsdatum api:Wilma"


def test_the_readme_shows_a_registration_that_was_mended(visit, services, picture):
    visitor = visit("operate", viewport=README_PICTURE)
    data = registration("0000aa99", vorname="Rita", geburtsdatum="31.02.1990", email="rita@example.com")
    number = failed(services, visitor, "Wartend_Rita_20250705_0000aa99.json", data)
    page = visitor.page
    visitor.open(f"/console/imports/{number}")
    page.get_by_role("link", name="Korrigieren …").click()
    page.get_by_role("textbox", name="Geburtsdatum").fill("28.02.1990")
    page.get_by_label("Warum wird korrigiert?").fill("am Telefon geklärt")
    page.get_by_role("button", name="Korrigieren und übernehmen").click()
    page.get_by_text(f"Datei P{number} ist korrigiert und übernommen.").wait_for()
    picture(page, "mended")


def test_what_is_still_wrong_is_said_beside_the_field_and_what_was_typed_stays(visit, services):
    visitor = visit("operate")
    number = failed(services, visitor, "Bleibt_Wanda_20250705_0000aa02.json", registration("0000aa02", email="kaputt"))
    page = visitor.page
    visitor.open(f"/console/imports/{number}/correct")
    page.get_by_role("textbox", name="E-Mail").fill("auch kaputt")
    page.get_by_label("Ort").fill("Köln")
    page.get_by_label("Warum wird korrigiert?").fill("Versuch")
    page.get_by_role("button", name="Korrigieren und übernehmen").click()
    page.get_by_text("„auch kaputt“ ist keine gültige E-Mail-Adresse.").wait_for()
    refused(visitor, "400")
    assert page.get_by_label("Ort").input_value() == "Köln"
    assert page.get_by_label("Warum wird korrigiert?").input_value() == "Versuch"
    page.get_by_role("textbox", name="E-Mail").fill("heil@example.com")
    page.get_by_role("button", name="Korrigieren und übernehmen").click()
    page.get_by_text(f"Datei P{number} ist korrigiert und übernommen.").wait_for()


def test_a_file_that_cannot_be_read_shows_where_and_is_repaired_as_text(visit, services):
    visitor = visit("operate")
    whole = registration("0000aa03").decode()
    broken = whole.replace('"telefon": "0241 5550"', '"telefon": "0241 5550",,')
    number = failed(services, visitor, "Kaputt_Wanda_20250705_0000aa03.json", broken.encode())
    page = visitor.page
    visitor.open(f"/console/imports/{number}/correct")
    page.get_by_text("Zeile 1, Spalte").wait_for()
    assert page.locator("mark").inner_text() == ","
    page.get_by_label("Die ganze Datei").fill(whole)
    page.get_by_label("Warum wird korrigiert?").fill("ein Komma zu viel")
    page.get_by_role("button", name="Korrigieren und übernehmen").click()
    page.get_by_text(f"Datei P{number} ist korrigiert und übernommen.").wait_for()
    assert violations(page) == []


def test_who_may_only_look_is_not_offered_to_correct(visit, services):
    operator, reader = visit("operate"), visit("look")
    number = failed(services, operator, "Nur_Schauen_20250705_0000aa04.json", registration("0000aa04", anrede="Dr."))
    reader.open(f"/console/imports/{number}")
    assert reader.page.get_by_role("link", name="Korrigieren …").count() == 0
    assert reader.page.get_by_text("Wartend").count() == 0
    reader.open(f"/console/imports/{number}/correct")
    reader.page.get_by_role("heading", name="Dafür reicht Ihr Zugang nicht").wait_for()
    refused(reader, "403")


def test_a_patient_is_entered_by_hand_and_changed(visit, services):
    visitor = visit("write")
    page = visitor.page
    page.get_by_role("link", name="Patienten", exact=True).click()
    page.get_by_role("link", name="Neuer Eintrag …").click()
    page.get_by_label("Anrede").select_option("Frau")
    page.get_by_label("Geschlecht", exact=False).first.select_option("weiblich")
    page.get_by_label("Vorname").fill("Hanna")
    page.get_by_label("Nachname").fill("Handeintrag")
    assert violations(page) == []
    page.get_by_role("button", name="Speichern").click()
    page.get_by_text("Der Eintrag ist angelegt.").wait_for()
    page.get_by_role("link", name="Ändern …").click()
    page.get_by_role("textbox", name="Telefon").fill("0241 777")
    page.get_by_role("button", name="Speichern").click()
    page.get_by_text("Die Änderungen sind gespeichert.").wait_for()
    assert page.get_by_text("0241 777").count()
    assert services.one("SELECT telefon FROM patient_service.patienten WHERE nachname = 'Handeintrag'") == "0241 777"
