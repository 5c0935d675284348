"""Which file of a day has the word about a practice."""

from datetime import date, timedelta

import pytest

from therapist_service.imports.word import Holder, has_word

DAY = date(2025, 7, 9)
LAST_WEEK = DAY - timedelta(days=7)
NOBODY = Holder(None, None)


def asked(file_zip, holder, day=DAY, own="52062", **lists):
    """`lists` says of a postal code's file whether it lists the practice; of the others nothing is known yet."""
    return has_word(file_zip, own, holder, day, lambda zip_code: lists.get(f"z{zip_code}"))


@pytest.mark.parametrize("holder", [NOBODY, Holder("52064", LAST_WEEK), Holder("52064", DAY), Holder("52062", DAY)])
def test_the_file_of_the_practice_s_own_postal_code_has_it(holder):
    assert asked("52062", holder)


@pytest.mark.parametrize("holder", [NOBODY, Holder("52064", LAST_WEEK), Holder("52062", LAST_WEEK)])
def test_no_other_file_has_it_where_that_one_lists_the_practice(holder):
    assert not asked("52064", holder, z52062=True)


def test_without_that_one_the_file_that_had_it_last_keeps_it():
    assert asked("52066", Holder("52066", LAST_WEEK))
    assert asked("52066", Holder("52066", LAST_WEEK), z52062=False)
    assert not asked("52064", Holder("52066", LAST_WEEK))
    assert not asked("52064", Holder("52066", LAST_WEEK), z52066=True)


def test_the_first_to_come_has_it_where_nobody_had():
    assert asked("52064", NOBODY)
    assert not asked("52066", Holder("52064", DAY))


@pytest.mark.parametrize("silent", ["52062", "52066"])
def test_a_file_that_has_come_without_the_practice_loses_it(silent):
    assert not asked("52064", Holder(silent, LAST_WEEK))
    assert asked("52064", Holder(silent, LAST_WEEK), **{f"z{silent}": False})


def test_a_file_that_does_not_come_any_more_loses_it_after_ten_days():
    assert not asked("52064", Holder("52062", LAST_WEEK), LAST_WEEK + timedelta(days=10))
    assert asked("52064", Holder("52062", LAST_WEEK), LAST_WEEK + timedelta(days=11))


def test_a_practice_without_a_postal_code_has_no_file_of_its_own():
    assert asked("52064", NOBODY, own=None)
    assert not asked("52064", Holder("52066", DAY), own=None)


@pytest.mark.parametrize(
    ("holder", "own", "kept"),
    [
        (NOBODY, "52062", False),
        (Holder("52064", LAST_WEEK), "52062", False),
        (Holder("52062", LAST_WEEK), "52062", True),
        (Holder("52066", LAST_WEEK), "52062", True),
        (Holder("52066", LAST_WEEK), "52064", False),
    ],
)
def test_saying_the_same_moves_the_word_only_home(holder, own, kept):
    assert holder.keeps_it_from("52064", own) is kept
