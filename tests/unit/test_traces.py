"""Which files that were never imported are a person's, for certain or perhaps."""

import json
from dataclasses import replace

import pytest

from patient_service.imports.traces import Said, Sought, Trace, read_said, trace
from shared.text.keys import email_key, name_key, name_words

SOUGHT = Sought(
    frozenset({"0b1ab67bffff"}),
    name_key("Anna-Lena", "Müller"),
    email_key("anna@example.com"),
    frozenset(name_words("Anna-Lena Müller")),
)
THEIRS, SAME_NAME, OTHERS = "a.json", "Mueller_Anna-Lena_20250705_ffffffff.json", "Meier_Eva_20250705_ffffffff.json"


def registration(token="x", vorname="Anna-Lena", nachname="Mueller", email="ANNA@example.com"):
    patient = {"vorname": vorname, "nachname": nachname, "email": email, "anrede": "bad"}
    return json.dumps({"patient_data": patient, "registration_token": token}).encode()


@pytest.mark.parametrize(
    ("name", "data", "how"),
    [
        (THEIRS, registration(), Trace.CERTAIN),
        (THEIRS, registration("0b1ab67bffff", "Eva", "Meier", ""), Trace.CERTAIN),
        (THEIRS, json.dumps({"signature": "x", "data": json.loads(registration())}).encode(), Trace.CERTAIN),
        ("X_Y_20250705_0B1AB67B.json", b"{", Trace.CERTAIN),
        ("X_Y_20250705_0b1ab67b.json", None, Trace.CERTAIN),
        ("X_Y_20250705_0b1ab67b.json", registration("", email=""), Trace.CERTAIN),
        (THEIRS, registration(email="other@example.com"), Trace.DOUBTFUL),
        (THEIRS, registration(email=""), Trace.DOUBTFUL),
        (SAME_NAME, None, Trace.DOUBTFUL),
        (SAME_NAME, b"{", Trace.DOUBTFUL),
        ("nachgereicht.json", '{"text": "Unterlagen von MÜLLER, Anna Lena'.encode(), Trace.DOUBTFUL),
        ("nachgereicht.json", '{"text": "Anna-Lena Müller'.encode("latin-1"), Trace.DOUBTFUL),
        ("nachgereicht.json", b'{"text": "Anna-Lena M\\u00fcller"}', Trace.DOUBTFUL),
        ("nachgereicht.json", b'{"text": "Lena Mueller"}', None),
        (OTHERS, registration("y", "Eva", "Meier", "eva@example.com"), None),
        (OTHERS, registration("y", "Eva", "Meier", "anna@example.com"), None),
        (THEIRS, registration("0b1ab67bffff", vorname="", email=""), Trace.CERTAIN),
        (THEIRS, registration("0b1a\u00adb67bffff", "Eva", "Meier", ""), Trace.CERTAIN),
        (THEIRS, registration(vorname=""), Trace.DOUBTFUL),
        (THEIRS, registration("y", "x" * 2000, email="eva@example.com"), None),
        (THEIRS, registration("y", "Anna-Lena " * 200, email="eva@example.com"), Trace.DOUBTFUL),
        (THEIRS, b'{"registration_token": "0B1AB67BFFFF"', Trace.DOUBTFUL),
        (THEIRS, b'{"email": "Anna@Example.com"', Trace.DOUBTFUL),
        (OTHERS, None, None),
        (
            THEIRS,
            b'{"registration_token": "0b1ab67bffff\\u0000", "patient_data": {"nachname": "\\ud800"}}',
            Trace.DOUBTFUL,
        ),
        ("X_Y_20250705_0b1ab67.json", b"{", None),
    ],
)
def test_a_file_is_theirs_for_certain_perhaps_or_not(name, data, how):
    assert trace(SOUGHT, name, data, mixed_up=False) == how


def test_of_somebody_without_an_address_the_name_alone_is_no_certainty():
    nowhere = replace(SOUGHT, email_key=None)
    assert trace(nowhere, THEIRS, registration(email=""), mixed_up=False) is Trace.DOUBTFUL


@pytest.mark.parametrize("odd", ["x\x00", "x\ud800", "x" * 2000])
def test_nothing_is_read_that_no_database_could_be_asked_for(odd):
    assert read_said(registration(odd, odd, odd, odd)) == Said()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("X_Y_20250705_0b1ab67b.json", registration("y", "Eva", "Meier", "")),
        (THEIRS, registration()),
        ("X_Y_20250705_0b1ab67b.json", None),
    ],
)
def test_a_mix_up_is_never_certain(name, data):
    assert trace(SOUGHT, name, data, mixed_up=True) is Trace.DOUBTFUL
