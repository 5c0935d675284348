"""What an object's name tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_service.imports.file_names import ignored_reason, parse_name


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("Mustermann_Max_20250705_0b1ab67b.json", "0b1ab67b"),
        ("Mustermann_Max_2025-07-05_0b1ab67b.json", "0b1ab67b"),
        ("Mustermann_Max_20250705143355_0b1ab67b.json", "0b1ab67b"),
        ("Mustermann_Max_2025-07-05T14:33:55_0b1ab67b.json", "0b1ab67b"),
        ("Mustermann_Max_20250705_0B1AB67B.JSON", "0B1AB67B"),
        ("Mustermann_Max_20250705_0b1ab67b.Json", "0b1ab67b"),
        ("Müller-Lüdenscheidt_Anna-Maria_20250705_0b1ab67b.json", "0b1ab67b"),
        ("von_der_Heide_Anna_Maria_20250705_0b1ab67b.json", "0b1ab67b"),
        ("Mustermann_Max_20250705_20250706_0b1ab67b.json", "0b1ab67b"),
        ("Muster\nmann_Max_20250705_0b1ab67b.json", "0b1ab67b"),
        ("incoming/2025/Mustermann_Max_20250705_0b1ab67b.json", "0b1ab67b"),
        ("A_B_20250101_ffffffff.json/Mustermann_Max_20250705_0b1ab67b.json", "0b1ab67b"),
        # Too little, too much, or in another order.
        ("Mustermann_20250705_0b1ab67b.json", None),
        ("_Max_20250705_0b1ab67b.json", None),
        ("Mustermann__20250705_0b1ab67b.json", None),
        ("Mustermann_Max_0b1ab67b.json", None),
        ("Mustermann_Max_2025075_0b1ab67b.json", None),
        ("Mustermann_Max_20250705.json", None),
        ("Mustermann_Max_20250705_.json", None),
        ("Mustermann_Max_20250705_0b1a-67b.json", None),
        ("Mustermann_Max_20250705_0b1ab67ü.json", None),
        ("Mustermann_Max_20250705_0b1ab67b.json.bak", None),
        ("Mustermann_Max_20250705_0b1ab67bxjson", None),
        ("Mustermann_Max_20250705_0b1ab67b.json\n", None),
        ("Mustermann_Max_20250705_0b1ab67b", None),
        ("A_B_20250101_ffffffff.json/mail.json", None),
        ("incoming_2025/Mustermann_20250705_0b1ab67b.json", None),
        ("a/incoming_2025/Mustermann_20250705_0b1ab67b.json", None),
        ("mail.json", None),
        ("", None),
    ],
)
def test_a_name_is_read_from_its_end(name, token):
    assert parse_name(name).token == token


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Mustermann_Max_20250705_0b1ab67b.json", None),
        ("incoming/anything.JSON", None),
        (".json", None),
        ("incoming/", "folder_placeholder"),
        ("incoming.json/", "folder_placeholder"),
        ("consent.pdf", "other_ending"),
        ("registration.json.gz", "other_ending"),
        ("registrationjson", "other_ending"),
        ("", "other_ending"),
        ("bad\x00name.json", "unusable_name"),
        ("bad\ud800/", "unusable_name"),
    ],
)
def test_the_ending_makes_a_candidate(name, reason):
    assert ignored_reason(name) == reason


storable = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
names = st.text(st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1)


@given(
    prefix=st.lists(st.text(storable), max_size=2),
    person=st.tuples(names, names),
    day=st.dates().map(lambda day: day.strftime("%Y%m%d").zfill(8)),
    token=st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
)
def test_every_name_that_the_form_writes_gives_its_token_and_is_a_candidate(prefix, person, day, token):
    name = "/".join([*prefix, f"{person[0]}_{person[1]}_{day}_{token}.json"])
    assert parse_name(name).token == token
    assert ignored_reason(name) is None


@given(st.text())
def test_no_name_is_too_odd_to_be_read(name):
    assert ignored_reason(name) in (None, "folder_placeholder", "other_ending", "unusable_name")
    assert parse_name(name).token is None or ignored_reason(name) in (None, "unusable_name")


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("Mustermann_Max_20250705_0b1ab67b.json", "Mustermann Max"),
        ("incoming/von_der_Heide_Anna_20250705_0b1ab67b.json", "von der Heide Anna"),
        ("mail.json", None),
    ],
)
def test_a_name_tells_the_person(name, person):
    assert parse_name(name).person == person
