"""Which message of the communication service is a contact, with whom, and on which day."""

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_service.contact_events import KINDS, Contact, ContactOutcome, read_contact

TODAY = date(2025, 7, 5)


def message(kind="email.sent", timestamp="2025-07-05T14:33:55Z", **payload):
    return json.dumps({"eventType": kind, "timestamp": timestamp, "payload": {"patient_id": 7, **payload}}).encode()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_mails_answers_and_calls_are_contacts(kind):
    assert read_contact(message(kind), TODAY) == Contact(7, TODAY)


@pytest.mark.parametrize(
    ("timestamp", "day"),
    [
        ("2025-07-05T01:30:00+02:00", date(2025, 7, 4)),
        ("2025-07-04T23:30:00-02:00", date(2025, 7, 5)),
        ("2025-07-05T23:59:59.999999", date(2025, 7, 5)),
        ("2025-07-06T23:00:00Z", date(2025, 7, 6)),
        ("2024-02-29", date(2024, 2, 29)),
    ],
)
def test_the_day_is_that_of_the_timestamp_in_utc(timestamp, day):
    assert read_contact(message(timestamp=timestamp), TODAY) == Contact(7, day)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (None, "broken"),
        (b"", "broken"),
        (b"\xff", "broken"),
        (b"[]", "broken"),
        (b"{", "broken"),
        (b'{"eventType": 3}', "broken"),
        (b'{"eventType": "email.sent"}', "broken"),
        (message(timestamp="yesterday"), "broken"),
        (message(timestamp=1751725635), "broken"),
        (message(timestamp="0001-01-01T00:00:00+05:00"), "broken"),
        (message(patient_id="7"), "broken"),
        (message(patient_id=True), "broken"),
        (message(patient_id=7.0), "broken"),
        (message(patient_id=None), "no_patient"),
        (message(patient_id=0), "unknown_patient"),
        (message(patient_id=2**31), "unknown_patient"),
        (message("email.bounced"), "other_kind"),
        (message("patient.updated", timestamp=None), "other_kind"),
        (message(timestamp="2025-07-07T00:00:00Z"), "in_the_future"),
    ],
)
def test_everything_else_is_skipped_for_a_reason(value, outcome):
    assert read_contact(value, TODAY) == ContactOutcome(outcome)


@given(st.binary() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(
    lambda value: json.dumps({"eventType": "email.sent", "timestamp": "2025-07-05", "payload": value}).encode()
))  # fmt: skip
def test_no_message_stops_the_reader(value):
    assert isinstance(read_contact(value, TODAY), (Contact, ContactOutcome))
