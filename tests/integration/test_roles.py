"""Who may call what: generated from the routes, so that one without a role, or one that opens too far, fails."""

import pytest
from flask.testing import FlaskClient

from curavani.pages.roles import routes_of
from patient_service.app import create_app as create_patient_app
from shared.core.tokens import Role
from shared.http.auth import is_declared
from therapist_service.app import create_app as create_therapist_app

pytestmark = pytest.mark.slow

TOKENS = {role: f"{role.name.lower()}-token-of-24-characters" for role in Role}
HTTPS = "https://console.example.com"
APPS = {"patient": create_patient_app, "therapist": create_therapist_app}


@pytest.fixture
def environment(database_url, bucket, storage_server, tmp_path):
    return {
        "DATABASE_URL": database_url,
        "API_TOKENS": ",".join(f"{role.name}:{role.name}:{TOKENS[role]}" for role in Role),
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path),
        "LOG_LEVEL": "ERROR",
    }


@pytest.fixture(params=APPS)
def app(request, environment):
    app = APPS[request.param](environment, start_workers=False)
    yield app
    app.extensions["curavani"].close()


class Visitor:
    """A caller of a role, or of none, who tries every door: the API with a token, the console signed in with it."""

    def __init__(self, app, role):
        self._api = {} if role is None else {"Authorization": f"Bearer {TOKENS[role]}"}
        self._client: FlaskClient = app.test_client()
        if role is not None:
            page = self._client.get("/console/sign-in", base_url=HTTPS).text
            csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
            form = {"csrf_token": csrf, "token": TOKENS[role]}
            assert self._client.post("/console/sign-in", base_url=HTTPS, data=form).location == "/console"

    def open(self, route, number="7"):
        """The answer to a call about the person, file or question of that number."""
        address = route.address.replace("<int:", "<").replace("<path:", "<")
        path = "/".join(number if step.startswith("<") else step for step in address.split("/"))
        return self._client.open(path, method=route.method, base_url=HTTPS, headers=self._api)

    def status(self, route):
        """How the answer begins: `in`, `out` (not signed in), or `refused`."""
        answer = self.open(route)
        if answer.status_code == 401 or (answer.location or "").startswith("/console/sign-in"):
            return "out"
        return "refused" if answer.status_code == 403 else "in"


def expected(role, needed):
    if needed is None:
        return "in"
    if role is None:
        return "out"
    return "in" if role >= needed else "refused"


def test_every_route_says_who_may_call_it(app):
    assert [name for name, view in app.view_functions.items() if not is_declared(view)] == []


@pytest.mark.parametrize("role", [None, *Role], ids=["nobody", *(role.name.lower() for role in Role)])
def test_every_route_lets_in_its_role_and_above_and_nobody_else(app, role):
    visitor = Visitor(app, role)
    # Signing out comes last, and must not end the visit before.
    routes = sorted(routes_of(app), key=lambda route: "sign-" in route.address)
    found = {route: visitor.status(route) for route in routes if not _leads_to_sign_in(route)}
    assert found == {route: expected(role, route.role) for route in found}
    assert len(found) > 30


def _leads_to_sign_in(route):
    """Where being led to the sign-in page says nothing."""
    return route.address in ("/console/sign-out", "/console/language")


def test_a_route_that_says_nothing_is_refused(app):
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    answer = app.test_client().get("/forgotten", headers={"Authorization": f"Bearer {TOKENS[Role.OPERATE]}"})
    assert answer.status_code == 403


def test_no_route_names_anybody_without_a_record_of_it(environment, patients, make_registration):
    patients.upload(make_registration())
    patients.run()
    patients.upload(make_registration("bbbbbbbb", vorname="Eva"), "Mustermann_Eva_20250705_bbbbbbbb.json")
    patients.upload(b"{", "Mustermann_Max_20250705_cccccccc.json")
    patients.run()
    app = create_patient_app(environment, start_workers=False)
    visitor, named, recorded = Visitor(app, Role.OPERATE), set(), set()
    looks = [(route, number) for route in routes_of(app) if route.method == "GET" for number in ("1", "3")]
    for look in looks:
        before = _records(patients)
        if "Mustermann" in visitor.open(*look).text:
            named.add(look)
        if _records(patients) > before:
            recorded.add(look)
    app.extensions["curavani"].close()
    assert named - recorded == set()
    assert len(named) > 10


def _records(patients):
    return patients.rows("SELECT count(*) AS number FROM patient_service.access_log")[0]["number"]
