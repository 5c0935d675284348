"""Finding people, files and decisions in the console, the lists and what the overview tells of who waits."""

import csv
import io
import json
import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from patient_service.app import create_app as create_patient_app
from patient_service.models import kernel, patienten
from patient_service.restrictions import Restriction, restrict
from patient_service.use_cases import create_patient
from shared.console.figures import compared
from shared.core.clock import GERMANY
from shared.database.engine import create_engine, transaction
from tests.integration.visitor import signing_in
from therapist_service.app import create_app as create_therapist_app
from therapist_service.use_cases import create_therapists

ENDLESS = "Ö" * 100
FORMULA = "=1+1"
PEOPLE = [
    {"vorname": "Max", "nachname": "Müller", "geburtsdatum": date(1990, 2, 3), "telefon": "+49 241 12345",
     "email": "max@example.com", "plz": "52066", "ort": "Aachen", "symptome": "Schlaflosigkeit"},
    {"vorname": "Änne", "nachname": "Zander", "plz": "01067", "ort": "Dresden", "status": "auf_der_Suche"},
    {"vorname": "Bernd", "nachname": "Ärzte", "plz": "52062", "ort": "Aachen", "telefon": FORMULA},
    {"vorname": ENDLESS, "nachname": ENDLESS},
    {"vorname": "Rosa", "nachname": "Ruhend", "plz": "52070"},
]  # fmt: skip
RESTRICTED = 5
SINCE = datetime.now(UTC) - timedelta(days=3)


def find(visitor, search):
    return text_of(visitor.form("/console/search", search=search).text)


