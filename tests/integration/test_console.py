"""The console by Flask's test client on real PostgreSQL: who gets in, who sees what, and what never gets out."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from itsdangerous import TimestampSigner

from patient_service.app import create_app as create_patient_app
from patient_service.models import kernel
from shared.console.access import REFRESH_HEADER
from shared.core.errors import Finding
from shared.database.engine import transaction
from shared.history.sessions import ABSOLUTE, IDLE
from shared.imports import ledger, mend, records
from shared.imports.records import Outcome
from shared.imports.source import Found, Settlement
from shared.words.codes import Code
from shared.words.statuses import FileStatus
from tests.integration.visitor import HTTPS, TOKENS, Visitor
from therapist_service.app import create_app as create_therapist_app

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Person(Visitor):
    def cookie(self):
        found = self.get_cookie("__Host-curavani-patient", domain="console.example.com")
        return found and found.value


@pytest.fixture(scope="module")
def environment(postgres, tmp_path_factory):
    folder = tmp_path_factory.mktemp("console")
    yield {
        "DATABASE_URL": postgres.create_database("console", template="template"),
        "API_TOKENS": TOKENS,
        "PATIENT_IMPORT_LOCAL_PATH": str(folder / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(folder),
        "LOG_LEVEL": "ERROR",
    }
    postgres.drop_database("console")


@pytest.fixture(scope="module")
def serve(environment):
    """Makes an application as another replica would; all work on one database."""
    apps = []

    def make(create_app=create_patient_app, **changes):
        app = create_app({**environment, **changes}, start_workers=False)
        app.test_client_class = Person
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.extensions["curavani"].close()


@pytest.fixture(scope="module")
def app(serve):
    return serve()


@pytest.fixture
def engine(app):
    """The console's own engine; what a test writes is gone after it, and numbers begin at 1 again."""
    engine = app.extensions["curavani"].engine
    yield engine
    tables = ", ".join(str(table) for table in (kernel.import_tracking, kernel.operator_actions, kernel.field_changes))
    with transaction(engine) as connection:
        connection.execute(sa.text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))


@pytest.fixture
def person(app):
    return app.test_client()


@pytest.fixture
def looker(person):
    person.sign_in("l-token-of-24-characters")
    return person


@pytest.fixture
def writer(person):
    person.sign_in("w-token-of-24-characters")
    return person


@pytest.fixture
def operator(person):
    person.sign_in("o-token-of-24-characters")
    return person


def registered(connection, key, **columns):
    """The number of a file that the ledger has just got to know."""
    return ledger.register(connection, kernel, [Found(key, None, columns)])[key].id


@pytest.fixture
def failed_file(engine):
    """A failed file whose name and places come from somebody who means no good."""
    with transaction(engine) as connection:
        file_id = registered(connection, "key", bucket="b", file_name=f"{EVIL}.json", file_version="1")
        finding = Finding(f"/patient_data/{EVIL}", "unknown_field")
        records.write_findings(connection, kernel, file_id, [finding])
        ledger.settle(connection, kernel, file_id, Settlement("failed", "validation_failed"))
    return file_id


def test_the_address_with_a_slash_at_its_end_leads_to_the_overview(operator):
    assert operator.page("/console/").location == "/console"


PAGES = ["/console", "/console/imports", "/console/imports/1", "/console/imports/1/discard", "/console/nowhere"]
ACTIONS = [
    "/console/imports/run",
    "/console/imports/retry-failed",
    "/console/imports/1/retry",
    "/console/imports/1/discard",
]


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_without_signing_in(person, failed_file, path):
    answer = person.page(path)
    assert (answer.status_code, answer.location.split("?")[0]) == (302, "/console/sign-in")


@pytest.mark.parametrize("path", ACTIONS)
def test_nobody_acts_without_signing_in(person, engine, failed_file, path):
    answer = person.form(path, reason="x")
    assert (answer.status_code, answer.location) == (302, "/console/sign-in")
    assert status_of(engine, failed_file) == "failed"


@pytest.mark.parametrize("token", ["l-token-of-24-characters", "r-token-of-24-characters", "w-token-of-24-characters"])
@pytest.mark.parametrize("path", ACTIONS)
def test_only_operators_act(person, engine, failed_file, token, path):
    person.sign_in(token)
    assert person.form(path, reason="x").status_code == 403
    assert status_of(engine, failed_file) == "failed"


