"""What consumers get from API and imports: the same events for the same change, as the published schemas say."""

import json
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from jsonschema import Draft202012Validator, FormatChecker

from curavani.pages.events import TOPICS, asyncapi
from patient_service.app import create_app as create_patient_app
from patient_service.models import kernel as patient_kernel
from patient_service.schemas import PatientOut
from shared.reviews.values import Resolution
from therapist_service.app import create_app as create_therapist_app
from therapist_service.models import kernel as therapist_kernel
from therapist_service.reviews import resolve_review as resolve_therapist
from therapist_service.schemas import TherapistOut

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[3] / "docs" / "events"
TOKEN = {"Authorization": "Bearer a-token-of-24-characters"}
FORMATS = FormatChecker(["date", "uuid"])
FORMATS.checks("date-time", ValueError)(lambda text: datetime.fromisoformat(text).tzinfo is not None)


@pytest.fixture
def environment(database_url, tmp_path, bucket):
    return {
        "DATABASE_URL": database_url,
        "API_TOKENS": "t:operate:a-token-of-24-characters",
        "GCS_IMPORT_BUCKET": bucket,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path),
        "LOG_LEVEL": "ERROR",
    }


class Api:
    """A service's HTTP API below one path; answers are JSON."""

    def __init__(self, app, path):
        self._client, self._path = app.test_client(), path

    def post(self, **fields):
        return self._ask("post", "", json=fields)

    def get(self, number):
        return self._ask("get", f"/{number}")

    def put(self, number, **fields):
        return self._ask("put", f"/{number}", json=fields)

    def delete(self, number):
        return self._ask("delete", f"/{number}")

    def _ask(self, method, path, **options):
        answer = getattr(self._client, method)(self._path + path, headers=TOKEN, **options)
        assert answer.status_code < 300, answer.json
        return answer.json


@pytest.fixture
def patient_api(environment):
    app = create_patient_app(environment, start_workers=False)
    yield Api(app, "/api/patients")
    app.extensions["curavani"].close()


@pytest.fixture
def therapist_api(environment):
    app = create_therapist_app(environment, start_workers=False)
    yield Api(app, "/api/therapists")
    app.extensions["curavani"].close()


@pytest.fixture
def announced(engine, new_relay, new_topic):
    """Relays everything and returns the events of a topic per key, each checked against the schemas."""

    def look(kernel):
        name = f"{kernel.service_name}-events"
        relay = new_relay(kernel=kernel)
        count = relay.once()
        topic = new_topic(name)
        assert topic.has(count)
        assert len(topic.messages) == count
        found = {}
        for message, value in zip(topic.messages, topic.values(), strict=True):
            check(name, message, value)
            found.setdefault(int(message.key()), []).append(value)
        return found

    return look


def schema(name):
    document = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(document, format_checker=FORMATS)


def check(topic, message, value):
    """The message is as the documents say, and says nothing that they do not know."""
    kind = value["eventType"]
    assert kind in {entry.name for entry in TOPICS[topic]}
    headers = {name: text.decode() for name, text in message.headers()}
    for document, name in ((value, "envelope"), (headers, "headers"), (value["payload"], kind)):
        schema(name).validate(document)
        assert set(document) == set(schema(name).schema["properties"]), name
    document = asyncapi()
    payload = document["components"]["messages"][kind]["payload"]
    Draft202012Validator(document | payload, format_checker=FORMATS).validate(value)
    for part, model in (("patient_data", PatientOut), ("therapist_data", TherapistOut)):
        assert list(value["payload"].get(part, {})) in ([], sorted(model.model_fields, key=json_order))
    assert (headers["ce_id"], headers["ce_type"]) == (value["eventId"], kind)
    assert headers["ce_time"] == value["timestamp"]


def json_order(name):
    """PostgreSQL's order of keys in jsonb: by length, then by letters."""
    return len(name), name


def changes(events):
    """Kinds and payloads, without what names the row and the time."""
    return [(event["eventType"], without(event["payload"])) for event in events]


def without(payload):
    names = ("patient_id", "therapist_id", "id", "created_at", "updated_at")
    return {
        name: without(value) if isinstance(value, dict) else value
        for name, value in payload.items()
        if name not in names
    }


def test_a_patient_is_announced_the_same_by_api_and_import(patients, patient_api, announced, make_registration):
    answers = json.loads(make_registration())["patient_data"]
    answers |= {"symptome": "Schlafstörung", "zeitliche_verfuegbarkeit": {"montag": ["10:00-12:00"]}, "hausarzt": "Ü ß"}
    moved = answers | {"telefon": "0171 1"}
    # The third one says nothing new, so nothing is announced.
    for token, said in (("00000000", answers), ("11111111", moved), ("22222222", moved)):
        patients.upload(make_registration(token=token, **said), f"A_B_20250705_{token}.json")
        patients.run()
    imported = patients.patients()[0]["id"]
    assert len(patients.patients()) == 1

    # Who registers by the form has accepted the contracts.
    number = patient_api.post(**answers, vertraege_unterschrieben=True)["id"]
    patient_api.put(number, telefon="0171 1")
    patient_api.put(number, telefon="0171 1")

    found = announced(patient_kernel)
    assert [kind for kind, _ in changes(found[imported])] == ["patient.created", "patient.updated"]
    assert changes(found[imported]) == changes(found[number])
    for one in (imported, number):
        assert found[one][-1]["payload"]["patient_data"] == patient_api.get(one)


