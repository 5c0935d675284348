"""Which of a scrape day's files has the word about a practice that several of them list. Pure rule.

Neighbouring postal codes list the same people. Where two files of a day disagree on a telephone, a row would change to
and fro every week, with two events, if the latter of them always won.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

_SILENCE = timedelta(days=10)
"""A file that has not listed the practice for so long, where scrapes come weekly, has lost the word."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The postal code whose file had the word last, and on which scrape day; None where none ever had."""

    zip: str | None
    on: date | None

    def keeps_it_from(self, file_zip: str, own_zip: str | None) -> bool:
        """Whether a file that says nothing else than the row does leaves the word where it is."""
        return self.zip not in (None, file_zip) and file_zip != own_zip


def has_word(
    file_zip: str, own_zip: str | None, holder: Holder, day: date, lists: Callable[[str], bool | None]
) -> bool:
    """Whether the file of `file_zip` may change what is known of a practice whose own postal code is `own_zip`.

    The file of the practice's own postal code may; where it does not list the practice, the file that had the word last
    may, else the first to come, which is that of the smallest postal code. `lists` says whether a postal code's file of
    this `day` lists the practice, None where it has not come yet: then whoever had the word is expected to.
    """
    if file_zip == own_zip:
        return True
    if own_zip is not None and lists(own_zip):
        return False
    if holder.zip in (None, file_zip) or holder.on is None:
        return True
    if holder.on == day:
        return False
    is_expected = lists(holder.zip)
    if is_expected is None:
        return day - holder.on > _SILENCE
    return not is_expected
