"""What a record that claims `deleted` leads to. An import never deletes a row: at most it marks somebody as gone.

A file holds about a hundred hits, so a "deleted" practice has often only been pushed out of one list by others.
"""

from dataclasses import dataclass

from shared.words.codes import Code
from shared.words.statuses import RecordOutcome

_TOLERATED = 5
_TOLERATED_A_DAY = 20


@dataclass(frozen=True, slots=True)
class Deletion:
    """What becomes of one deletion: the record's outcome, and the finding's code."""

    outcome: RecordOutcome
    code: Code | None = None


def decide_deletion(*, is_known: bool, already_removed: bool, is_listed: bool) -> Deletion:
    """What becomes of a matched row, or where no row matched: nobody is known then.

    `already_removed` rows are left alone, so that staff who set somebody active again are not overruled every week.
    `is_listed` means by a file of the same scrape day or a later one.
    """
    if not is_known:
        return Deletion(RecordOutcome.SKIPPED, Code.UNKNOWN_THERAPIST)
    if already_removed:
        return Deletion(RecordOutcome.UNCHANGED)
    if is_listed:
        return Deletion(RecordOutcome.SKIPPED, Code.DISPLACED)
    return Deletion(RecordOutcome.DELETED)


def guard_holds(gone: int, active_before: int) -> bool:
    """Whether so many deletions of one postal code have to wait for a person: more than five and more than 20 %.

    `active_before` counts the active therapists last seen in this postal code's file, before anything of the scrape day
    was applied; `gone` those whom the day's deletions would mark, or have marked, as gone.
    """
    return _is_more_than_a_fifth(gone, active_before, _TOLERATED)


def day_guard_holds(gone: int, active_before: int) -> bool:
    """The same of a scrape day as a whole, over the postal codes of its files: more than twenty and more than 20 %."""
    return _is_more_than_a_fifth(gone, active_before, _TOLERATED_A_DAY)


def _is_more_than_a_fifth(gone: int, active_before: int, tolerated: int) -> bool:
    return gone > tolerated and gone * 5 > active_before
