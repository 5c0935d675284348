"""When a field's fill rate counts as dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from therapist_service.imports.drift import LEAST_RECORDS, Drop, Fill, drops


def day(records=1000, **percent):
    return Fill(records, {name: records * share // 100 for name, share in percent.items()})


@pytest.mark.parametrize(
    ("usual", "now", "dropped"),
    [
        (80, 40, True),
        (80, 60, True),
        (100, 75, True),  # three quarters, to the point
        (100, 76, False),
        (80, 61, False),  # still three quarters of what is usual
        (80, 65, False),  # fifteen points, and more than three quarters
        (40, 25, True),
        (40, 26, False),  # fourteen points
        (15, 0, True),
        (5, 0, True),
        (4, 0, False),
        (15, 1, False),  # fourteen points
        (80, 80, False),
        (40, 80, False),
        (0, 0, False),
    ],
)
def test_a_drop_is_large_in_itself_and_for_the_field(usual, now, dropped):
    found = drops(day(email=now), [day(email=usual)])
    assert found == ({"email": Drop(usual, now)} if dropped else {})


def test_only_the_field_that_dropped_is_named():
    assert list(drops(day(email=40, telefon=90), [day(email=80, telefon=90)])) == ["email"]


@pytest.mark.parametrize(
    ("earlier", "dropped"),
    [
        ([], False),  # nothing to compare with
        ([80, 80, 80], True),
        ([40, 80, 80, 80], True),  # since last week, and not usual yet
        ([40, 40, 80, 80, 80], True),
        ([40, 40, 40, 80, 80], False),  # usual by now
        ([80, 80, 80, 40, 40, 40, 40, 40], True),  # five scrapes say what is usual, older ones nothing
        ([40, 80, 40, 80, 80], True),
    ],
)
def test_usual_is_the_median_of_the_last_scrapes(earlier, dropped):
    assert bool(drops(day(email=40), [day(email=share) for share in earlier])) is dropped


def test_a_field_that_nobody_filled_has_no_share():
    assert Fill(100, {"telefon": 50}).share("email") == 0
    assert Fill(100, {"telefon": 50}).share("telefon") == 0.5


def test_few_records_say_nothing():
    few = LEAST_RECORDS - 1
    assert drops(day(few, email=0), [day(email=80)]) == {}
    assert drops(day(email=0), [day(few, email=80)]) == {}
    assert drops(day(LEAST_RECORDS, email=0), [day(few, email=0), day(LEAST_RECORDS, email=80)]) != {}


@given(st.lists(st.integers(0, 100), min_size=1, max_size=7))
def test_a_share_at_its_lowest_or_above_is_never_a_drop(shares):
    assert drops(day(email=min(shares)), [day(email=min(shares)) for _ in shares]) == {}
    assert drops(day(email=max(shares)), [day(email=share) for share in shares]) == {}
