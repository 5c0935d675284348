"""A day's work in a real browser, with its clicks counted: mend, decide many, edit, enter; and what is kept of it."""

import json
import re
import urllib.request

import pytest

from tests.acceptance.axe import violations

pytestmark = pytest.mark.slow

WHO = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Klara", "nachname": "Klick"}
TEN = range(1, 11)


class Hand:
    """Somebody's hand on the mouse."""

    def __init__(self, page):
        self.page = page
        self.clicks = 0

    def click(self, role, name, **how):
        self.clicks += 1
        self.page.get_by_role(role, name=name, **how).first.click()


def registration(token, **answers):
    document = {
        "patient_data": {**WHO, "email": "klara@example.com", "telefon": "0241 5551", **answers},
        "consent_metadata": {"timestamp_utc": "2025-07-05T14:33:55Z", "ip_address": "192.0.2.7"},
        "registration_timestamp": "2025-07-05 14:33:55",
        "registration_token": token,
    }
    return json.dumps(document).encode()


def failed(services, visitor, name, data):
    """The number of a file that was uploaded and has failed."""
    services.upload(name, data)
    visitor.import_now()
    number = services.number_of(name)
    state = "SELECT status FROM patient_service.import_tracking WHERE id = :id"
    assert services.wait_for(lambda: services.one(state, id=number) == "failed")
    return number


@pytest.fixture(scope="module")
def conflicts(services):
    """Ten therapists whose phone staff and source changed differently."""
    _scrape(services, "2025-07-02", "+49 241 1000")
    _import(services)
    named = "SELECT count(*) FROM therapist_service.therapeuten WHERE nachname LIKE 'Zehn%'"
    assert services.wait_for(lambda: services.one(named) == len(TEN))
    ours = (
        "WITH changed AS (UPDATE therapist_service.therapeuten SET telefon = '0241 77' || id"
        " WHERE nachname LIKE 'Zehn%' RETURNING id) SELECT count(*) FROM changed"
    )
    assert services.one(ours) == len(TEN)
    _scrape(services, "2025-07-09", "+49 241 2000")
    _import(services)
    assert services.wait_for(lambda: services.one(OPEN) == len(TEN))


OPEN = """
    SELECT count(*) FROM therapist_service.reviews AS asked JOIN therapist_service.therapeuten AS row
    ON row.id = asked.entity_id WHERE asked.state = 'open' AND row.nachname LIKE 'Zehn%'
"""


def _scrape(services, day, phone):
    records = [
        {
            "id": f"praxis{number}",
            "status": "modified",
            "basic_info": {"salutation": "Herr", "first_name": "Karl", "last_name": f"Zehn{chr(96 + number)}"},
            "location": {"street": "Ring", "house_number": str(number), "postal_code": "52099", "city": "Aachen"},
            "contact": {"phone": f"{phone}{number}"},
        }
        for number in TEN
    ]
    document = {"metadata": {"scrape_date": f"{day}T03:13:24", "postcode_area": "52XXX"}, "therapists": records}
    path = services.folder / day.replace("-", "") / "52099.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def _import(services):
    _post(services, "/api/imports/run")


