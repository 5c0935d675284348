"""Decisions and people in a real browser: compare, decide, undo, look somebody up, erase, keep the certificate."""

import json
import urllib.request

import pytest

from tests.acceptance.axe import grave_faults

pytestmark = pytest.mark.slow

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
DAY = "2025-07-09"


def registration(token, **answers):
    patient = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Musterfrau"}
    document = {
        "patient_data": {**patient, "email": "familie@example.com", **answers},
        "consent_metadata": {"timestamp_utc": "2025-07-05T14:33:55Z", "ip_address": "192.0.2.7"},
        "registration_timestamp": "2025-07-05 14:33:55",
        "registration_token": token,
    }
    return json.dumps(document).encode()


@pytest.fixture(scope="module")
def questions(services):
    """One open question of each kind and service, by its number; the patient's is about a family's mailbox."""
    services.upload("Musterfrau_Erika_20250705_00000001.json", registration("00000001"))
    services.upload("Musterfrau_Evil_20250705_00000002.json", registration("00000002", vorname="Emil", symptome=EVIL))
    _scrape(services, "+49 241 12345", "2025-07-02")
    ask(services, "POST", "patient", "/api/imports/run")
    ask(services, "POST", "therapist", "/api/imports/run")
    of_name = "SELECT max(id) FROM therapist_service.therapeuten WHERE nachname = 'Konflikt'"
    assert services.wait_for(lambda: services.one(of_name) is not None)
    therapist = services.one(of_name)
    ask(services, "PUT", "therapist", f"/api/therapists/{therapist}", {"telefon": "0241 777"})
    _scrape(services, "+49 241 99999", DAY)
    ask(services, "POST", "therapist", "/api/imports/run")
    emil = "SELECT max(id) FROM patient_service.patienten WHERE vorname = 'Emil'"
    about = {"patient": emil, "therapist": of_name}
    asked = {}
    for service, kind in (("patient", "possible_duplicate"), ("therapist", "conflict")):
        newest = (
            f"SELECT max(id) FROM {service}_service.reviews WHERE kind = '{kind}' AND entity_id = ({about[service]})"
        )
        assert services.wait_for(lambda newest=newest: services.one(newest) is not None)
        asked[kind] = services.one(newest)
    asked["held_deletions"] = services.one(
        "SELECT max(id) FROM therapist_service.reviews WHERE kind = 'held_deletions'"
    )
    return asked