@pytest.mark.parametrize("path", ["/console/imports/1/discard"])
def test_only_operators_are_asked(writer, failed_file, path):
    answer = writer.page(path)
    assert answer.status_code == 403
    assert "Dafür reicht Ihr Zugang nicht" in answer.text


def test_who_only_looks_sees_states_and_counts_but_no_name_and_no_place(looker, failed_file):
    for path in ("/console", "/console/imports", f"/console/imports/{failed_file}"):
        page = looker.page(path)
        assert page.status_code == 200
        assert "onerror" not in page.text
        assert "/patient_data/" not in page.text
    assert "fehlgeschlagen" in page.text


def test_what_comes_from_outside_is_shown_as_text(writer, failed_file):
    for path in ("/console/imports", f"/console/imports/{failed_file}"):
        page = writer.page(path).text
        assert "onerror=alert(2)&gt;" in page
        assert "<img src=x" not in page
        assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("path", "recorded"),
    [
        ("/console/imports", [("list", None, "/console/imports")]),
        ("/console/imports/1", [("view", 1, "/console/imports/<int:import_id>")]),
        ("/console/imports/1/discard", [("view", 1, "/console/imports/<int:import_id>/discard")]),
        ("/console/imports/99", []),
        ("/console", []),
    ],
)
def test_each_look_at_files_is_on_record_whatever_the_headers(operator, engine, failed_file, path, recorded):
    before = len(accesses_of(engine))
    operator.page(path)
    operator.page(path, headers={REFRESH_HEADER: "1"})
    assert accesses_of(engine)[before:] == [("api:Olga", *entry) for entry in recorded] * 2


def test_a_list_without_names_shows_nobody_and_a_file_without_its_name_is_a_file(looker, engine, failed_file):
    before = len(accesses_of(engine))
    looker.page("/console/imports")
    looker.page("/console/imports/1")
    assert accesses_of(engine)[before:] == [("api:Lena", "view", 1, "/console/imports/<int:import_id>")]


def test_what_is_done_to_files_is_on_record_and_what_is_refused_is_not(operator, engine, failed_file):
    before = len(accesses_of(engine))
    operator.form("/console/imports/1/discard", reason="")
    operator.form("/console/imports/retry-failed")
    operator.form("/console/imports/1/discard", reason="x")
    assert [entry[1:3] for entry in accesses_of(engine)[before:]] == [("change", 1), ("change", 1)]


@pytest.mark.parametrize("path", [*ACTIONS, "/console/sign-in", "/console/sign-out", "/console/language"])
def test_a_form_without_its_token_is_refused(operator, engine, failed_file, path):
    for forged in ("", "forged"):
        answer = operator.form(path, csrf=forged, reason="x")
        assert answer.status_code == 400
        assert "Das Formular wurde nicht angenommen" in answer.text
    assert status_of(engine, failed_file) == "failed"


def test_a_token_of_another_session_is_refused(app, operator, engine, failed_file):
    other = app.test_client()
    other.sign_in("o-token-of-24-characters")
    assert operator.form(f"/console/imports/{failed_file}/retry", csrf=other.csrf()).status_code == 400
    assert status_of(engine, failed_file) == "failed"


def test_the_api_needs_no_form_token(app, failed_file):
    answer = app.test_client().post(
        "/api/imports/1/retry", headers={"Authorization": "Bearer o-token-of-24-characters"}
    )
    assert answer.status_code == 200


def test_the_api_takes_no_session_for_a_token(operator):
    assert operator.get("/api/patients", base_url=HTTPS).status_code == 401


def test_signing_in_begins_another_session(person):
    """Whoever put a cookie into somebody's browser beforehand knows nothing of the session that begins then."""
    planted = person.csrf()
    before = person.cookie()
    assert person.sign_in("o-token-of-24-characters").location == "/console"
    assert person.cookie() != before
    assert person.form("/console/imports/run", csrf=planted).status_code == 400
    stranger = person.application.test_client()
    stranger.set_cookie("__Host-curavani-patient", before, domain="console.example.com", secure=True)
    assert stranger.page("/console").status_code == 302


