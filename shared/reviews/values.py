"""A review as values: what is asked, what the import kept for it, what a person chose, and what choosing it wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from shared.words.statuses import ReviewChoice, ReviewKind, ReviewState

Values = Mapping[str, object]
"""Columns and their values."""

CHOICES: Mapping[ReviewKind, tuple[ReviewChoice, ReviewChoice]] = {
    ReviewKind.POSSIBLE_DUPLICATE: (ReviewChoice.MERGE, ReviewChoice.SEPARATE),
    ReviewKind.CONFLICT: (ReviewChoice.SOURCE, ReviewChoice.STAFF),
    ReviewKind.HELD_DELETIONS: (ReviewChoice.APPLY, ReviewChoice.REJECT),
}
"""What a person can choose for each kind of review."""

UNDOABLE = frozenset(choice for choices in CHOICES.values() for choice in choices) - {ReviewChoice.MERGE}
"""Choices that leave enough to be undone: a merge removes a row, an erasure everything."""


@dataclass(frozen=True, slots=True)
class DuplicateDetail:
    """The rows that an imported one resembles, and the rule by which it does."""

    candidates: tuple[int, ...]
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class HeldRecordDetail:
    """A record of a scrape that waits for a person: the rows that it may mean, and all it takes to write it as the
    import would have. `record` are its mapped fields, `seen_at` is when the source listed it."""

    candidates: tuple[int, ...]
    record: Values
    external_id: str | None
    area: str | None
    zip: str
    hash: str
    seen_at: datetime
    day: date | None = None
    """The scrape day of the file; earlier versions of the program kept the moment alone."""

    @property
    def scrape_day(self) -> date:
        return self.day or self.seen_at.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that staff and source changed differently; `base` is what the source said before."""

    field: str
    staff: object
    source: object
    base: object = None


@dataclass(frozen=True, slots=True)
class ConflictDetail:
    """The fields of one row that staff and source changed differently."""

    fields: tuple[FieldConflict, ...]


@dataclass(frozen=True, slots=True)
class HeldDeletion:
    """A row that a record calls deleted: its place in the review's own file, the postal code and scrape day of the file
    that says so."""

    entity_id: int
    record_index: int | None = None
    zip: str | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class HeldDeletionsDetail:
    """The deletions of one file, or of a scrape day. `active_before` is how many active rows the file, or the day's
    files, had before it, `seen_at` when the source said that they are gone."""

    deletions: tuple[HeldDeletion, ...]
    active_before: int
    seen_at: datetime

    def day_of(self, deletion: HeldDeletion) -> date:
        """The scrape day on which the deletion was said; earlier versions of the program kept one moment for all."""
        return deletion.day or self.seen_at.astimezone(UTC).date()


Detail = DuplicateDetail | HeldRecordDetail | ConflictDetail | HeldDeletionsDetail
"""What the import kept for a review."""


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """The columns of one row that resolving a review wrote, as JSON values."""

    entity_id: int
    before: Values
    after: Values


@dataclass(frozen=True, slots=True)
class Was:
    """One side of a merge as it was before, as JSON values; a record of a file has no number."""

    entity_id: int | None
    values: Values


@dataclass(frozen=True, slots=True)
class Written:
    """What resolving a review wrote, as far as an undo needs it: rows changed, and one that was made; and the row into
    which a record was merged, with both sides as they were."""

    rows: tuple[WrittenRow, ...] = ()
    created: int | None = None
    merged: int | None = None
    were: tuple[Was, ...] = ()


@dataclass(frozen=True, slots=True)
class UndoneResolution:
    """A resolution that was undone: what was chosen and by whom, who undid it, and why."""

    choice: str
    comment: str | None
    decided_by: str | None
    decided_at: datetime
    undone_by: str
    undone_at: datetime
    why: str | None


@dataclass(frozen=True, slots=True)
class NewReview:
    """A review to open; where one of the same `fingerprint` is open, that one is brought up to date instead.

    Without `import_id` it is about several files.
    """

    kind: ReviewKind
    import_id: int | None
    record_index: int | None
    detail: Detail
    entity_id: int | None = None
    other_id: int | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person decides: one of the `CHOICES` of the review's kind. `into` names the row to merge into where there
    are several candidates; `only` the rows that it is meant for where a review covers many (None: all)."""

    choice: str
    actor: str
    comment: str | None = None
    into: int | None = None
    only: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """A review. `detail` is None where an erasure blanked it; `written` is None for an open one, and for one resolved
    before an undo was thought of. `choice` is a `ReviewChoice`, or a word of a later version."""

    id: int
    kind: ReviewKind
    state: ReviewState
    created_at: datetime
    entity_id: int | None = None
    other_id: int | None = None
    import_id: int | None = None
    record_index: int | None = None
    fingerprint: str | None = None
    detail: Detail | None = None
    written: Written | None = None
    earlier: tuple[UndoneResolution, ...] = ()
    choice: str | None = None
    comment: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state == ReviewState.OPEN

    @property
    def can_undo(self) -> bool:
        return not self.is_open and self.choice in UNDOABLE and self.written is not None