def ask(services, method, service, path, body=None):
    """Something of the API, as an operator."""
    headers = {"Authorization": "Bearer o-token-of-24-characters", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(services.address(service, path), data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status < 300


def _scrape(services, phone, day):
    record = {
        "id": "praxis1",
        "status": "modified",
        "basic_info": {"salutation": "Herr", "first_name": "Karl", "last_name": "Konflikt"},
        "location": {"street": "Salierallee", "house_number": "1", "postal_code": "52080", "city": "Aachen"},
        "contact": {"phone": phone},
    }
    document = {"metadata": {"scrape_date": f"{day}T03:13:24", "postcode_area": "52XXX"}, "therapists": [record]}
    path = services.folder / day.replace("-", "") / "52080.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def pages(services, questions):
    """Every page of decisions and people, with service and role."""
    patient = services.one("SELECT max(id) FROM patient_service.patienten WHERE vorname = 'Emil'")
    therapist = services.one("SELECT max(id) FROM therapist_service.therapeuten WHERE nachname = 'Konflikt'")
    return [
        ("patient", "/console/decisions?state=all", "operate"),
        ("patient", f"/console/decisions/{questions['possible_duplicate']}", "operate"),
        ("patient", f"/console/decisions/{questions['possible_duplicate']}", "look"),
        ("patient", "/console/people", "operate"),
        ("patient", "/console/people", "look"),
        ("patient", f"/console/people/{patient}", "operate"),
        ("patient", f"/console/people/{patient}/erase", "operate"),
        ("patient", "/console/people/erasures", "operate"),
        ("therapist", "/console/decisions?state=all", "write"),
        ("therapist", f"/console/decisions/{questions['conflict']}", "operate"),
        ("therapist", f"/console/decisions/{questions['held_deletions']}", "operate"),
        ("therapist", "/console/people", "write"),
        ("therapist", f"/console/people/{therapist}", "write"),
    ]


def test_pages_are_accessible_in_both_themes_and_fit_a_phone(visit, services, questions):
    visitors = {}
    for service, path, role in pages(services, questions):
        if (service, role) not in visitors:
            visitors[service, role] = visit(role, service, reduced_motion="reduce")
        page = visitors[service, role].page
        page.set_viewport_size({"width": 1280, "height": 800})
        visitors[service, role].open(path, service)
        assert grave_faults(page) == [], path
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_what_people_answered_does_nothing_in_the_browser(visit, services, questions):
    visitor = visit("operate")
    patient = services.one("SELECT max(id) FROM patient_service.patienten WHERE vorname = 'Emil'")
    for path in (f"/console/decisions/{questions['possible_duplicate']}", f"/console/people/{patient}"):
        visitor.open(path)
        visitor.page.get_by_text(EVIL).first.wait_for()
        assert visitor.page.locator("img, main script").count() == 0


def test_a_duplicate_is_compared_decided_and_undone(visit, services, questions):
    visitor, number = visit("operate"), questions["possible_duplicate"]
    page = visitor.page
    page.get_by_role("link", name="Entscheidungen", exact=True).click()
    page.get_by_role("link", name=f"PE{number}", exact=True).click()
    differing = page.get_by_role("region", name="Nebeneinander").first
    differing.get_by_text("Emil").first.wait_for()
    differing.get_by_text("Erika").first.wait_for()
    page.get_by_label("Jemand anderes").check()
    page.get_by_label("Bemerkung (optional)").fill("Geschwister")
    page.get_by_role("button", name="Entscheiden", exact=True).click()
    page.get_by_text(f"Entscheidung PE{number} ist getroffen.").wait_for()
    page.get_by_text("Geschwister").wait_for()
    page.get_by_text("Diese Entscheidung rückgängig machen …").click()
    page.get_by_label("Warum (optional)").fill("vertan")
    page.get_by_role("button", name="Entscheidung rückgängig machen").click()
    page.get_by_text(f"Entscheidung PE{number} ist rückgängig gemacht und wieder offen.").wait_for()
    decided = page.get_by_role("listitem").filter(has_text="Geschwister")
    decided.filter(has_text="rückgängig gemacht von Olga").wait_for()
    state = "SELECT state FROM patient_service.reviews WHERE id = :id"
    assert services.one(state, id=number) == "open"


def test_a_conflict_is_decided_for_the_source_and_the_persons_page_tells_who_did_it(visit, services, questions):
    visitor, number = visit("operate", "therapist"), questions["conflict"]
    page = visitor.page
    visitor.open(f"/console/decisions/{number}", "therapist")
    row = page.get_by_role("row", name="Telefon")
    assert row.get_by_role("cell").all_inner_texts() == ["+49 241 12345", "0241 777", "+49 241 99999", "0241 777"]
    page.get_by_label("Die Arztsuche hat recht").check()
    page.get_by_role("button", name="Entscheiden", exact=True).click()
    page.get_by_role("link", name="Karl Konflikt").click()
    page.get_by_role("heading", name="Verlauf").wait_for()
    changed = page.get_by_role("listitem").filter(has_text="Telefon 0241 777")
    changed.filter(has_text="Olga").first.wait_for()
    page.get_by_role("link", name=f"TE{number}").first.click()
    page.get_by_text("Diese Entscheidung rückgängig machen …").click()
    page.get_by_role("button", name="Entscheidung rückgängig machen").click()
    page.get_by_text(f"Entscheidung TE{number} ist rückgängig gemacht und wieder offen.").wait_for()
    phone = "SELECT telefon FROM therapist_service.therapeuten WHERE nachname = 'Konflikt'"
    assert services.one(phone) == "0241 777"


def test_held_deletions_are_ticked_by_name_and_come_back_by_an_undo(visit, services, questions):
    visitor, number = visit("operate", "therapist"), questions["held_deletions"]
    page = visitor.page
    visitor.open(f"/console/decisions/{number}", "therapist")
    ticks = page.locator("input[name=only]:enabled")
    assert ticks.count() > 2
    assert page.locator("input[name=only]:checked").count() == 0
    ticks.first.check()
    gone = int(ticks.first.get_attribute("value"))
    page.get_by_label("Die angekreuzten auf inaktiv setzen").check()
    page.get_by_role("button", name="Entscheiden", exact=True).click()
    page.get_by_text(f"Entscheidung TE{number} ist getroffen.").wait_for()
    status = "SELECT status::text FROM therapist_service.therapeuten WHERE id = :id"
    assert services.one(status, id=gone) == "inaktiv"
    page.get_by_text("Diese Entscheidung rückgängig machen …").click()
    page.get_by_role("button", name="Entscheidung rückgängig machen").click()
    page.get_by_text(f"Entscheidung TE{number} ist rückgängig gemacht und wieder offen.").wait_for()
    assert services.one(status, id=gone) == "aktiv"


def test_somebody_is_found_by_name_and_erased_with_a_certificate(visit, services):
    services.upload("Loeschmich_Lena_20250705_00000003.json", registration("00000003", nachname="Loeschmich", email=""))
    visitor = visit("operate")
    page = visitor.page
    visitor.import_now()
    arrived = "SELECT count(*) FROM patient_service.patienten WHERE nachname = 'Loeschmich'"
    assert services.wait_for(lambda: services.one(arrived) == 1)
    page.get_by_role("link", name="Patienten", exact=True).click()
    page.get_by_role("searchbox").fill("loeschmich")
    page.get_by_role("button", name="Suchen").click()
    page.get_by_role("link", name="Erika Loeschmich").click()
    assert "loeschmich" not in page.url
    page.get_by_text("192.0.2.7", exact=True).wait_for()
    number = page.url.rsplit("/", 1)[1]
    page.get_by_role("link", name="Löschen …").click()
    page.get_by_label(f"Zur Bestätigung die Nummer {number} eintippen").fill(number)
    page.get_by_role("button", name="Endgültig löschen").click()
    page.get_by_role("heading", name="Bescheinigung der Löschung").wait_for()
    with page.expect_download() as expected:
        page.get_by_role("link", name="Bescheinigung herunterladen").click()
    assert expected.value.suggested_filename == f"curavani-erasure-{number}.json"
    certificate = json.loads(expected.value.path().read_text(encoding="utf-8"))
    assert (certificate["patient_id"], certificate["erased_by"]) == (int(number), "api:Olga")
    assert "Loeschmich" not in json.dumps(certificate)
    assert services.one("SELECT count(*) FROM patient_service.patienten WHERE id = :id", id=int(number)) == 0


OFFERED = (("look", False, False), ("read", True, False), ("write", True, False), ("operate", True, True))


def test_people_of_each_role_are_offered_what_they_may_do(visit, questions):
    address = f"/console/decisions/{questions['possible_duplicate']}"
    for role, sees_names, may_decide in OFFERED:
        visitor = visit(role)
        visitor.open(address)
        page = visitor.page
        assert (page.get_by_text("Emil").count() > 0) == sees_names
        assert (page.get_by_role("button", name="Entscheiden").count() > 0) == may_decide
        assert (page.get_by_role("searchbox", name="Telefon").count() > 0) == sees_names


def test_deciding_works_by_keyboard_and_without_script(visit, questions):
    visitor = visit("operate", java_script_enabled=False)
    page = visitor.page
    visitor.open(f"/console/decisions/{questions['possible_duplicate']}")
    page.get_by_label("Jemand anderes").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("mit der Tastatur")
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.textContent").startswith("Entscheiden und weiter"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("mit der Tastatur").wait_for()
    page.get_by_text("Diese Entscheidung rückgängig machen …").press("Enter")
    page.get_by_role("button", name="Entscheidung rückgängig machen").press("Enter")
    page.get_by_text("ist rückgängig gemacht und wieder offen").wait_for()