def test_the_cookie_is_for_this_host_over_tls_and_for_no_script(person):
    cookie = person.sign_in("o-token-of-24-characters").headers["Set-Cookie"]
    assert cookie.startswith("__Host-curavani-patient=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_the_two_services_keep_their_sessions_apart(serve, operator):
    other = serve(create_therapist_app).test_client()
    other.set_cookie("__Host-curavani-therapist", operator.cookie(), domain="console.example.com", secure=True)
    assert other.page("/console").status_code == 302


def test_a_session_is_known_to_every_replica(serve, operator):
    replica = serve().test_client()
    replica.set_cookie("__Host-curavani-patient", operator.cookie(), domain="console.example.com", secure=True)
    assert replica.page("/console").status_code == 200


@pytest.mark.parametrize(
    "tokens",
    [
        "Rita:read:r-token-of-24-characters,Olga:operate:another-token-of-24-chars",
        "Rita:read:r-token-of-24-characters",
        "Olga:read:o-token-of-24-characters",
        "Anna:operate:o-token-of-24-characters",
    ],
    ids=["replaced", "removed", "smaller role", "somebody else's"],
)
def test_a_changed_token_ends_its_sessions(serve, operator, tokens):
    restarted = serve(API_TOKENS=tokens).test_client()
    restarted.set_cookie("__Host-curavani-patient", operator.cookie(), domain="console.example.com", secure=True)
    assert restarted.page("/console").status_code == 302


@pytest.mark.parametrize(
    ("since", "seen", "status"),
    [
        (timedelta(minutes=5), timedelta(minutes=5), 200),
        (timedelta(hours=3), IDLE + timedelta(minutes=1), 302),
        (ABSOLUTE + timedelta(minutes=1), timedelta(minutes=1), 302),
    ],
    ids=["fresh", "idle", "too long"],
)
def test_sessions_end_by_themselves(operator, engine, since, seen, status):
    with transaction(engine) as connection:
        ages = {"began": since, "seen": seen}
        connection.execute(
            sa.text("UPDATE patient_service.sessions SET began_at = began_at - :began, seen_at = seen_at - :seen"), ages
        )
    answer = operator.page("/console")
    assert answer.status_code == status
    if status == 302:
        assert "abgelaufen" in operator.page("/console", follow_redirects=True).text


def test_a_page_that_updates_itself_keeps_no_session_alive(operator, engine):
    with transaction(engine) as connection:
        connection.execute(
            sa.update(kernel.sessions).values(seen_at=kernel.sessions.c.seen_at - IDLE + timedelta(minutes=1))
        )
    before = latest_seen(engine)
    operator.page("/console", headers={REFRESH_HEADER: "1"})
    assert latest_seen(engine) == before
    operator.page("/console")
    assert latest_seen(engine) > before


def test_signing_out_ends_the_session_for_every_copy_of_its_cookie(operator):
    copy = operator.application.test_client()
    copy.set_cookie("__Host-curavani-patient", operator.cookie(), domain="console.example.com", secure=True)
    assert copy.page("/console").status_code == 200
    assert operator.form("/console/sign-out").status_code == 302
    assert copy.page("/console").status_code == 302


def test_the_database_holds_nothing_that_lets_somebody_in(operator, engine):
    with operator.session_transaction(base_url=HTTPS) as session:
        key = session["key"]
    with transaction(engine) as connection:
        rows = str(connection.execute(sa.select(kernel.sessions)).all())
    assert "Olga" in rows
    assert key not in rows
    assert "o-token" not in rows


def test_a_wrong_key_is_refused_and_said_so(person):
    answer = person.sign_in("wrong")
    assert answer.status_code == 401
    assert "Diesen Zugangsschlüssel gibt es nicht" in answer.text


def test_guessing_is_slowed_down_but_signing_in_is_not(serve):
    app, elsewhere = serve(), serve().test_client()
    person = app.test_client()
    person.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    for _ in range(12):
        assert app.test_client().sign_in("o-token-of-24-characters").status_code == 302
    # Tries are counted by how a token begins, too: no other test tries one like it.
    answers = [person.sign_in("guessed-here-alone").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    last = person.sign_in("o-token-of-24-characters")
    assert last.status_code == 429
    assert last.headers["Retry-After"] == "60"
    assert "Zu viele Versuche" in last.text
    assert elsewhere.sign_in("o-token-of-24-characters").status_code == 302


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/console/imports?status=failed", "/console/imports?status=failed"),
        ("https://evil.example.com/console", "/console"),
        ("//evil.example.com/console", "/console"),
        ("/console\\@evil.example.com", "/console"),
        ("/console\n/x", "/console"),
        ("javascript:alert(1)", "/console"),
        ("/api/patients", "/console"),
    ],
)
def test_signing_in_leads_to_the_page_that_was_asked_for_and_never_away(person, wanted, reached):
    assert person.sign_in("o-token-of-24-characters", next=wanted).location == reached


