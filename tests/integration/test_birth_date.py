"""A known patient whose registration gives another birth date: taken, and remarked on."""

import pytest


@pytest.fixture
def remarks(patients, make_registration):
    """Imports two registrations of one person and returns what was remarked on the second, and the birth date then."""

    def run(earlier, later):
        for token, born in (("11111111", earlier), ("22222222", later)):
            patients.upload(make_registration(token=token, geburtsdatum=born), f"Mustermann_Max_20250705_{token}.json")
            patients.run()
        found = patients.rows(
            "SELECT import_id, pointer, code, record_index FROM patient_service.import_findings ORDER BY id"
        )
        (patient,) = patients.patients()
        return found, patient["geburtsdatum"] and patient["geburtsdatum"].isoformat()

    return run


CHANGED = {
    "import_id": 2,
    "pointer": "/patient_data/geburtsdatum",
    "code": "birth_date_changed",
    "record_index": None,
}


@pytest.mark.parametrize(
    ("earlier", "later", "kept", "is_remarked"),
    [
        ("2000-01-01", "2000-01-02", "2000-01-02", True),
        ("2000-01-01", "2000-01-01", "2000-01-01", False),
        (None, "2000-01-02", "2000-01-02", False),
        ("2000-01-01", None, "2000-01-01", False),
        ("2000-01-01", "", "2000-01-01", False),
        (None, None, None, False),
    ],
)
def test_another_birth_date_is_taken_and_remarked_on(remarks, earlier, later, kept, is_remarked):
    assert remarks(earlier, later) == ([CHANGED] if is_remarked else [], kept)


def test_another_birth_date_makes_nobody_somebody_else(patients, remarks):
    remarks("2000-01-01", "1999-12-31")
    outcomes = patients.rows("SELECT outcome, rule, entity_id FROM patient_service.import_outcomes ORDER BY id")
    assert outcomes == [
        {"outcome": "new", "rule": "new", "entity_id": 1},
        {"outcome": "updated", "rule": "email_and_name", "entity_id": 1},
    ]
    changes = patients.rows("SELECT field, old_value, new_value FROM patient_service.field_changes")
    assert changes == [{"field": "geburtsdatum", "old_value": "2000-01-01", "new_value": "1999-12-31"}]


def test_the_policy_skip_remarks_on_nothing_that_it_does_not_take(new_patients, make_registration):
    patients = new_patients(PATIENT_DUPLICATE_POLICY="skip")
    for token, born in (("11111111", "2000-01-01"), ("22222222", "1999-12-31")):
        patients.upload(make_registration(token=token, geburtsdatum=born), f"Mustermann_Max_20250705_{token}.json")
        patients.run()
    assert patients.rows("SELECT code FROM patient_service.import_findings") == []
    assert patients.patients()[0]["geburtsdatum"].isoformat() == "2000-01-01"
