"""The scrape day of the file in hand: what its other files, and the rows that they have written, mean for this one."""

from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Known
from therapist_service.imports.import_tracker import day_of, was_applied_on
from therapist_service.imports.neighbours import Neighbours
from therapist_service.imports.register import Entry, known
from therapist_service.imports.traits import Traits
from therapist_service.imports.word import Holder, has_word


@dataclass(frozen=True, slots=True)
class Day:
    """The day as the file of `envelope` meets it, in the transaction of the connection."""

    connection: Connection
    envelope: Envelope
    neighbours: Neighbours
    _applied: dict[str, bool] = field(default_factory=dict, init=False)

    def known(self, entry: Entry) -> Known:
        """The row with what the day's other files say of it."""
        day, zip_code = self.envelope.scrape_day, self.envelope.zip
        is_gone = entry.source_removed_at is not None
        seen = entry.source_named_at == self.envelope.day_began and not is_gone and entry.source_zip != zip_code
        row = known(entry)
        versions = row.versions()
        placed = seen or any(self.neighbours.places(zip_code, version) for version in versions)
        listed = seen or any(self.neighbours.lists(zip_code, version) for version in versions)
        dismissed = (entry.source_day == day and is_gone) or day in entry.dismissed_on
        dismissed = dismissed or any(map(self.neighbours.dismisses, versions))
        if not (placed or listed or dismissed):
            return row
        return Known(row.row_id, row.area, row.external_id, row.current, row.source, placed, listed, dismissed)

    def is_older_than(self, entry: Entry) -> bool:
        """Whether a later day's file has listed the row, or called it gone."""
        return entry.source_day is not None and entry.source_day > self.envelope.scrape_day

    def may_speak(self, entry: Entry, own_zip: str | None) -> bool:
        """Whether this file has the word where it does not say anything else than the row does."""
        return not Holder(entry.source_word_zip, None).keeps_it_from(self.envelope.zip, own_zip)

    def has_word(self, traits: Traits, entry: Entry, *, says_other: bool) -> bool:
        """Whether this file may change what is known of a practice that it lists with these traits.

        Where it does not say anything else than the row does (`says_other`), no other file needs to be asked.
        """
        if not says_other:
            return self.may_speak(entry, traits.zip)
        held_at = entry.source_word_at
        holder = Holder(entry.source_word_zip, day_of(held_at) if held_at else None)
        zip_code = self.envelope.zip

        def lists(other: str) -> bool | None:
            at_hand = self.neighbours.file_lists(other, traits)
            # Had it come and listed the practice, it would hold the word.
            return False if at_hand is None and self._was_applied(other) else at_hand

        is_smallest = not self._came_first(entry) and not self.neighbours.smaller_lists(zip_code, traits)
        return has_word(zip_code, traits.zip, holder, self.envelope.scrape_day, lists, is_smallest=is_smallest)

    def _came_first(self, entry: Entry) -> bool:
        """Whether the file of a smaller postal code has listed the row today; one that called it gone has not."""
        is_listed = entry.source_removed_at is None and entry.source_day == self.envelope.scrape_day
        return is_listed and (entry.source_zip or "") < self.envelope.zip

    def _was_applied(self, zip_code: str) -> bool:
        if zip_code not in self._applied:
            self._applied[zip_code] = was_applied_on(self.connection, zip_code, self.envelope.scrape_day)
        return self._applied[zip_code]