def test_a_link_from_another_site_is_asked_for_again_without_a_cookie_of_ours(person):
    """The browser keeps the strict cookie back; a cookie in the answer would replace it and sign the person out."""
    answer = person.page("/console/imports/12", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0; url=/console/imports/12"' in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Origin": "http://192.0.2.1:8001"}, "Diese Adresse beginnt mit http://"),
        ({"Origin": "https://console.example.com"}, "Bitte erlauben Sie Cookies"),
        ({"Origin": "http://127.0.0.1:8001"}, "Bitte erlauben Sie Cookies"),
    ],
)
def test_a_browser_that_keeps_no_cookie_is_told_why(app, headers, said):
    answer = app.test_client().post("/console/sign-in", data={"token": "o-token-of-24-characters"}, headers=headers)
    assert answer.status_code == 400
    assert said in answer.text


def test_without_sign_in_everybody_is_the_development_operator(serve, engine, failed_file):
    visitor = serve(API_AUTH="off", API_TOKENS="").test_client()
    page = visitor.page("/console")
    assert "API_AUTH=off" in page.text
    csrf = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
    assert visitor.form(f"/console/imports/{failed_file}/retry", csrf=csrf).status_code == 302
    assert actions_of(engine) == [("retry", "api:development", failed_file)]


def test_every_answer_forbids_what_the_page_does_not_need(operator):
    for path in ("/console", "/console/nowhere", "/console/static/console.css"):
        with operator.page(path) as answer:
            headers = answer.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
    assert operator.page("/console").headers["Cache-Control"] == "no-store"


def test_no_page_carries_a_script_or_a_style_of_its_own(operator, failed_file):
    for path in PAGES:
        page = operator.page(path).text
        assert re.findall(r"<script(?![^>]* src=)", page) == []
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=\"", page) == []


def test_german_is_the_language_until_somebody_chooses_english(operator):
    german = operator.page("/console", headers={"Accept-Language": "en"}).text
    assert '<html lang="de">' in german
    assert "Übersicht" in german
    chosen = operator.form("/console/language", language="en", next="/console/imports?status=failed")
    assert chosen.location == "/console/imports?status=failed"
    english = operator.page("/console").text
    assert '<html lang="en">' in english
    assert "Overview" in english
    assert operator.form("/console/language", language="xx").status_code == 404
    operator.form("/console/sign-out")
    assert "Access key" in operator.page("/console/sign-in").text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/console/nowhere/at/all", 404, "Diese Seite gibt es nicht"),
        ("/console/imports/99", 404, "Diese Seite gibt es nicht"),
        ("/console/imports/99/discard", 404, "Diese Seite gibt es nicht"),
        ("/console/imports/99999999999999999999", 404, "Diese Seite gibt es nicht"),
        ("/console/decisions/2147483648", 404, "Diese Seite gibt es nicht"),
        ("/console/people/2147483648/erase", 404, "Diese Seite gibt es nicht"),
    ],
)
def test_failures_are_pages(operator, path, status, said):
    answer = operator.page(path)
    assert answer.status_code == status
    assert said in answer.text


def _with(visitor, cookie):
    visitor.set_cookie("__Host-curavani-patient", cookie, domain="console.example.com", secure=True)
    return visitor


def test_a_database_that_is_away_is_a_page_that_says_so(serve, operator):
    visitor = serve(DATABASE_URL="postgresql://u:secret@127.0.0.1:1/x").test_client()
    cookie = operator.cookie()
    for answer in (visitor.sign_in("o-token-of-24-characters"), _with(visitor, cookie).page("/console")):
        assert answer.status_code == 503
        assert "Die Datenbank ist nicht erreichbar" in answer.text
        assert "secret" not in answer.text


def test_a_page_tells_of_every_attempt(operator, engine, failed_file):
    with transaction(engine) as connection:
        mend.retry(connection, kernel, [failed_file], "test")
        ledger.begin(connection, kernel, [failed_file])
        ledger.settle(connection, kernel, failed_file, Settlement(FileStatus.FAILED, Code.EMPTY_FILE))
        mend.retry(connection, kernel, [failed_file], "test")
        ledger.begin(connection, kernel, [failed_file])
        ledger.settle(connection, kernel, failed_file, Settlement(FileStatus.FAILED, Code.INVALID_JSON))
    text = operator.page(f"/console/imports/{failed_file}").text
    assert "Versuch 1: fehlgeschlagen: Die Datei ist leer" in text
    assert "Versuch 2:" not in text


