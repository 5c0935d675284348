"""The web's small doors: who is counted as whom, what headers say, where redirects lead."""

import itertools
import json
import re

import pytest
from structlog.testing import capture_logs

from patient_service.app import create_app
from shared.history.refusals import MOST_REFUSALS
from standins.local import wait_until

pytestmark = pytest.mark.slow

TOKENS = "rita:read:r-token-of-24-characters,lena:look:l-token-of-24-characters"
RIGHT, WRONG = ({"Authorization": f"Bearer {token}"} for token in ("r-token-of-24-characters", "wrong-token-secret"))


@pytest.fixture
def serve(process_environment):
    """Makes a process of the service; all of them work on one database."""
    apps = []

    def make(**changes):
        settings = {**process_environment, "API_TOKENS": TOKENS, "LOG_LEVEL": "ERROR", **changes}
        apps.append(create_app(settings, start_workers=False))
        return apps[-1].test_client()

    yield make
    for app in apps:
        app.extensions["curavani"].close()


def ask(client, token, address="192.0.2.1", **headers):
    answer = client.get("/api/patients", headers={**token, **headers}, environ_base={"REMOTE_ADDR": address})
    return answer.status_code


def test_ten_wrong_tokens_block_their_address_over_all_processes_and_nobody_else(serve):
    first, second = serve(), serve()
    assert {ask(client, WRONG) for client in [first, second] * (MOST_REFUSALS // 2)} == {401}
    assert [ask(client, token) for client in (first, second) for token in (WRONG, RIGHT)] == [429] * 4
    assert ask(second, RIGHT, "192.0.2.2") == 200


def test_a_blocked_address_is_told_how_long_to_wait_and_is_let_in_afterwards(serve, engine):
    client = serve()
    for _ in range(MOST_REFUSALS):
        ask(client, WRONG)
    answer = client.get("/api/patients", headers=RIGHT, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE patient_service.refused_callers SET blocked_until = now()")
    assert ask(client, RIGHT) == 200


def test_calls_without_a_token_and_with_too_small_a_role_do_not_count(serve):
    client = serve()
    for _ in range(MOST_REFUSALS + 2):
        assert ask(client, {}) == 401
        assert ask(client, {"Authorization": "Bearer l-token-of-24-characters"}) == 403
        assert ask(client, {"Authorization": "Basic x"}) == 401
    assert ask(client, RIGHT) == 200


def test_nine_wrong_ones_now_and_then_block_nobody(serve, engine):
    client = serve()
    for _ in range(3):
        assert {ask(client, WRONG) for _ in range(MOST_REFUSALS - 1)} == {401}
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE patient_service.refused_callers SET refused_at ="
                " ARRAY(SELECT at - interval '1 minute' FROM unnest(refused_at) AS at)"
            )
    assert ask(client, RIGHT) == 200


def test_tokens_that_begin_alike_are_counted_wherever_they_come_from_and_keep_out_only_who_guesses(serve, engine):
    """Guesses of one token from many addresses over several processes: each of them waits, and its holder does not."""
    clients = itertools.cycle([serve(), serve()])
    guesses = [{"Authorization": f"Bearer r-token-of-{number}"} for number in range(MOST_REFUSALS)]
    addresses = [f"192.0.2.{number}" for number in range(MOST_REFUSALS)]
    assert {ask(next(clients), guess, address) for guess, address in zip(guesses, addresses, strict=True)} == {401}
    assert {ask(next(clients), token, address) for token in (*guesses, RIGHT) for address in addresses} == {429}
    # Another beginning, somebody who has not guessed, and a first mistake.
    assert ask(next(clients), WRONG, addresses[0]) == 401
    assert [ask(next(clients), token, "198.51.100.1") for token in (RIGHT, guesses[0], guesses[0])] == [200, 401, 429]
    assert "r-token" not in str(_counted(engine))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE patient_service.refused_callers SET refused_at = ARRAY[refused_at[1] - interval '1 minute']"
            " WHERE address = '192.0.2.1'"
        )
    assert [ask(next(clients), RIGHT, address) for address in addresses[1:3]] == [200, 429]


def test_a_beginning_is_not_told_by_its_digest(serve, engine):
    """Whoever has the database and not the tokens cannot try beginnings against it."""
    ask(serve(), WRONG)
    ask(serve(API_TOKENS=f"{TOKENS},olga:operate:o-token-of-24-characters"), WRONG)
    assert len([counted for counted in _counted(engine) if counted.startswith("beginning ")]) == 2


def _counted(engine):
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT address FROM patient_service.refused_callers").scalars().all()


@pytest.mark.parametrize(
    ("hops", "forwarded", "blocks"),
    [
        ("0", "198.51.100.{}", True),
        ("1", "198.51.100.{}", False),
        ("1", "198.51.100.{}, 203.0.113.9", True),
        ("2", "198.51.100.{}, 203.0.113.9", False),
        ("2", "198.51.100.{}, 203.0.113.8, 203.0.113.9", True),
    ],
)
def test_who_calls_is_what_the_outermost_of_our_proxies_says(serve, hops, forwarded, blocks):
    """Whatever a caller writes into the header before is nobody's word."""
    client = serve(TRUSTED_PROXY_HOPS=hops)
    for number in range(MOST_REFUSALS):
        ask(client, WRONG, **{"X-Forwarded-For": forwarded.format(number)})
    assert (ask(client, RIGHT, **{"X-Forwarded-For": forwarded.format(99)}) == 429) is blocks


def test_the_addresses_of_one_household_are_one_caller(serve):
    client = serve()
    for number in range(MOST_REFUSALS):
        ask(client, WRONG, f"2001:db8:1:2::{number}")
    assert ask(client, RIGHT, "2001:db8:1:2:ffff::1") == 429
    assert ask(client, RIGHT, "2001:db8:1:3::1") == 200


@pytest.mark.parametrize(
    ("headers", "address", "reason", "network"),
    [
        (WRONG, "192.0.2.77", "token", "192.0.2.0/24"),
        (WRONG, "2001:db8:1:2::77", "token", "2001:db8:1::/48"),
        (WRONG, "::ffff:192.0.2.77", "token", "192.0.2.0/24"),
        ({}, "192.0.2.77", "missing", "192.0.2.0/24"),
        ({"Authorization": "Basic c2VjcmV0"}, "192.0.2.77", "header", "192.0.2.0/24"),
        ({"Authorization": "Bearer l-token-of-24-characters"}, "192.0.2.77", "role", "192.0.2.0/24"),
        (WRONG, "not an address", "token", "unknown"),
    ],
)
def test_every_refusal_is_counted_and_logged_without_token_and_whole_address(serve, headers, address, reason, network):
    client = serve()
    with capture_logs() as lines:
        ask(client, headers, address)
    (line,) = [line for line in lines if line["event"] == "caller_refused"]
    assert (line["reason"], line["network"]) == (reason, network)
    assert not any(told in str(lines) for told in ("wrong-token", "c2VjcmV0", "l-token", ".77", "::77"))
    counted = f'curavani_refused_callers_total{{reason="{reason}",service="patient-service"}} 1.0'
    assert counted in client.get("/metrics").text


@pytest.mark.parametrize("path", ["/console/", "//console", "/console/imports/", "/docs//assets//x", "/console"])
def test_a_redirect_names_no_host(serve, path):
    answer = serve().get(path, headers={"Host": "evil.example.com", "X-Forwarded-Host": "evil.example.com"})
    assert "evil" not in (answer.location or "") + answer.text
    assert not (answer.location or "/").startswith("//")


@pytest.mark.parametrize(
    "path",
    ["/livez", "/metrics", "/docs", "/openapi.json", "/console/sign-in", "/api/patients", "/nowhere", "/console"],
)
def test_every_answer_carries_the_headers_that_close_doors(serve, path):
    headers = serve().get(path).headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert "Server" not in headers


def test_nobody_is_told_whether_a_person_exists_without_the_right_to_know(serve, engine):
    client = serve(API_TOKENS="olga:operate:o-token-of-24-characters,lena:look:l-token-of-24-characters")
    person = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"}
    client.post("/api/patients", json=person, headers={"Authorization": "Bearer o-token-of-24-characters"})
    look = {"Authorization": "Bearer l-token-of-24-characters"}
    for headers in (look, {}, WRONG):
        there, not_there = (client.get(f"/api/patients/{number}", headers=headers) for number in (1, 99))
        assert (there.status_code, there.text) == (not_there.status_code, not_there.text)


def test_a_search_of_more_than_twenty_words_is_refused(serve):
    client = serve()
    words = " ".join(str(number) for number in range(21))
    assert client.get("/api/patients", query_string={"search": words}, headers=RIGHT).status_code == 400
    assert client.get("/api/patients", query_string={"search": words[:-3]}, headers=RIGHT).status_code == 200


def test_open_doors_are_told_at_every_start(run_service):
    service = run_service("patient", API_AUTH="off")
    assert wait_until(lambda: "api_auth_is_off" in service.log.read_text(), 60)


def test_the_doctor_tells_of_open_doors(curavani):
    told = curavani("doctor", API_AUTH="off")
    assert (told.returncode, "API_AUTH=off" in told.stdout) == (1, True)


def test_an_operator_sees_and_ends_sessions_from_the_command_line(serve, curavani):
    client = serve()
    https = "https://console.example.com"
    page = client.get("/console/sign-in", base_url=https).text
    csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": csrf, "token": "r-token-of-24-characters"}
    client.post("/console/sign-in", base_url=https, data=form)
    assert client.get("/console", base_url=https).status_code == 200
    assert "rita" in curavani("sessions", "list").stdout
    assert "1 session ended" in curavani("sessions", "end", "rita").stderr
    assert client.get("/console", base_url=https).status_code == 302


class Console:
    """Somebody at the console."""

    def __init__(self, client, token):
        self._client = client
        self.post("/console/sign-in", token=token)

    def get(self, path):
        return self._client.get(path, base_url="https://console.example.com")

    def post(self, path, **fields):
        page = self._client.get("/console/sign-in", base_url="https://console.example.com", follow_redirects=True).text
        csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"csrf_token": csrf, **fields}
        return self._client.post(path, base_url="https://console.example.com", data=form)


