"""Records side by side: what differs is marked, what only looks different is not, what nobody fills is left out."""

import pytest

from shared.reviews.subjects import Side, side_by_side


def differs(one, other):
    (line,) = side_by_side(["field"], [Side(1, {"field": one}), Side(2, {"field": other})])
    return line.differs


@pytest.mark.parametrize(
    ("one", "other", "different"),
    [
        ("Max", "Max", False),
        ("Max", "max ", False),
        ("Max", "Moritz", True),
        ("Max", None, True),
        ("Max", "", True),
        (["Englisch", "Polnisch"], ["Polnisch", "Englisch"], False),
        (["Englisch"], ["Englisch", "Polnisch"], True),
        ({"montag": ["9-12"]}, {"montag": ["9-13"]}, True),
        ({"montag": ["9-12"], "freitag": []}, {"freitag": [], "montag": ["9-12"]}, False),
        (True, False, True),
        (0, None, True),
    ],
)
def test_what_a_reader_would_call_different_is_marked(one, other, different):
    assert differs(one, other) is different


def test_a_field_that_nobody_fills_is_left_out_and_the_order_kept():
    sides = [Side(None, {"b": "1", "a": "2", "c": None}), Side(7, {"b": "1", "c": []})]
    assert [(line.field, line.values) for line in side_by_side("abc", sides)] == [("a", ("2", None)), ("b", ("1", "1"))]


def test_a_third_side_that_differs_is_enough():
    sides = [Side(1, {"a": "x"}), Side(2, {"a": "x"}), Side(3, {"a": "y"})]
    assert side_by_side("a", sides)[0].differs