def test_a_file_that_somebody_dealt_with_meanwhile_is_not_touched(operator, engine, failed_file):
    assert operator.form(f"/console/imports/{failed_file}/discard", reason="zweimal").status_code == 302
    again = operator.form(f"/console/imports/{failed_file}/retry")
    assert again.status_code == 409
    assert "Das geht nicht mehr" in again.text
    assert operator.page(f"/console/imports/{failed_file}/discard").status_code == 409
    assert status_of(engine, failed_file) == "discarded"


def test_a_discard_needs_a_reason_and_keeps_it_with_the_actor(operator, engine, failed_file):
    without = operator.form(f"/console/imports/{failed_file}/discard", reason="  ")
    assert without.status_code == 400
    assert "Bitte nennen Sie den Grund" in without.text
    done = operator.form(f"/console/imports/{failed_file}/discard", reason="Testdatei", delete_source="yes")
    assert "Datei P1 ist verworfen und wird beim nächsten Import" in operator.page(done.location).text
    with transaction(engine) as connection:
        row = ledger.find(connection, kernel, failed_file)
    assert (row["status"], row["discard_reason"], row["delete_source"]) == ("discarded", "Testdatei", True)
    assert actions_of(engine) == [("discard", "api:Olga", failed_file)]


def test_failed_files_are_retried_together_by_their_code(operator, engine):
    with transaction(engine) as connection:
        for number, code in enumerate(("invalid_json", "empty_file", "invalid_json")):
            file_id = registered(connection, str(number), bucket="b")
            ledger.settle(connection, kernel, file_id, Settlement("failed", code))
    assert operator.form("/console/imports/retry-failed", code="invalid_json").status_code == 302
    assert [status_of(engine, number) for number in (1, 2, 3)] == ["pending", "failed", "pending"]


@pytest.mark.parametrize(
    ("query", "warned"),
    [
        ("status=failed", True),
        ("status=failed&code=implausible_count", True),
        ("status=failed&code=invalid_json", False),
        ("", False),
    ],
)
def test_a_retry_of_all_says_that_it_takes_small_counts_for_right(operator, engine, query, warned):
    with transaction(engine) as connection:
        for number, code in enumerate(("invalid_json", "implausible_count") * 2):
            file_id = registered(connection, str(number))
            ledger.settle(connection, kernel, file_id, Settlement("failed", code))
    said = "von 2 Dateien, dass sie zu Recht so wenige Therapeuten nennen"
    assert (said in operator.page(f"/console/imports?{query}").text) == warned


def test_only_what_a_service_does_is_checked(serve, operator):
    therapists = serve(create_therapist_app).test_client()
    therapists.sign_in("l-token-of-24-characters")
    assert "Importierte Dateien verlassen die Ablage" in operator.page("/console").text
    assert "Importierte Dateien verlassen die Ablage" not in therapists.page("/console").text


def test_events_that_the_brokers_refuse_are_counted_apart(operator, engine):
    with transaction(engine) as connection:
        event = "INSERT INTO patient_service.event_outbox (event_type, topic, key, payload, parked_code)"
        for parked in ("NULL", "NULL", "NULL", "'event_too_large'", "'event_too_large'"):
            connection.execute(sa.text(f"{event} VALUES ('x', 'x', '1', '{{}}', {parked})"))
    page = operator.page("/console").text
    numbers = dict(re.findall(r'<dt>([^<]+)</dt><dd class="number">(\d+)</dd>', page))
    assert (numbers["Noch nicht an andere Dienste gemeldet"], numbers["Von Kafka abgelehnte Meldungen"]) == ("3", "2")


def test_an_action_without_an_importer_says_so(operator, failed_file):
    done = operator.form("/console/imports/run")
    assert "Der Import läuft zurzeit nicht" in operator.page(done.location).text


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("P1", None),
        ("1", None),
        (" p 1 ", None),
        ("Datei P1", None),
        ("T1", "Diese Nummer gehört in die Konsole der Therapeuten."),
        ("P99", "Keine Treffer."),
        ("99", "Keine Treffer."),
        ("PE1", "Keine Treffer."),
        ("Patient 1", "Keine Treffer."),
        ("P9999999999", "Keine Treffer."),
    ],
)
def test_a_file_is_found_by_its_number(operator, failed_file, wanted, said):
    answer = operator.form("/console/search", search=wanted)
    if said is None:
        assert (answer.status_code, answer.location) == (303, "/console/imports/1")
    else:
        assert said in answer.text


