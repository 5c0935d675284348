"""The database is what the models say, and can be made from nothing."""

import itertools
import re
import threading

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from curavani import schema
from patient_service import models as patient_models
from patient_service.app import create_app
from shared.core.errors import SchemaBusy
from shared.database.revision import NEEDED_REVISION
from shared.words import vocabulary
from shared.workers.heartbeats import Heartbeats
from shared.workers.leader import Job, Leader
from standins.local import wait_until
from therapist_service import models as therapist_models

OLDER, NEWER = "0000", "9999"


def test_the_migrations_give_exactly_the_models(engine):
    with engine.begin() as connection:
        assert schema.state(connection).up_to_date
        assert schema.differences(connection, exactly=True) == []


def test_an_upgrade_of_an_upgraded_database_does_nothing(engine):
    assert schema.upgrade(engine).up_to_date


@pytest.mark.parametrize(
    ("schema_name", "type_name", "values"),
    [
        ("patient_service", "anrede", vocabulary.Anrede),
        ("patient_service", "geschlecht", vocabulary.Geschlecht),
        ("patient_service", "patientenstatus", vocabulary.Patientenstatus),
        ("patient_service", "therapeutgeschlechtspraeferenz", vocabulary.Therapeutgeschlechtspraeferenz),
        ("patient_service", "therapieverfahren", vocabulary.Therapieverfahren),
        ("therapist_service", "anrede", vocabulary.Anrede),
        ("therapist_service", "geschlecht", vocabulary.Geschlecht),
        ("therapist_service", "therapeutstatus", vocabulary.Therapeutstatus),
    ],
)
def test_the_enums_are_the_databases_types(engine, schema_name, type_name, values):
    statement = sa.text(
        "SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid"
        " JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = :s AND t.typname = :t ORDER BY enumsortorder"
    )
    with engine.begin() as connection:
        found = connection.execute(statement, {"s": schema_name, "t": type_name}).scalars().all()
    assert found == [value.value for value in values]


@pytest.mark.parametrize("models", [patient_models, therapist_models])
def test_the_books_have_to_balance(engine, models):
    tracking = models.kernel.import_tracking
    with engine.connect() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.insert(tracking).values(source_key="x", new_count=1))


def test_a_consent_cannot_be_changed(engine):
    with engine.begin() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.execute(
            sa.text(
                "INSERT INTO patient_service.patienten (anrede, geschlecht, vorname, nachname, name_key, search_key)"
                " VALUES ('Herr', 'divers', 'a', 'b', 'a', 'a');"
                "INSERT INTO patient_service.import_tracking (source_key) VALUES ('x');"
                "INSERT INTO patient_service.patient_consents (patient_id, given_at, document, file_hash, import_id)"
                " VALUES (1, now(), '{}', 'x', 1);"
                "UPDATE patient_service.patient_consents SET ip_address = 'x'"
            )
        )


def set_revision(engine, revision):
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE curavani_version SET version_num = :it"), {"it": revision})


@pytest.fixture
def environment(database_url, bucket, storage_server, tmp_path):
    return {
        "DATABASE_URL": database_url,
        "API_TOKENS": "olga:operate:o-token-of-24-characters",
        "GCS_IMPORT_BUCKET": bucket,
        "STORAGE_EMULATOR_HOST": storage_server.host,
        "PATIENT_IMPORT_LOCAL_PATH": str(tmp_path / "copies"),
    }


@pytest.fixture
def service(environment):
    app = create_app(environment, start_workers=False)
    with app.test_client() as client:
        yield client
    app.extensions["curavani"].close()


def test_the_program_needs_the_newest_revision_and_each_is_greater_than_the_one_before():
    script = ScriptDirectory.from_config(schema._config())
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    assert all(re.fullmatch("[0-9]{4}", revision) for revision in revisions)
    assert revisions == sorted(revisions)
    assert revisions[-1] == NEEDED_REVISION


def test_neither_service_nor_import_starts_on_a_missing_or_older_schema_and_says_what_to_do(curavani, engine, postgres):
    empty = postgres.create_database("without_schema")
    set_revision(engine, OLDER)
    attempts = itertools.product(({}, {"DATABASE_URL": empty}), (("serve", "patient"), ("imports", "run", "patient")))
    for changes, command in attempts:
        started = curavani(*command, API_TOKENS="olga:operate:o-token-of-24-characters", **changes)
        assert started.returncode == 3
        assert "database_not_migrated" in started.stderr
        assert "curavani db upgrade" in started.stderr
    postgres.drop_database("without_schema")


def test_a_service_on_an_older_schema_says_so_and_is_not_ready(service, engine):
    set_revision(engine, OLDER)
    for path in ("/readyz", "/health"):
        answer = service.get(path)
        assert (answer.status_code, answer.json["code"]) == (503, "database_not_migrated")
    health = service.get("/health/import")
    assert (health.status_code, health.json["details"]["database"]["code"]) == (503, "database_not_migrated")
    assert service.get("/livez").status_code == 200


def test_the_running_version_works_on_while_a_newer_one_migrates(
    service, curavani, engine, patients, make_registration
):
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE patient_service.patienten ADD COLUMN spaeter text DEFAULT 'x'"))
        connection.execute(sa.text("CREATE TABLE patient_service.spaeter (id int)"))
    set_revision(engine, NEWER)
    assert service.get("/readyz").status_code == 200
    patients.upload(make_registration())
    patients.run()
    listed = service.get("/api/patients", headers={"Authorization": "Bearer o-token-of-24-characters"})
    assert listed.json["total"] == 1
    # A rollback starts the older image, whose migration step comes first.
    upgraded = curavani("db", "upgrade")
    assert (upgraded.returncode, "9999" in upgraded.stdout) == (0, True)
    assert curavani("db", "check").returncode == 0


def test_background_work_waits_for_its_schema(engine):
    set_revision(engine, OLDER)
    worked, stopping = threading.Event(), threading.Event()
    kernel = patient_models.kernel

    def turn(_locked, _should_stop):
        worked.set()
        return 60.0

    beats = Heartbeats(engine, kernel)
    leader = Leader(engine, kernel, Job("relay", kernel.channel("events"), turn), beats)
    thread = threading.Thread(target=leader.run, args=(stopping,))
    thread.start()
    try:
        assert wait_until(lambda: beats._states.get("relay") == "standby", 30)
        assert not worked.is_set()
        set_revision(engine, NEEDED_REVISION)
        assert worked.wait(30)
    finally:
        stopping.set()
        thread.join()


def test_a_migration_gives_up_rather_than_make_others_wait(engine):
    set_revision(engine, OLDER)
    with engine.begin() as busy:
        busy.execute(sa.text("LOCK TABLE curavani_version"))
        with pytest.raises(SchemaBusy):
            schema.upgrade(engine, patience_seconds=1)
