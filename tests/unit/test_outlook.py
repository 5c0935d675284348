"""What the next scrape would do to a field that staff changed: what the merge would really do."""

import pytest

from therapist_service.imports.merge import merge
from therapist_service.imports.outlook import outlook
from therapist_service.therapist import MAPPED_FIELDS

BASE = {
    **dict.fromkeys(MAPPED_FIELDS),
    "anrede": "Herr",
    "geschlecht": "männlich",
    "nachname": "Alt",
    "telefon": "0241 1",
    "fremdsprachen": ["Englisch"],
}


def fates(base, row):
    return {each.field: (each.if_same, each.if_new) for each in outlook(base, row)}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {}),
        ({"telefon": "0241 2"}, {"telefon": ("kept", "asked")}),
        ({"telefon": "+49 241 1"}, {}),
        ({"telefon": None}, {"telefon": ("kept", "asked")}),
        ({"fax": "0241 9"}, {"fax": ("kept", "asked")}),
        ({"fremdsprachen": []}, {"fremdsprachen": ("kept", "asked")}),
        ({"geschlecht": "divers"}, {"geschlecht": ("kept", "asked")}),
    ],
)
def test_what_staff_changed_is_kept_and_asked_about(changed, expected):
    assert fates(BASE, {**BASE, **changed}) == expected


def test_without_a_word_of_the_source_nothing_is_foretold():
    assert outlook(None, BASE) == ()


@pytest.mark.parametrize("field", ["telefon", "nachname", "ort", "fremdsprachen"])
def test_the_merge_does_what_was_foretold(field):
    row = {**BASE, field: ["Türkisch"] if field == "fremdsprachen" else "Unser"}
    said = {**BASE, field: ["Polnisch"] if field == "fremdsprachen" else "Neues"}
    assert fates(BASE, row)[field] == ("kept", "asked")
    assert merge(BASE, BASE, row).changes == {}
    assert [conflict.field for conflict in merge(BASE, said, row).conflicts] == [field]