def _post(services, path):
    """Something of the therapists' API, as an operator."""
    headers = {"Authorization": "Bearer o-token-of-24-characters", "Content-Type": "application/json"}
    request = urllib.request.Request(services.address("therapist", path), data=b"{}", headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status < 300


def test_a_wrong_birth_date_is_mended_in_four_clicks(visit, services):
    operator, visitor = visit("operate"), visit("write")
    data = registration("0000bb01", geburtsdatum="31.02.1990")
    number = failed(services, operator, "Klick_Klara_20250705_0000bb01.json", data)
    visitor.open()
    page, hand = visitor.page, Hand(visitor.page)
    hand.click("link", re.compile(rf"^P{number}\b"))
    page.get_by_role("heading", name="Klara Klick").wait_for()
    assert violations(page) == []
    hand.click("link", "Korrigieren …")
    page.get_by_role("textbox", name="Geburtsdatum").fill("28.02.1990")
    page.get_by_label("Warum wird korrigiert?").fill("am Telefon geklärt")
    hand.click("button", "Korrigieren und übernehmen")
    page.get_by_text(f"Datei P{number} ist korrigiert und übernommen.").wait_for()
    assert hand.clicks <= 4
    patient = services.one("SELECT id FROM patient_service.patienten WHERE nachname = 'Klick'")
    assert kept(services, "patient", patient) == ["patient.created"]
    assert services.one(LOOKED, id=number, actor="api:Wilma") >= 2
    visitor.open(f"/console/people/{patient}")
    page.get_by_text("am Telefon geklärt").wait_for()


LOOKED = "SELECT count(*) FROM patient_service.access_log WHERE import_id = :id AND actor = :actor"


def kept(services, service, person):
    """The types of the person's events."""
    types = "SELECT array_agg(event_type ORDER BY id) FROM {}_service.event_outbox WHERE key = :key"
    return services.one(types.format(service), key=str(person))


def test_one_decision_after_the_other_by_keys(visit, services, conflicts):
    first = services.one(OPEN.replace("count(*)", "min(asked.id)"))
    visitor = visit("operate", "therapist")
    page = visitor.page
    visitor.open(f"/console/decisions/{first}", "therapist")
    page.keyboard.press("Alt+1")
    assert page.get_by_role("radio").first.is_checked()
    page.keyboard.press("Alt+w")
    page.get_by_text(f"Entscheidung TE{first} ist getroffen.").wait_for()
    assert not page.url.endswith(f"/{first}")
    assert services.one("SELECT choice FROM therapist_service.reviews WHERE id = :id", id=first) == "staff"
    _post(services, f"/api/reviews/{first}/undo")


def test_ten_conflicts_are_decided_in_six_clicks(visit, services, conflicts):
    visitor = visit("operate", "therapist")
    page, hand = visitor.page, Hand(visitor.page)
    hand.click("link", "Entscheidungen", exact=True)
    group = page.get_by_role("region", name="Telefon · Datei").filter(has_text="Zehn")
    group.get_by_label("alle 10").check()
    group.get_by_role("button", name="Eintrag der Arztsuche übernehmen …").click()
    page.get_by_role("heading", name="10 Einträge entscheiden").wait_for()
    assert violations(page) == []
    hand.clicks += 2
    hand.click("button", "So entscheiden")
    page.get_by_text("10 Entscheidungen sind getroffen.").wait_for()
    assert hand.clicks <= 6
    taken = "SELECT count(*) FROM therapist_service.therapeuten WHERE telefon LIKE '+49 241 2000%'"
    assert services.one(taken) == len(TEN)
    one = services.one("SELECT id FROM therapist_service.therapeuten WHERE nachname = 'Zehna'")
    assert kept(services, "therapist", one)[-1] == "therapist.updated"
    looked = "SELECT count(DISTINCT entity_id) FROM therapist_service.access_log WHERE route LIKE '%/together'"
    assert services.one(looked) == len(TEN)
    visitor.open(f"/console/people/{one}", "therapist")
    page.get_by_role("listitem").filter(has_text="Olga").filter(has_text="Telefon").first.wait_for()


def test_a_therapists_phone_is_changed(visit, services, conflicts):
    one = services.one("SELECT id FROM therapist_service.therapeuten WHERE nachname = 'Zehnb'")
    visitor = visit("write", "therapist")
    page, hand = visitor.page, Hand(visitor.page)
    visitor.open("/console", "therapist")
    page.get_by_role("searchbox").fill("Zehnb")
    hand.click("button", "Suchen")
    hand.click("link", "Karl Zehnb")
    hand.click("link", "Ändern …")
    page.get_by_label("Telefon", exact=True).fill("0241 4711")
    hand.click("button", "Speichern")
    page.get_by_text("Die Änderungen sind gespeichert.").wait_for()
    page.get_by_role("heading", name="Was die nächste Arztsuche damit macht").wait_for()
    assert violations(page) == []
    assert hand.clicks == 4
    assert kept(services, "therapist", one)[-1] == "therapist.updated"
    changed = "SELECT changed_by FROM therapist_service.field_changes WHERE entity_id = :id ORDER BY id DESC LIMIT 1"
    assert services.one(changed, id=one) == "api:Wilma"
    log = "SELECT count(*) FROM therapist_service.access_log WHERE (entity_id, action, actor) = (:id, :action, :actor)"
    assert all(services.one(log, id=one, action=action, actor="api:Wilma") for action in ("view", "change"))


def test_a_broken_registration_is_entered_by_hand(visit, services):
    operator, visitor = visit("operate"), visit("write")
    data = registration("0000bb02", nachname="Handschlag")[:-20]
    number = failed(services, operator, "Handschlag_Klara_20250705_0000bb02.json", data)
    visitor.open()
    page, hand = visitor.page, Hand(visitor.page)
    hand.click("link", re.compile(rf"^P{number}\b"))
    page.get_by_label("Neue Notiz").fill("angerufen, ruft zurück")
    hand.click("button", "Notieren")
    page.get_by_text("Wilma: angerufen, ruft zurück").wait_for()
    hand.click("button", "Ich kümmere mich")
    page.get_by_text("Sie kümmern sich darum.").wait_for()
    hand.click("link", "Von Hand eintragen …")
    assert page.get_by_label("Nachname").input_value() == "Handschlag"
    assert violations(page) == []
    page.get_by_label("Warum von Hand?").fill("Datei kaputt")
    hand.click("button", "Eintragen und Datei abschließen")
    page.get_by_text(f"Die Person aus Datei P{number} ist eingetragen.").wait_for()
    assert hand.clicks <= 5
    patient = services.one("SELECT id FROM patient_service.patienten WHERE nachname = 'Handschlag'")
    assert kept(services, "patient", patient) == ["patient.created"]
    visitor.open(f"/console/people/{patient}")
    page.get_by_text("angerufen, ruft zurück").wait_for()


def test_what_was_typed_is_there_again_after_signing_in_again(visit, services):
    visitor = visit("write")
    page = visitor.page
    visitor.open("/console/people/new")
    page.get_by_label("Vorname").fill("Selma")
    page.get_by_label("Ort").fill("Überlingen")
    services.one("WITH ended AS (DELETE FROM patient_service.sessions RETURNING name) SELECT count(*) FROM ended")
    page.get_by_role("button", name="Speichern").click()
    page.get_by_text("Ihre Eingaben sind nicht verloren").wait_for()
    visitor.complaints.clear()
    page.get_by_label("Zugangsschlüssel").fill("w-token-of-24-characters")
    page.get_by_role("button", name="Anmelden").click()
    page.get_by_role("heading", name="Neuer Eintrag").wait_for()
    assert page.get_by_label("Ort").input_value() == "Überlingen"
    assert services.one("SELECT count(*) FROM patient_service.patienten WHERE vorname = 'Selma'") == 0
