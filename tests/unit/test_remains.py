"""What can still be read of a registration that is no proper JSON."""

import pytest

from patient_service.imports.remains import answers_in, person_in

WHOLE = b'{"patient_data": {"vorname": "J\xc3\xb6rg \\"Jo\\"", "hat_ptv11": true, "ort": "K\\u00f6ln"'


@pytest.mark.parametrize(
    ("content", "answers"),
    [
        (WHOLE, {"vorname": 'Jörg "Jo"', "hat_ptv11": True, "ort": "Köln"}),
        (b'{"vorname": "Eva", "vorname": "Ida",,}', {"vorname": "Eva"}),
        (b'{"vorname": "cut o', {}),
        (b'{"status": "aktiv", "fremd": "x", "plz": "\\u0000", "telefon": "a\nb"}', {}),
        (b'\xff\xfe "nachname" : "Weg"', {"nachname": "Weg"}),
        (b"", {}),
    ],
)
def test_whole_answers_are_read_and_nothing_else(content, answers):
    assert answers_in(content) == answers


def test_a_proper_document_is_read_as_it_is():
    assert person_in(b'{"patient_data": {"vorname": 1}, "rest": []}') == {"patient_data": {"vorname": 1}, "rest": []}
    assert person_in(b'{"patient_data": {"vorname": "Eva"}') == {"patient_data": {"vorname": "Eva"}}