def text_of(page):
    """What a reader sees below the head of the page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<main") :]))


def registration(last_name, **answers):
    patient = {"anrede": "Herrn", "geschlecht": "weiblich", "vorname": "Wanda", "nachname": last_name, **answers}
    return json.dumps({"patient_data": patient, "consent_metadata": {}, "registration_token": "0000aaaa"})


FILES = [
    # status, code, object name, copy
    ("failed", "validation_failed", "x.json",
     registration("Wärtend", telefon="0241 5550", geburtsdatum="31.12.1984", email="wanda@example.com")),
    ("failed", "invalid_json", "y.json", '{"vorname": "Karl", "nachname": "Gr\\u00fcn",,'),
    ("failed", "file_too_large", "Riese_Rudi_20250705_0000bbbb.json", None),
    ("success", None, "Müller_Max_20250705_0000cccc.json", None),
    ("failed", "validation_failed", "z.json", "gone"),
]  # fmt: skip
GONE = 5


@pytest.fixture(scope="module")
def environment(postgres, tmp_path_factory):
    copies = tmp_path_factory.mktemp("copies")
    url = postgres.create_database("finding", template="template")
    engine = create_engine(url, application_name="tests")
    with transaction(engine) as connection:
        for number, values in enumerate(PEOPLE):
            create_patient(
                connection, {"anrede": "Frau", "geschlecht": "weiblich", "status": "offen", **values}, "test"
            )
            came = patienten.update().where(patienten.c.id == number + 1)
            connection.execute(came.values(created_at=datetime(2026, 1 + number, 1, tzinfo=UTC)))
        restrict(connection, RESTRICTED, Restriction.RESTRICTED, "widersprochen", "test")
        for number, (status, code, name, content) in enumerate(FILES, 1):
            path = f"2025/07/{number}_0.json" if content else None
            if content and number != GONE:
                (copies / path).parent.mkdir(parents=True, exist_ok=True)
                (copies / path).write_text(content)
            row = {"source_key": str(number), "status": status, "error_code": code, "file_name": name, "bucket": "b",
                   "local_path": path, "uploaded_at": SINCE, "file_version": str(number)}  # fmt: skip
            connection.execute(kernel.import_tracking.insert().values(row))
        people = [
            {
                "anrede": "Frau",
                "geschlecht": "weiblich",
                "vorname": "Thea",
                "nachname": name,
                "potenziell_verfuegbar": free,
            }
            for name, free in (("Frei", True), ("Voll", False))
        ]
        create_therapists(connection, people, "test")
        review = {"kind": "possible_duplicate", "entity_id": 1, "other_id": 2, "detail": {}, "import_id": 4}
        connection.execute(kernel.reviews.insert().values(review))
    engine.dispose()
    yield {
        "DATABASE_URL": url,
        "PATIENT_IMPORT_LOCAL_PATH": str(copies),
        "THERAPIST_IMPORT_FOLDER_PATH": str(copies),
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
        "OTHER_CONSOLE_URL": "https://other.example.com/console/",
    }
    postgres.drop_database("finding")


@pytest.fixture(scope="module")
def sign_in(environment):
    with signing_in(environment, create_patient_app) as sign_in:
        yield cache(sign_in)


@pytest.fixture
def engine(sign_in, environment):
    engine = create_engine(environment["DATABASE_URL"], application_name="tests")
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    "search",
    ["Müller Max", "max mueller", "0241 12345", "0241/123", "3.2.1990", "Müller 03.02.90", "MAX@example.com", "52066"],
)
def test_a_person_is_found_by_what_a_caller_says(sign_in, search):
    found = find(sign_in("read"), search)
    assert "Max Müller" in found
    assert "Zander" not in found


@pytest.mark.parametrize("search", ["Wärtend Wanda", "waertend", "0241 5550", "+49 241 5550", "31.12.1984", "wanda@ex"])
def test_somebody_whose_registration_failed_is_found_first_with_name_age_phone_and_time(sign_in, search):
    found = find(sign_in("read"), search)
    assert "1 Anmeldung, die noch nicht übernommen ist" in found
    assert re.search(r"Wanda Wärtend , 41 Jahre .*Datei P1 · wartet schon 3 Tage · 0241 5550", found)


def test_failed_registrations_stand_before_people_and_these_before_decisions_and_files(sign_in):
    writer = sign_in("write")
    found = find(writer, "a")
    assert found.index("Wanda Wärtend") < found.index("Max Müller")
    found = find(writer, "Müller")
    assert found.index("Max Müller") < found.index("PE1") < found.index("P4")


@pytest.mark.parametrize(("search", "number"), [("Grün Karl", "P2"), ("gruen", "P2"), ("Rudi Riese", "P3")])
def test_a_file_that_cannot_be_read_is_found_by_the_name_in_its_text_or_its_own(sign_in, search, number):
    found = find(sign_in("read"), search)
    assert "Name nicht lesbar" in found
    assert f"Datei {number}" in found


def test_who_may_not_see_persons_finds_nobody_and_numbers_all_the_same(sign_in):
    looker = sign_in("look")
    for search in ("Müller", "Wärtend", "0241 5550", "3.2.1990", "Patient 1"):
        assert "Keine Treffer" in find(looker, search), search
    assert looker.form("/console/search", search="P1").location == "/console/imports/1"


@pytest.mark.parametrize(
    ("search", "address"),
    [("P4", "/console/imports/4"), ("PE1", "/console/decisions/1"), ("Patient 2", "/console/people/2"), ("2", None)],
)
def test_a_number_leads_to_what_it_is_the_number_of(sign_in, search, address):
    answer = sign_in("read").form("/console/search", search=search)
    assert answer.location == address
    assert (answer.status_code == 200) == (address is None)


def test_a_number_of_the_other_service_leads_to_its_console(sign_in):
    answer = sign_in("read").form("/console/search", search="T7")
    assert "Diese Nummer gehört in die Konsole der Therapeuten." in text_of(answer.text)
    assert answer.text.count('href="https://other.example.com/console"') == 2


def test_what_is_searched_stands_in_no_address_and_in_no_record(sign_in, engine):
    reader = sign_in("read")
    before = accesses(engine)
    assert reader.form("/console/search", search="Müller").location is None
    searched = accesses(engine)[len(before) :][-1]
    assert searched == ("api:Rita", "list", None, "/console/search")
    assert all(
        re.search(r'method="post" action="/console/search"', reader.page(path).text)
        for path in ("/console", "/console/people", "/console/imports", "/console/decisions", "/console/search")
    )


@pytest.mark.parametrize("search", ["x " * 21, "x" * 1001, "a-" * 30])
def test_an_endless_search_is_refused(sign_in, search):
    answer = sign_in("read").form("/console/search", search=search)
    assert answer.status_code == 400
    assert "höchstens 20 Wörtern" in answer.text


@pytest.mark.parametrize("search", ["", " ", "\x00", "%", "_", "'", "\\", "(", "ß" * 900])
def test_no_text_breaks_the_search(sign_in, search):
    assert sign_in("read").form("/console/search", search=search).status_code == 200


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("?order=oldest", [1, 2, 3, 4, 5]),
        ("?order=name&plz=5", [3, 1, 5]),
        ("?order=place&ort=aachen", [3, 1]),
        ("?status=auf_der_Suche", [2]),
        ("?plz=52", [5, 3, 1]),
        ("?ort=dres", [2]),
        ("?month=2026-02", [2]),
        ("?status=nonsense&month=x&order=x&available=yes", [5, 4, 3, 2, 1]),
        ("?limit=2&page=2", [3, 2]),
        ("?plz=99", []),
    ],
)
def test_the_list_is_sorted_filtered_and_paged(sign_in, query, shown):
    page = sign_in("read").page(f"/console/people{query}").text
    assert [
        int(number) for number in re.findall(r'<th scope="row"[^>]*><a href="/console/people/(\d+)"', page)
    ] == shown


def test_therapists_are_filtered_by_whether_they_may_be_available(sign_in):
    page = text_of(sign_in("read", create_therapist_app).page("/console/people?available=yes").text)
    assert "Thea Frei" in page
    assert "Thea Voll" not in page


def test_a_list_goes_to_a_spreadsheet_with_how_to_reach_people_and_no_more(sign_in, engine):
    before = accesses(engine)
    answer = sign_in("read").page("/console/people/list.csv?plz=52&order=name")
    heading, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=";")
    assert heading[:4] == ["Nummer", "Anrede", "Vorname", "Nachname"]
    # Whose data is restricted is kept, and not handed out.
    assert [row[3] for row in rows] == ["Ärzte", "Müller"]
    assert rows[0][heading.index("Telefon")] == f"'{FORMULA}"
    assert "Schlaflosigkeit" not in answer.text
    assert accesses(engine)[len(before) :] == [("api:Rita", "export", None, "/console/people/list.csv")]
    assert sign_in("look").page("/console/people/list.csv").status_code == 403


def test_files_go_to_a_spreadsheet_without_names_for_who_may_not_see_them(sign_in):
    answers = {role: sign_in(role).page("/console/imports/list.csv?order=oldest").text for role in ("look", "read")}
    assert "Müller_Max" in answers["read"]
    assert "Müller_Max" not in answers["look"]
    assert [line.split(";")[0] for line in answers["look"].split("\r\n")[1:-1]] == ["P1", "P2", "P3", "P4", "P5"]


def test_the_overview_names_who_waits_longest_and_who_can_act(sign_in):
    reader = text_of(sign_in("read").page("/console").text)
    assert re.search(r"P1 Wanda Wärtend , 41 Jahre wartet schon 3 Tage · 0241 5550", reader)
    assert "1 mögliche Dublette" in reader
    assert "Entscheiden und erneut versuchen können: Olga." in reader
    assert "Anmeldungen korrigieren können: Olga, Wilma." in reader
    looker = text_of(sign_in("look").page("/console").text)
    assert "P1" in looker
    assert not re.search("Wanda|Wärtend|0241 5550", looker)


def test_both_consoles_lead_to_each_other(sign_in):
    for create_app, here in ((create_patient_app, "Patienten"), (create_therapist_app, "Therapeuten")):
        page = sign_in("look", create_app).page("/console").text
        assert f'<a href="/console" aria-current="true">{here}</a>' in page
        assert 'href="https://other.example.com/console"' in page


def test_what_came_in_stands_beside_the_median_of_the_weeks_before(engine):
    moment = datetime.now(GERMANY)
    with transaction(engine) as connection:
        for weeks_ago, files in enumerate((1, 2, 7, 3), 1):
            for number in range(files):
                at = moment - timedelta(weeks=weeks_ago, seconds=1)
                row = {"source_key": f"{weeks_ago}-{number}", "first_seen_at": at.replace(tzinfo=None), "bucket": "b"}
                seen = sa.func.timezone("Europe/Berlin", sa.cast(row["first_seen_at"], sa.TIMESTAMP))
                connection.execute(kernel.import_tracking.insert().values({**row, "first_seen_at": seen}))
        later = {"source_key": "later", "first_seen_at": moment - timedelta(weeks=1) + timedelta(minutes=5)}
        connection.execute(kernel.import_tracking.insert().values(later))
        found = compared(connection, kernel)
        connection.rollback()
    assert (found.weeks, found.usual_week.files, found.usual_day.files) == (4, 2, 2)
    assert found.today.files == len(FILES)


def accesses(engine):
    with engine.begin() as connection:
        statement = "SELECT actor, action, entity_id, route FROM patient_service.access_log ORDER BY id"
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def test_each_page_has_its_help_from_the_handbook(sign_in):
    looker = sign_in("look")
    for page, heading in (
        ("/console", "Einmal in der Woche"),
        ("/console/search", "Suchen und Listen"),
        ("/console/imports", "Eine Datei ist fehlgeschlagen"),
        ("/console/decisions", "Zu entscheiden"),
        ("/console/people", "Suchen und Listen"),
        ("/console/help", "Was nie passieren darf"),
    ):
        address = re.search(r'href="(/console/help[^"]*)"', looker.page(page).text)[1]
        help_page = looker.page(address).text
        assert f">{heading}</h2>" in help_page, page
        anchors = map(unquote, re.findall(r'href="\?#([^"]+)"', help_page))
        assert all(f'id="{anchor}"' in looker.page("/console/help").text for anchor in anchors)
