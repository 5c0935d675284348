"""When two spellings of a first name may be one person's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist_service.imports.names import contradict, first_name_parts


@pytest.mark.parametrize(
    ("one", "other", "contradicts"),
    [
        ("Anna", "Anna", False),
        ("Anna", "Anna Maria", False),
        ("Maria", "Anna Maria", False),
        ("A.", "Anna", False),
        ("A", "Anna Maria", False),
        ("A. M.", "Anna Maria", False),
        ("A. Maria", "Anna M.", False),
        ("Hans-Peter", "H.-P.", False),
        ("Hans-Peter", "H. P.", False),
        ("Hans-Peter", "H.P.", False),
        ("Hans-Peter", "Hanspeter", False),
        ("Hans-Peter", "Peter", False),
        ("Th.", "Thomas", False),
        ("Ä.", "Änne", False),
        ("Jürgen", "Juergen", False),
        ("Dr. Thomas", "Thomas", False),
        (None, "Anna", False),
        ("", "Anna", False),
        ("-", "Anna", False),
        ("Anna", "Bernd", True),
        ("Anna", "Anne", True),
        ("Anna Maria", "Anna Luise", True),
        ("B.", "Anna", True),
        ("H.-H.", "Hans-Peter", True),
        ("An", "Anna", True),
        ("Th.", "Tom", True),
        ("Anna B.", "Anna Anna", True),
        ("Ann", "A. B.", False),
        ("Th. B.", "T. B.", False),
    ],
)
def test_first_names_contradict_where_a_part_of_the_shorter_has_no_counterpart(one, other, contradicts):
    assert contradict(first_name_parts(one), first_name_parts(other)) is contradicts
    assert contradict(first_name_parts(other), first_name_parts(one)) is contradicts


@given(st.text(alphabet="AB. -", max_size=100), st.text(alphabet="AB. -", max_size=100))
def test_any_two_names_are_compared_at_once_and_either_way(one, other):
    parts, others = first_name_parts(one), first_name_parts(other)
    assert contradict(parts, others) is contradict(others, parts)
    assert not contradict(parts, parts)
