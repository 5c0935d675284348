"""Finding somebody in a real browser, and every page that links lead to: in both themes, on a phone, by keyboard."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.acceptance.axe import COLOURS, violations

pytestmark = pytest.mark.slow

ENDLESS = "Ö" * 100
MOST_PAGES = 30
AXE = {"rules": {"target-size": {"enabled": True}}}
# Words that a line of a phone can hold, and that stand on two lines all the same.
BROKEN_WORDS = r"""() => {
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const match of node.data.matchAll(/[\p{L}\d]{2,24}/gu)) {
      const around = node.data.slice(0, match.index + match[0].length + 1);
      if (/\S{25,}.?$/u.test(around)) continue;
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const boxes = [...range.getClientRects()].filter((box) => box.width > 1);
      const tops = new Set(boxes.map((box) => Math.round(box.top)));
      if (tops.size > 1) found.push(match[0]);
    }
  }
  return found;
}"""


def registration(token, **answers):
    patient = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Änne", "nachname": "Rufttan", **answers}
    document = {
        "patient_data": {"telefon": "0241 98765", **patient},
        "consent_metadata": {"timestamp_utc": "2025-07-05T14:33:55Z"},
        "registration_timestamp": "2025-07-05 14:33:55",
        "registration_token": token,
    }
    return json.dumps(document, ensure_ascii=False).encode()


def failed(services, visitor, name, data):
    services.upload(name, data)
    visitor.import_now()
    number = services.number_of(name)
    state = "SELECT status FROM patient_service.import_tracking WHERE id = :id"
    assert services.wait_for(lambda: services.one(state, id=number) != "pending")
    return number


def test_a_caller_is_found_by_name_though_the_registration_failed(visit, services, tmp_path):
    operator, reader = visit("operate"), visit("read", viewport={"width": 1120, "height": 760})
    number = failed(services, operator, "x.json", registration("0000ab01", geburtsdatum="31.02.1990"))
    page = reader.page
    page.get_by_role("searchbox").fill("rufttan aenne")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="1 Anmeldung, die noch nicht übernommen ist").wait_for()
    expect(page.get_by_role("link", name="Änne Rufttan")).to_be_visible()
    assert page.get_by_text("0241 98765").count()
    assert page.url == services.address("patient", "/console/search")
    page.screenshot(path=tmp_path / "found.png")
    page.get_by_role("link", name="Änne Rufttan").click()
    page.get_by_role("heading", name=f"Datei P{number}").wait_for()


def kind_of(address):
    """Pages that differ in a number or in a filter's value only are one kind."""
    return re.sub(r"=[^&]*", "=", re.sub(r"\d+", "N", address))


def addresses_on(page):
    found = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.getAttribute('href'))")
    return [
        address.split("#")[0]
        for address in found
        if address.startswith("/console") and not re.search(r"\.csv|export|certificate|/content", address)
    ]


@pytest.mark.parametrize("service", ["patient", "therapist"])
def test_every_page_that_links_lead_to_is_accessible_and_fits_a_phone(visit, services, service):
    # A colour that is on its way from one theme to the other has the contrast of neither.
    visitor = visit("operate", service, reduced_motion="reduce")
    page = visitor.page
    if service == "patient":
        failed(services, visitor, "lang.json", registration("0000ab02", vorname=ENDLESS, nachname=ENDLESS))
        failed(services, visitor, f"{'x' * 200}.json", registration("0000ab03", nachname=ENDLESS, email="falsch"))
    waiting, seen, wrong = ["/console", "/console/search"], set(), []
    while waiting and len(seen) < MOST_PAGES:
        address = waiting.pop(0)
        if kind_of(address) in seen:
            continue
        seen.add(kind_of(address))
        page.set_viewport_size({"width": 1280, "height": 800})
        page.emulate_media(color_scheme="light")
        visitor.open(address, service)
        waiting += addresses_on(page)
        # Folded parts are parts of the page.
        page.eval_on_selector_all("details", "all => all.forEach((details) => { details.open = true; })")
        wrong += [(address, fault) for fault in faults_of(page)]
    assert wrong == []
    assert len(seen) > 8


def faults_of(page):
    """What is wrong with the page in both themes, at twice its size and on a phone."""
    found = faults(page, AXE)
    page.emulate_media(color_scheme="dark")
    found += faults(page, COLOURS)
    for width in (640, 320):
        page.set_viewport_size({"width": width, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"wider than {width}")
    return [*found, *page.evaluate(BROKEN_WORDS), *faults(page, AXE)]


def faults(page, options):
    return [(entry["id"], node["html"][:200]) for entry in violations(page, **options) for node in entry["nodes"]]


def test_the_figures_of_a_bar_show_when_it_is_pointed_at_reached_or_pressed(visit):
    page = visit("read", "therapist").page
    line = page.locator(".figures").first
    bars = page.locator(".strip")
    for act in (lambda: bars.nth(3).hover(), lambda: bars.nth(5).focus(), lambda: bars.nth(7).click()):
        before = line.inner_text()
        act()
        expect(line).to_have_text(re.compile(r"Woche ab .*: \d+ importiert"))
        expect(line).not_to_have_text(before)


def test_the_search_and_the_list_work_by_keyboard_alone(visit):
    page = visit("read").page
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert "find" in reached
    page.get_by_role("searchbox").focus()
    page.keyboard.type("P1")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Datei P1").wait_for()