def test_a_therapist_is_announced_the_same_by_api_and_import(therapists, therapist_api, announced, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2)], "2025-07-02")
    therapists.run()
    moved = make_therapist(1, status="modified", location={"street": "Neue Straße"})
    for day in ("2025-07-09", "2025-07-16"):  # the second one changes nothing
        therapists.scrape([moved, make_therapist(2, status="unchanged")], day)
        therapists.run()
    therapists.scrape([{"id": "praxis1", "status": "deleted"}, make_therapist(2)], "2025-07-23")
    therapists.run()
    therapists.scrape([moved, make_therapist(2)], "2025-07-30")
    therapists.run()
    imported, untouched = (row["id"] for row in therapists.therapists())

    fields = without(therapist_api.get(untouched))
    first = therapists.rows("SELECT * FROM therapist_service.therapeuten WHERE id = :id", id=imported)[0]
    fields |= {name: first[name] for name in ("nachname", "email")} | {"strasse": "Salierallee 1"}
    number = therapist_api.post(**fields)["id"]
    for change in ({"strasse": first["strasse"]}, {}, {"status": "inaktiv"}, {"status": "aktiv"}):
        therapist_api.put(number, **change)

    found = announced(therapist_kernel)
    assert [kind for kind, _ in changes(found[imported])] == ["therapist.created", *["therapist.updated"] * 3]
    assert changes(found[imported]) == changes(found[number])
    assert [kind for kind, _ in changes(found[untouched])] == ["therapist.created"]
    for one in (imported, number, untouched):
        assert found[one][-1]["payload"]["therapist_data"] == therapist_api.get(one)


def test_a_time_is_told_alike_by_api_and_event(therapist_api, announced, engine):
    """Neither leaves out zeros at its end."""
    number = therapist_api.post(anrede="Frau", geschlecht="weiblich", vorname="Erika", nachname="Müller")["id"]
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE therapist_service.therapeuten SET created_at = '2025-07-05 14:33:00.1+00'"))
    therapist_api.put(number, ort="Köln")
    told = announced(therapist_kernel)[number][-1]["payload"]["therapist_data"]
    assert told["created_at"] == "2025-07-05T14:33:00.100000+00:00"
    assert told == therapist_api.get(number)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE therapist_service.therapeuten SET created_at = '2025-07-05'"))
    assert therapist_api.get(number)["created_at"] == "2025-07-05T00:00:00.000000+00:00"


def test_every_kind_of_event_is_as_published(patient_api, therapist_api, announced):
    person = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"}
    one = patient_api.post(**person, geburtsdatum="1990-02-28", ausgeschlossene_therapeuten=[3])["id"]
    patient_api.put(one, ort="Köln")
    patient_api.put(one, ort="Bonn", status="auf_der_Suche")
    gone = patient_api.post(**person | {"nachname": "Meier"})["id"]
    patient_api.delete(gone)
    other = therapist_api.post(**person)["id"]
    therapist_api.put(other, alter_min=18)
    therapist_api.put(other, status="gesperrt", sperrgrund="auf Wunsch", sperrdatum="2025-07-01")
    therapist_api.put(other, sperrgrund="auf eigenen Wunsch")
    therapist_api.put(other, status="inaktiv")
    therapist_api.put(other, status="gesperrt", sperrgrund=None)
    erased = therapist_api.post(**person | {"nachname": "Meier"})["id"]
    therapist_api.delete(erased)

    patients, therapists = announced(patient_kernel), announced(therapist_kernel)
    assert [event["eventType"] for event in patients[one]] == [
        "patient.created",
        "patient.updated",
        "patient.status_changed",
    ]
    payload = patients[one][-1]["payload"]
    assert (payload["old_status"], payload["new_status"]) == ("offen", "auf_der_Suche")
    # What was not sent before the erasure is never sent.
    assert [(event["eventType"], event["payload"]) for event in patients[gone]] == [
        ("patient.deleted", {"patient_id": gone})
    ]
    assert [(event["eventType"], event["payload"].get("reason")) for event in therapists[other]] == [
        ("therapist.created", None),
        ("therapist.updated", None),
        ("therapist.blocked", "auf Wunsch"),
        ("therapist.updated", None),
        ("therapist.unblocked", None),
        ("therapist.blocked", None),
    ]
    assert [(event["eventType"], event["payload"]) for event in therapists[erased]] == [
        ("therapist.deleted", {"therapist_id": erased})
    ]


def test_a_decision_announces_what_it_changed_and_nothing_else(therapists, announced, engine, make_therapist):
    therapists.scrape([make_therapist(1), make_therapist(2)], "2025-07-02")
    therapists.run()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE therapist_service.therapeuten SET telefon = '0241 1'")
    changed = [make_therapist(number, status="modified", contact={"phone": "0241 2"}) for number in (1, 2)]
    therapists.scrape(changed, "2025-07-09")
    therapists.run()
    ours, theirs = therapists.reviews()
    with engine.begin() as connection:
        resolve_therapist(connection, ours["id"], Resolution("staff", "api:eva"))
        resolve_therapist(connection, theirs["id"], Resolution("source", "api:eva"))
    found = announced(therapist_kernel)
    kinds = {key: [event["eventType"] for event in events] for key, events in found.items()}
    assert kinds == {
        ours["entity_id"]: ["therapist.created"],
        theirs["entity_id"]: ["therapist.created", "therapist.updated"],
    }