def test_an_operator_searches_who_looked_and_ends_sessions(serve, patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    tokens = "olga:operate:o-token-of-24-characters,rita:read:r-token-of-24-characters"
    reader, operator = (Console(serve(API_TOKENS=tokens), f"{letter}-token-of-24-characters") for letter in ("r", "o"))
    assert reader.get("/console/accesses").status_code == 403
    reader.get("/console/people/1")
    reader.get("/console/imports/1")
    operator.get("/console/people/1")
    found = {
        query: operator.get(f"/console/accesses?{query}").text
        for query in (
            "name=rita",
            "person=1",
            "file=1",
            "person=x",
            "person=99",
            "since=2999-01-01",
            "until=2000-01-01",
        )
    }
    counted = {query: next(iter(re.findall(r"(\d+) Zugriffe?\b", page)), "0") for query, page in found.items()}
    assert counted == {
        "name=rita": "2",
        "person=1": "2",
        "file=1": "1",
        "person=x": "3",
        "person=99": "0",
        "since=2999-01-01": "0",
        "until=2000-01-01": "0",
    }
    assert operator.post("/console/accesses/end", name="rita").status_code == 302
    assert reader.get("/console").status_code == 302
    assert operator.get("/console").status_code == 200


def test_marks_that_turn_the_direction_of_text_are_visible(serve, patients, make_registration, curavani):
    patients.upload(make_registration(), "Mustermann_Max\u202e_20250705_0b1ab67b.json")
    patients.run()
    operator = Console(serve(API_TOKENS="olga:operate:o-token-of-24-characters"), "o-token-of-24-characters")
    page = operator.get("/console/imports/1").text
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page
    listed = curavani("imports", "list", "--json").stdout
    assert "\u202e" not in listed
    assert "\u202e" in json.loads(listed)[0]["file_name"]
