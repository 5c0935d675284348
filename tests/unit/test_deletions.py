"""What a claimed deletion leads to, and when deletions wait for a person."""

import pytest

from therapist_service.imports.deletions import Deletion, day_guard_holds, decide_deletion, guard_holds


@pytest.mark.parametrize(
    ("is_known", "already_removed", "is_listed", "expected"),
    [
        (True, False, False, Deletion("deleted")),
        (True, True, False, Deletion("unchanged")),
        (True, True, True, Deletion("unchanged")),
        (True, False, True, Deletion("skipped", "displaced")),
        (False, False, False, Deletion("skipped", "unknown_therapist")),
    ],
)
def test_deletion_follows_the_row(is_known, already_removed, is_listed, expected):
    assert decide_deletion(is_known=is_known, already_removed=already_removed, is_listed=is_listed) == expected


@pytest.mark.parametrize(
    ("gone", "active_before", "held"),
    [(5, 5, False), (6, 6, True), (6, 29, True), (6, 30, False), (20, 100, False), (21, 100, True), (0, 0, False)],
)
def test_guard_holds_above_five_and_above_a_fifth(gone, active_before, held):
    assert guard_holds(gone, active_before) is held


@pytest.mark.parametrize(
    ("gone", "active_before", "held"),
    [(20, 20, False), (21, 21, True), (21, 104, True), (21, 105, False), (150, 150, True), (0, 0, False)],
)
def test_the_guard_of_a_day_holds_above_twenty_and_above_a_fifth(gone, active_before, held):
    assert day_guard_holds(gone, active_before) is held
