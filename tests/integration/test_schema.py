"""The database is what the models say, and can be made from nothing."""

import pytest
import sqlalchemy as sa

from curavani import schema
from patient_service import models as patient_models
from shared import vocabulary
from therapist_service import models as therapist_models


def test_the_migrations_give_exactly_the_models(engine):
    with engine.begin() as connection:
        assert schema.state(connection).up_to_date
        assert schema.differences(connection) == []


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