def test_the_list_is_filtered_and_paged(operator, engine):
    with transaction(engine) as connection:
        for number in range(25):
            file_id = registered(connection, str(number), bucket="b")
            ledger.settle(connection, kernel, file_id, Settlement("failed", "empty_file"))
        file_id = registered(connection, "good", bucket="b")
        ledger.settle(connection, kernel, file_id, Settlement("success", counts={"new": 1}))
        old = kernel.import_tracking.update().where(kernel.import_tracking.c.id == 3)
        connection.execute(old.values(first_seen_at=sa.text("'2025-07-05 22:30+00'")))
    assert numbers(operator, "") == list(range(26, 6, -1))
    assert numbers(operator, "?page=2") == [6, 5, 4, 3, 2, 1]
    assert numbers(operator, "?status=success") == [26]
    assert numbers(operator, "?code=empty_file&page=2") == [5, 4, 3, 2, 1]
    # A German day begins before the one of UTC.
    assert numbers(operator, "?since=2025-07-06&until=2025-07-06") == [3]
    assert numbers(operator, "?since=2025-07-05&until=2025-07-05") == []
    assert len(numbers(operator, "?status=nonsense&since=nonsense&page=-1&limit=x")) == 20


def test_a_file_tells_its_counts_rules_and_changes(writer, engine):
    with transaction(engine) as connection:
        file_id = registered(connection, "key", bucket="b", file_name="a.json")
        outcome = Outcome(0, "updated", 7, rule="email_and_name")
        records.write_outcomes(connection, kernel, file_id, [outcome])
        ledger.settle(connection, kernel, file_id, Settlement("success", counts={"updated": 1}))
        change = kernel.field_changes.insert().values(
            entity_id=7, field="strasse", old_value="Weg 1", new_value=EVIL, changed_by=f"import:{file_id}"
        )
        connection.execute(change)
    page = writer.page("/console/imports/1").text
    assert "E-Mail und Name stimmen mit genau einer Person überein." in page
    assert "<del>Weg 1</del>" in page
    assert "<img src=x" not in page
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "1 Eintrag = 1 geändert" in words


def test_the_number_of_records_does_not_make_the_page_longer(operator, engine):
    with transaction(engine) as connection:
        file_id = registered(connection, "key", bucket="b")
        many = [Outcome(number, "new", number + 1, rule="new") for number in range(500)]
        records.write_outcomes(connection, kernel, file_id, many)
        findings = [Finding(f"/therapists/{number}", "missing_salutation", number) for number in range(500)]
        records.write_findings(connection, kernel, file_id, findings)
        ledger.settle(connection, kernel, file_id, Settlement("success", counts={"new": 500}))
    page = operator.page("/console/imports/1").text
    assert page.count("Diese Person war noch nicht bekannt.") == 20
    assert "Seite 1 von 25" in page
    assert "(500-mal)" in page
    assert "Eintrag 50<" in page
    assert "Eintrag 51<" not in page


def test_a_cookie_signed_with_another_key_is_no_session(person):
    forged = TimestampSigner("guess", salt="cookie-session").sign("eyJrZXkiOiAieCJ9").decode()
    person.set_cookie("__Host-curavani-patient", forged, domain="console.example.com", secure=True)
    assert person.page("/console").status_code == 302


def numbers(person, query):
    return [int(found) for found in re.findall(r">P(\d+)</a>", person.page(f"/console/imports{query}").text)]


def status_of(engine, import_id):
    with transaction(engine) as connection:
        return ledger.find(connection, kernel, import_id)["status"]


def accesses_of(engine):
    table = kernel.access_log.c
    with transaction(engine) as connection:
        found = connection.execute(
            sa.select(table.actor, table.action, table.import_id, table.route).order_by(table.id)
        )
        return [tuple(row) for row in found]


def latest_seen(engine):
    with transaction(engine) as connection:
        return connection.execute(sa.select(sa.func.max(kernel.sessions.c.seen_at))).scalar_one()


def actions_of(engine):
    table = kernel.operator_actions.c
    with transaction(engine) as connection:
        found = connection.execute(sa.select(table.action, table.actor, table.import_id))
        return [tuple(row) for row in found]
