"""The form's silence is an alert, and what a registration says of the contracts follows the settings."""

from datetime import timedelta

import pytest

from patient_service.imports import silence
from patient_service.models import kernel
from shared.core.clock import now
from shared.database.engine import transaction
from shared.mail.watch import RAISED_AFTER, Watch
from shared.state.health import Expectations


@pytest.fixture
def look(patients):
    """Looks, and once more when what is wrong has lasted; returns the codes of the problems that are open."""

    def twice():
        moment = [now()]
        expected = Expectations(enabled=True, interval_seconds=3600, sends_events=False, sends_mail=False)
        watch = Watch(kernel, expected, [silence.look], clock=lambda: moment[0])
        for _ in range(2):
            with transaction(patients.engine) as connection:
                watch.look(connection)
            moment[0] += 2 * RAISED_AFTER
        found = patients.rows("SELECT code FROM patient_service.alert_outbox WHERE resolved_at IS NULL")
        return [row["code"] for row in found if row["code"] == "no_registration"]

    return twice


def came(patients, moments):
    for number, moment in enumerate(moments):
        patients.rows(
            "INSERT INTO patient_service.import_tracking (source_key, status, uploaded_at, first_seen_at)"
            " VALUES (:key, 'success', :at, :at) RETURNING id",
            key=f"bucket/{number}/digest",
            at=moment,
        )


def a_copy_is_found(patients):
    """One of nobody knows whom, which an erasure had to give a number."""
    patients.rows(
        "INSERT INTO patient_service.import_tracking (source_key, status, error_code)"
        " VALUES ('unknown copy/digest', 'discarded', 'copy_unknown') RETURNING id"
    )


def two_a_day(until_days_ago):
    return [now() - timedelta(days=until_days_ago + half / 2) for half in range(140)]


def test_a_form_that_falls_silent_is_told_and_its_return_too(patients, look, make_registration):
    came(patients, two_a_day(until_days_ago=6))
    a_copy_is_found(patients)
    patients.run()
    assert look() == ["no_registration"]
    patients.upload(make_registration())
    patients.run()
    assert look() == []


@pytest.mark.parametrize(
    "moments",
    [two_a_day(1), two_a_day(6)[:80], two_a_day(6)[::14]],
    ids=["a day without any", "a young system", "a sparse one"],
)
def test_no_alarm_for_what_chance_explains(patients, look, moments):
    came(patients, moments)
    patients.run()
    assert look() == []


@pytest.mark.parametrize(("said", "signed"), [({}, True), ({"PATIENT_IMPORT_CONTRACTS_SIGNED": "false"}, False)])
def test_who_registers_has_signed_where_the_form_carries_the_contracts(new_patients, make_registration, said, signed):
    patients = new_patients(**said)
    patients.upload(make_registration())
    patients.run()
    (patient,) = patients.patients()
    assert patient["vertraege_unterschrieben"] is signed
