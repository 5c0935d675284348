"""The console in a real browser: signing in, seeing what came in, and mending what failed.

`make screenshots` writes the README's pictures, taken from the same samples.
"""

import json
import re
import select
import socket
import socketserver
import threading
from contextlib import suppress

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from standins.mail_sink import _self_signed
from tests.acceptance.axe import grave_faults

pytestmark = pytest.mark.slow
README_PICTURE = {"width": 1120, "height": 760}

REGISTRATION = {
    "patient_data": {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Musterfrau"},
    "consent_metadata": {"timestamp_utc": "2025-07-05T14:33:55Z"},
    "registration_timestamp": "2025-07-05 14:33:55",
}
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
# No headless browser hides a page; this is what a page is told when its tab goes to the back.
SHOW_OR_HIDE = """hidden => {
  Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
PAGES = [
    ("patient", "/console/sign-in", None),
    ("patient", "/console", "operate"),
    ("therapist", "/console", "read"),
    ("patient", "/console/imports", "operate"),
    ("therapist", "/console/imports?status=failed", "operate"),
    ("patient", "/console/imports/{failed}", "operate"),
    ("therapist", "/console/imports/{changed}", "write"),
    ("therapist", "/console/imports/{held}", "look"),
    ("patient", "/console/imports/{failed}/discard", "operate"),
]


def registration(last_name, token, **more):
    document = {**REGISTRATION, **more, "registration_token": token}
    document["patient_data"] = {**REGISTRATION["patient_data"], "nachname": last_name}
    return json.dumps(document).encode()


def numbers(services):
    """Files worth looking at: a failed registration, a scrape that changed rows, one whose deletions are held."""
    of = "SELECT max(id) FROM {}_service.import_tracking WHERE {}"
    found = {
        "failed": services.one(of.format("patient", "error_code = 'validation_failed'")),
        "changed": services.one(of.format("therapist", "updated_count > 0")),
        "held": services.one(of.format("therapist", "held_count > 0")),
    }
    assert all(found.values())
    return found


def test_pages_are_accessible_in_both_themes_and_fit_a_phone(visit, services):
    visitors = {}
    for service, path, role in PAGES:
        key = (service, role)
        if key not in visitors:
            # A colour that is on its way from one theme to the other has the contrast of neither.
            visitors[key] = visit(role, service, reduced_motion="reduce")
        page = visitors[key].page
        visitors[key].open(path.format(**numbers(services)), service)
        page.set_viewport_size({"width": 1280, "height": 800})
        assert grave_faults(page) == [], path
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert page.evaluate("window.isSecureContext")


def test_signing_in_and_out_by_keyboard(visit):
    visitor = visit()
    page = visitor.page
    key = page.get_by_label("Zugangsschlüssel")
    visitor.open("/console/imports")
    # The page puts the cursor there by itself, a moment after it is shown.
    expect(key).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.get_by_text("Diesen Zugangsschlüssel gibt es nicht").wait_for()
    expect(key).to_be_focused()
    page.keyboard.type("o-token-of-24-characters")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Importe").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Zum Inhalt springen"
    page.get_by_role("button", name="Abmelden").press("Enter")
    page.get_by_text("Sie sind abgemeldet.").wait_for()
    visitor.open()
    assert page.url.endswith("/console/sign-in?next=/console")
    # The one answer that a browser reports as an error: 401 for the wrong key.
    assert [text for text in visitor.complaints if "401" not in text] == []
    visitor.complaints.clear()


@pytest.fixture
def tls_port(services, tmp_path):
    """The port of a proxy that takes TLS off in front of the patient service, as one does in production."""
    context = _self_signed(tmp_path)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self):
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as outer,
                socket.create_connection(("127.0.0.1", services.port("patient"))) as inner,
            ):
                while pump(outer, inner):
                    pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def pump(outer, inner):
    """Hands on what either side has to say, in one thread, since TLS is not for two; false once one of them is done."""
    ready = [outer] if outer.pending() else select.select([outer, inner], [], [])[0]
    for source in ready:
        data = source.recv(65536)
        if not data:
            return False
        (inner if source is outer else outer).sendall(data)
    return True


def test_signing_in_works_behind_a_proxy_that_ends_tls(tls_port, visit):
    # In this order the page is gone before the proxy is: it would ask it again every few seconds.
    visitor = visit(ignore_https_errors=True)
    page = visitor.page
    page.goto(f"https://console.test:{tls_port}/console/imports")
    page.get_by_label("Zugangsschlüssel").fill("o-token-of-24-characters")
    page.get_by_role("button", name="Anmelden").click()
    page.get_by_role("heading", name="Importe").wait_for()
    visitor.import_now()


def test_without_tls_from_another_machine_the_page_says_why_nobody_gets_in(visit, services):
    visitor = visit()
    page = visitor.page
    page.goto(f"http://console.test:{services.port('patient')}/console")
    page.get_by_text("Der Browser behält hier keine Sitzung: Bitte nehmen Sie die Adresse").wait_for()
    page.get_by_label("Zugangsschlüssel").fill("o-token-of-24-characters")
    page.get_by_role("button", name="Anmelden").click()
    page.get_by_text("weil unterwegs jeder mitlesen könnte").wait_for()
    # Beside the refusal: a header that browsers heed with TLS only.
    expected = ("400", "Cross-Origin-Opener-Policy")
    assert [text for text in visitor.complaints if not any(word in text for word in expected)] == []
    visitor.complaints.clear()


def test_a_download_that_failed_is_tried_again_from_its_page_which_follows_by_itself(visit, services):
    visitor = visit("operate")
    page = visitor.page
    name = "Nachzuegler_Nora_20250705_aaaaaaaa.json"
    services.storage.faults.add("download", 403, times=None, name=name)
    services.upload(name, registration("Nachzuegler", "aaaaaaaa"))
    visitor.import_now()
    number = services.number_of(name)
    page.get_by_role("link", name=f"P{number}").click()
    page.get_by_role("heading", name=f"Datei P{number}").wait_for()
    page.get_by_text("fehlgeschlagen", exact=True).wait_for()
    page.get_by_text("Die Cloud-Ablage ist nicht erreichbar. Es wird von selbst").first.wait_for()
    services.storage.faults.clear()
    page.get_by_role("button", name="Jetzt erneut versuchen").click()
    page.get_by_text(f"Datei P{number} wird gleich erneut importiert.").wait_for()
    page.get_by_text("importiert", exact=True).wait_for()
    page.get_by_text("Olga hat einen neuen Versuch veranlasst").wait_for()
    page.get_by_text("In der Ablage gelöscht").wait_for()
    assert name not in services.storage.names(services.bucket)


def test_a_broken_file_is_discarded_with_a_reason_and_leaves_the_bucket(visit, services):
    visitor = visit("operate")
    page = visitor.page
    name = "Kaputt_Karl_20250705_bbbbbbbb.json"
    services.upload(name, b"{")
    visitor.import_now()
    number = services.number_of(name)
    visitor.open("/console/imports?status=failed")
    page.get_by_role("link", name=f"P{number}", exact=True).click()
    page.get_by_text("Die Datei ist kein gültiges JSON. Bitte beim Absender neu erzeugen lassen.").first.wait_for()
    page.get_by_role("link", name="Verwerfen …").click()
    page.get_by_role("link", name="Abbrechen").click()
    page.get_by_role("link", name="Verwerfen …").click()
    page.get_by_label("Grund").fill("Testdatei des Formulars")
    page.get_by_label("wird beim nächsten Import gelöscht").check()
    page.get_by_role("button", name="Endgültig verwerfen").click()
    page.get_by_text(f"Datei P{number} ist verworfen und wird beim nächsten Import in der Ablage gelöscht.").wait_for()
    page.get_by_text("Olga hat die Datei verworfen").wait_for()
    page.get_by_text("Testdatei des Formulars").wait_for()
    assert page.get_by_role("button", name="Jetzt erneut versuchen").count() == 0
    deleted = "SELECT source_deleted_at FROM patient_service.import_tracking WHERE id = :id"
    assert services.wait_for(lambda: services.one(deleted, id=number) is not None)
    assert name not in services.storage.names(services.bucket)
    page.reload()
    page.get_by_text("In der Ablage gelöscht").wait_for()


def test_the_overview_shows_a_running_pass_and_what_fails_in_it_by_itself(visit, services):
    visitor = visit("operate")
    page = visitor.page
    names = [f"Lauf_{letter}_20250705_{letter * 8}.json" for letter in "cde"]
    met = services.storage.faults.taken
    services.storage.faults.add("download", "hold", name=names[1])
    for name, data in zip(names, (registration("c", "cccccccc"), b"{", registration("e", "eeeeeeee")), strict=True):
        services.upload(name, data)
    visitor.import_now()
    assert services.wait_for(lambda: services.storage.faults.taken > met)
    # The client gives a download up after some seconds; for the ledger it waits for as long as the page takes to look.
    with services.engine.begin() as connection:
        row = "SELECT id FROM patient_service.import_tracking WHERE file_name = :name FOR UPDATE"
        number = connection.execute(sa.text(row), {"name": names[1]}).scalar_one()
        services.storage.faults.clear()
        page.get_by_role("heading", name="Der Import läuft gerade").wait_for()
        page.get_by_text(re.compile("1 von 3 Dateien · .* je Minute · noch etwa")).wait_for()
    page.get_by_role("heading", name="Der Import läuft gerade").wait_for(state="detached")
    page.get_by_role("link", name=f"P{number}", exact=True).wait_for()


def test_what_comes_from_outside_does_nothing_in_the_browser(visit, services):
    visitor = visit("operate")
    page = visitor.page
    imported, broken = f"{EVIL}.json", f"{EVIL}_2.json"
    services.upload(imported, registration(EVIL, "ffffffff", **{EVIL: {"x": EVIL}}))
    services.upload(broken, b"[]")
    visitor.import_now()
    for name in (imported, broken):
        number = services.number_of(name)
        for path in ("/console/imports", f"/console/imports/{number}"):
            visitor.open(path)
            page.get_by_text(name).first.wait_for()
            assert page.locator("img, main script").count() == 0


def test_everything_but_the_updating_works_without_script(visit, services):
    visitor = visit("operate", java_script_enabled=False)
    page = visitor.page
    visitor.open("/console/imports")
    page.get_by_label("Status").select_option("failed")
    page.get_by_role("button", name="Filtern").click()
    number = numbers(services)["failed"]
    page.get_by_role("link", name=f"P{number}", exact=True).click()
    page.get_by_role("button", name="Jetzt erneut versuchen").click()
    page.get_by_text(f"Datei P{number} wird gleich erneut importiert.").wait_for()
    # The other tests look at this failed file, too.
    status = "SELECT status FROM patient_service.import_tracking WHERE id = :id"
    assert services.wait_for(lambda: services.one(status, id=number) == "failed")
    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name=f"File P{number}").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Access key").wait_for()


def test_a_page_without_connection_says_that_it_is_old(visit):
    visitor = visit("read")
    page = visitor.page
    come_back = "document.dispatchEvent(new Event('visibilitychange'))"
    visitor.context.set_offline(True)
    page.evaluate(come_back)
    page.get_by_text("Keine Verbindung: Diese Seite zeigt einen früheren Stand.").wait_for()
    visitor.context.set_offline(False)
    page.evaluate(come_back)
    page.get_by_text("Keine Verbindung").wait_for(state="hidden")
    visitor.complaints.clear()


def test_a_page_that_nobody_sees_asks_for_nothing(visit):
    visitor = visit()
    page = visitor.page
    page.clock.install()
    visitor.sign_in("read")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response("**/console"):
        page.clock.run_for(31_000)
    page.evaluate(SHOW_OR_HIDE, True)
    asked.clear()
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_response("**/console"):
        page.evaluate(SHOW_OR_HIDE, False)
        page.clock.run_for(10)


def test_a_page_whose_session_has_ended_leads_to_the_sign_in(visit):
    visitor = visit("read")
    visitor.context.clear_cookies()
    visitor.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    visitor.page.get_by_label("Zugangsschlüssel").wait_for()


def test_a_link_in_a_mail_leads_to_its_file_although_the_cookie_is_strict(visit, services):
    visitor = visit("operate")
    address = services.address("patient", "/console/imports/1")
    mail = f'<a href="{address}">Datei P1</a>'
    visitor.context.route("http://mail.example/*", lambda route: route.fulfill(body=mail, content_type="text/html"))
    visitor.page.goto("http://mail.example/1")
    visitor.page.get_by_role("link", name="Datei P1").click()
    visitor.page.get_by_role("heading", name="Datei P1").wait_for()
    visitor.open()
    visitor.page.get_by_role("heading", name="Übersicht").wait_for()


OFFERED = (("look", False, False), ("read", True, False), ("write", True, False), ("operate", True, True))


def test_people_of_each_role_are_offered_what_they_may_do(visit, services):
    number = numbers(services)["failed"]
    for role, sees_name, may_act in OFFERED:
        visitor = visit(role)
        visitor.open(f"/console/imports/{number}")
        page = visitor.page
        assert (page.get_by_text(".json").count() > 0) == sees_name
        assert (page.get_by_text("/patient_data/").count() > 0) == sees_name
        assert (page.get_by_role("button", name="Jetzt erneut versuchen").count() > 0) == may_act


def test_the_readme_shows_today(visit, picture):
    visitor = visit("operate", viewport=README_PICTURE)
    visitor.open("/console")
    visitor.page.get_by_role("heading", level=1).wait_for()
    picture(visitor.page, "today")
