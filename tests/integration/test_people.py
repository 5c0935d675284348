"""Who creates, changes and deletes people is on record, whatever the way; the writer works in sets."""

import pytest
import sqlalchemy as sa

from patient_service.app import create_app as create_patient_app
from patient_service.use_cases import (
    create_patient,
    delete_patient,
    get_patient,
    list_patients,
    lock_patients,
    update_patients,
)
from shared.core.errors import NotFound
from shared.people.timeline import history_of
from therapist_service.app import create_app as create_therapist_app
from therapist_service.models import kernel as therapist_kernel
from therapist_service.use_cases import (
    Change,
    create_therapists,
    delete_therapist,
    get_therapist,
    lock_therapists,
    update_therapists,
)

ERIKA = {"anrede": "Frau", "geschlecht": "weiblich", "vorname": "Erika", "nachname": "Müller"}
TOKEN = {"Authorization": "Bearer a-token-of-24-characters"}


@pytest.fixture
def ask(database_url, bucket, storage_server, tmp_path):
    """Calls the API of a service as `olga`."""
    environment = {
        "DATABASE_URL": database_url,
        "API_TOKENS": "olga:operate:a-token-of-24-characters",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
        "THERAPIST_IMPORT_FOLDER_PATH": str(tmp_path),
        "LOG_LEVEL": "ERROR",
    }
    apps = {
        "patients": create_patient_app(environment, start_workers=False),
        "therapists": create_therapist_app(environment, start_workers=False),
    }

    def call(method, people, number="", **options):
        address = f"/api/{people}/{number}".rstrip("/")
        return apps[people].test_client().open(address, method=method, headers=TOKEN, **options)

    yield call
    for app in apps.values():
        app.extensions["curavani"].close()


def actions(engine, service):
    statement = f"SELECT action, actor, entity_id FROM {service}.operator_actions ORDER BY id"
    with engine.begin() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


@pytest.mark.parametrize(("people", "service"), [("patients", "patient_service"), ("therapists", "therapist_service")])
def test_who_created_and_who_deleted_somebody_is_kept(ask, engine, people, service):
    number = ask("POST", people, json=ERIKA).json["id"]
    assert actions(engine, service) == [("create", "api:olga", number)]
    assert ask("PUT", people, number, json={"ort": "Köln"}).status_code == 200
    assert ask("DELETE", people, number).status_code == 200
    assert actions(engine, service) == [("create", "api:olga", number), ("delete", "api:olga", number)]


def test_whom_an_import_created_is_told_by_its_outcome_only(patients, therapists, make_registration, make_therapist):
    patients.upload(make_registration())
    patients.run()
    therapists.scrape([make_therapist(1)])
    therapists.run()
    assert actions(patients.engine, "patient_service") == actions(patients.engine, "therapist_service") == []


def test_a_persons_history_begins_with_who_entered_them(engine):
    with engine.begin() as connection:
        (number,) = create_therapists(connection, [ERIKA], "api:olga")
        told = history_of(connection, therapist_kernel, number)
    assert [(entry.kind, entry.actor, entry.word) for entry in told] == [
        ("event", None, "therapist.created"),
        ("action", "api:olga", "create"),
    ]


def test_several_people_are_written_in_one_call_each_with_history_and_event(engine):
    with engine.begin() as connection:
        numbers = [create_patient(connection, {**ERIKA, "vorname": name}, "api:olga") for name in ("Erika", "Eva")]
        one, other = numbers
        # The dictionary's order is the caller's; rows are locked in their own.
        after = update_patients(connection, {other: {"ort": "Köln"}, one: {"status": "in_Therapie"}}, "api:olga")
    assert list(after) == [other, one]
    assert (after[other].ort, after[other].status, after[one].ort, after[one].status) == (
        "Köln",
        "offen",
        None,
        "in_Therapie",
    )
    with engine.begin() as connection:
        assert lock_patients(connection, numbers) == {number: after[number] for number in numbers}
        assert list_patients(connection, search="koeln eva", offset=0, limit=5) == ([after[other]], 1)
        history = connection.execute(sa.text("SELECT entity_id, field FROM patient_service.field_changes ORDER BY id"))
        assert history.fetchall() == [(other, "ort"), (one, "status")]
        events = "SELECT key, event_type FROM patient_service.event_outbox ORDER BY id"
        assert connection.execute(sa.text(events)).fetchall() == [
            (str(one), "patient.created"),
            (str(other), "patient.created"),
            (str(other), "patient.updated"),
            (str(one), "patient.status_changed"),
        ]


def test_what_follows_from_other_fields_is_written_and_told_with_them(engine):
    with engine.begin() as connection:
        number = create_patient(connection, {**ERIKA, "psychotherapeutische_sprechstunde": True}, "api:olga")
    with engine.begin() as connection:
        change = {"vertraege_unterschrieben": True, "nachname": "Maier"}
        after = update_patients(connection, {number: change}, "api:olga")[number]
        assert after.startdatum is not None
        assert (after.name_key, after.search_key) == ("erika|maier", "erika maier    ")
        fields = connection.execute(sa.text("SELECT field FROM patient_service.field_changes ORDER BY id")).scalars()
        assert list(fields) == ["vertraege_unterschrieben", "nachname", "startdatum"]
    with engine.begin() as connection:
        assert get_patient(connection, number) == after
        again = update_patients(connection, {number: {"vertraege_unterschrieben": False}}, "api:olga")[number]
        assert again.startdatum == after.startdatum


def test_technical_columns_alone_are_written_and_not_told(engine):
    with engine.begin() as connection:
        (number,) = create_therapists(connection, [ERIKA], "import:1")
    with engine.begin() as connection:
        before = lock_therapists(connection, [number])[number]
        update_therapists(connection, [Change(vars(before), {}, {"source_zip": "52066"})], "import:2")
    with engine.begin() as connection:
        after = get_therapist(connection, number)
        assert (after.source_zip, after.updated_at) == ("52066", before.updated_at)
        assert connection.execute(sa.text("SELECT count(*) FROM therapist_service.field_changes")).scalar_one() == 0
        assert connection.execute(sa.text("SELECT count(*) FROM therapist_service.event_outbox")).scalar_one() == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda connection: get_patient(connection, 1),
        lambda connection: lock_patients(connection, [1]),
        lambda connection: update_patients(connection, {1: {"ort": "Köln"}}, "api:olga"),
        lambda connection: delete_patient(connection, 1, "api:olga"),
        lambda connection: delete_therapist(connection, 1, "api:olga"),
    ],
)
def test_nobody_is_found_under_a_number_that_was_not_given(engine, call):
    with engine.begin() as connection, pytest.raises(NotFound) as refused:
        call(connection)
    assert refused.value.message in ("Patient not found", "Therapist not found")
