"""The scrape day of the file in hand: what its other files, and the rows that they have written, mean for this one."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.engine import Connection

from shared.fields.declaration import Row
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Known
from therapist_service.imports.import_tracker import day_of, was_applied_on
from therapist_service.imports.neighbours import Neighbours
from therapist_service.imports.traits import Traits
from therapist_service.imports.word import Holder, has_word


@dataclass(frozen=True, slots=True)
class Day:
    """The day as the file of `envelope` meets it, in the transaction of the connection."""

    connection: Connection
    envelope: Envelope
    neighbours: Neighbours
    _applied: dict[str, bool] = field(default_factory=dict, init=False)

    def known(self, row: Row, known: Known) -> Known:
        """The row with what the day's other files say of it."""
        is_today, is_gone = row["source_day"] == self.envelope.scrape_day, row["source_removed_at"] is not None
        is_named = row["source_named_at"] == self.envelope.day_began
        seen = is_named and not is_gone and row["source_zip"] != self.envelope.zip
        versions = known.versions()
        return replace(
            known,
            placed=seen or any(map(self.neighbours.places, versions)),
            listed=seen or any(map(self.neighbours.lists, versions)),
            dismissed=(is_today and is_gone) or row["is_dismissed"] or any(map(self.neighbours.dismisses, versions)),
        )

    def is_older_than(self, row: Row) -> bool:
        """Whether a later day's file has listed the row, or called it gone."""
        return row["source_day"] is not None and row["source_day"] > self.envelope.scrape_day

    def has_word(self, traits: Traits, row: Row, *, says_other: bool) -> bool:
        """Whether this file may change what is known of a practice that it lists with these traits.

        Where it does not say anything else than the row does (`says_other`), no other file needs to be asked.
        """
        held_at: datetime | None = row["source_word_at"]
        holder = Holder(row["source_word_zip"], day_of(held_at) if held_at else None)
        zip_code = self.envelope.zip
        if not says_other:
            return not holder.keeps_it_from(zip_code, traits.zip)

        def lists(other: str) -> bool | None:
            at_hand = self.neighbours.file_lists(other, traits)
            # Had it come and listed the practice, it would hold the word.
            return False if at_hand is None and self._was_applied(other) else at_hand

        is_smallest = not self._came_first(row) and not self.neighbours.smaller_lists(zip_code, traits)
        return has_word(zip_code, traits.zip, holder, self.envelope.scrape_day, lists, is_smallest=is_smallest)

    def _came_first(self, row: Row) -> bool:
        """Whether the file of a smaller postal code has listed the row today; one that called it gone has not."""
        is_listed = row["source_removed_at"] is None and row["source_day"] == self.envelope.scrape_day
        return is_listed and row["source_zip"] < self.envelope.zip

    def _was_applied(self, zip_code: str) -> bool:
        if zip_code not in self._applied:
            self._applied[zip_code] = was_applied_on(self.connection, zip_code, self.envelope.scrape_day)
        return self._applied[zip_code]
