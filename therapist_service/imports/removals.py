"""The records of a file that claim `deleted`: applied together at its end, when it is known who else the file lists."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.fields.declaration import Row
from shared.imports.records import Outcome
from shared.reviews.reviews import open_reviews
from shared.reviews.values import HeldDeletion, HeldDeletionsDetail, NewReview
from shared.words.codes import Code
from shared.words.statuses import Action, RecordOutcome, ReviewKind
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.deletions import Deletion, decide_deletion, guard_holds
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Listed, Match, Rule, decide_by_id_alone, decide_deletion_of
from therapist_service.imports.import_tracker import day_of
from therapist_service.imports.known_rows import Candidates, listed
from therapist_service.imports.mapping import MappedRecord
from therapist_service.models import kernel, therapeuten
from therapist_service.use_cases import TherapistChange, update_therapists

Report = Callable[[Outcome, Finding | None], None]
_CHUNK = 1000
_NOBODY = {Rule.DUPLICATE_IN_FILE: Code.DUPLICATE_IN_FILE, Rule.AMBIGUOUS: Code.AMBIGUOUS_IDENTITY}
"""Why a deletion is meant for nobody, other than that the person is unknown."""


@dataclass(frozen=True, slots=True)
class _Removal:
    """One deletion, decided: `row` is the therapist's, None where nobody is meant."""

    record: MappedRecord
    match: Match
    deletion: Deletion
    row: Row | None


class Removals:
    """Collects a file's deletions and applies them, unless there are so many that a person has to look."""

    def __init__(self, connection: Connection, import_id: int, envelope: Envelope) -> None:
        self._connection = connection
        self._import_id = import_id
        self._envelope = envelope
        self._records: list[MappedRecord] = []
        self._active_before = 0

    def count_active(self) -> None:
        """Remembers how many active therapists this postal code's file had, before anything is applied."""
        columns = therapeuten.c
        active = sa.and_(columns.source_zip == self._envelope.zip, columns.status == Therapeutstatus.AKTIV.value)
        self._active_before = self._connection.execute(sa.select(sa.func.count()).where(active)).scalar_one()

    def add(self, record: MappedRecord) -> None:
        self._records.append(record)

    def apply(self, report: Report) -> None:
        """Decides and applies all; `report` is told each record's outcome."""
        removals = [
            removal
            for start in range(0, len(self._records), _CHUNK)
            for removal in self._decide(self._records[start : start + _CHUNK])
        ]
        gone = [removal for removal in removals if removal.deletion.outcome == RecordOutcome.DELETED]
        held = guard_holds(len(gone), self._active_before)
        if held:
            self._hold(gone)
        else:
            self._remove([removal.row for removal in gone if removal.row is not None])
        for removal in removals:
            report(*self._outcome(removal, held=held))

    def _decide(self, records: Sequence[MappedRecord]) -> list[_Removal]:
        people = [listed(record, self._envelope.area) for record in records]
        candidates = Candidates(self._connection, self._import_id, self._envelope.area, people)
        claimed = set(candidates.claimed)
        matches = []
        for record, person in zip(records, people, strict=True):
            match = self._match(record, person, candidates, claimed)
            if match.row_id is not None:
                claimed.add(match.row_id)
            matches.append(match)
        rows = candidates.lock(claimed - candidates.claimed)
        if rows is None:
            # Staff changed or deleted one of them between the look and the lock: decide anew.
            return self._decide(records)
        return [self._removal(record, match, rows) for record, match in zip(records, matches, strict=True)]

    def _removal(self, record: MappedRecord, match: Match, rows: Mapping[int, Row]) -> _Removal:
        row = None if match.row_id is None else rows[match.row_id]
        return _Removal(record, match, self._deletion(match, row), row)

    def _match(self, record: MappedRecord, person: Listed, candidates: Candidates, claimed: set[int]) -> Match:
        if record.fields["nachname"] is None and record.external_id is not None:
            here = candidates.last_seen_in(self._envelope.zip)
            return decide_by_id_alone(person.area, record.external_id, here, claimed)
        return decide_deletion_of(person, candidates.of(person), claimed)

    def _deletion(self, match: Match, row: Row | None) -> Deletion:
        if row is None:
            code = _NOBODY.get(match.rule)
            nobody = decide_deletion(None, already_removed=False, listed_elsewhere=False)
            return Deletion(RecordOutcome.SKIPPED, code) if code else nobody
        return decide_deletion(
            row["status"],
            already_removed=row["source_removed_at"] is not None,
            listed_elsewhere=self._is_listed_elsewhere(row),
        )

    def _is_listed_elsewhere(self, row: Row) -> bool:
        """Another postal code's file of the same day or later has the therapist: pushed out of this list, not gone."""
        if row["source_zip"] == self._envelope.zip or row["source_seen_at"] is None:
            return False
        return day_of(row["source_seen_at"]) >= self._envelope.scrape_day

    def _remove(self, rows: Sequence[Row]) -> None:
        remove(self._connection, rows, self._envelope.scrape_moment, f"import:{self._import_id}")

    def _hold(self, gone: Sequence[_Removal]) -> None:
        deletions = [HeldDeletion(it.row["id"], it.record.index) for it in gone if it.row is not None]
        detail = HeldDeletionsDetail(tuple(deletions), self._active_before, self._envelope.scrape_moment)
        review = NewReview(ReviewKind.HELD_DELETIONS, self._import_id, gone[0].record.index, detail)
        open_reviews(self._connection, kernel, [review])

    def _outcome(self, removal: _Removal, *, held: bool) -> tuple[Outcome, Finding | None]:
        deletion, index = removal.deletion, removal.record.index
        outcome, code = deletion.outcome, deletion.code
        if held and outcome == RecordOutcome.DELETED:
            outcome, code = RecordOutcome.HELD, Code.HELD_DELETION
        row_id = removal.row["id"] if removal.row is not None else None
        finding = Finding(f"/therapists/{index}", code, index) if code else None
        return Outcome(index, outcome, row_id, code, removal.match.rule), finding


def remove(connection: Connection, rows: Sequence[Row], seen_at: datetime, actor: str) -> list[Row]:
    """Marks locked rows as gone at the source since `seen_at` and returns them as they are afterwards.

    Who was active becomes inactive, nobody is deleted.
    """
    changes = [
        TherapistChange(
            row,
            {"status": Therapeutstatus.INAKTIV.value} if row["status"] == Therapeutstatus.AKTIV else {},
            {"source_removed_at": seen_at},
        )
        for row in rows
    ]
    return update_therapists(connection, changes, actor)


def deactivated_by_import(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the rows whose present status is an import's doing: only these may an import set active again.

    A deletion that an import proposed and a person let happen is the import's doing, too.
    """
    if not ids:
        return set()
    changes = kernel.field_changes.c
    of_status = sa.and_(changes.entity_id.in_(ids), changes.field == "status")
    latest = sa.select(sa.func.max(changes.id)).where(of_status).group_by(changes.entity_id)
    by_import = sa.or_(changes.changed_by.startswith("import:"), _is_approved_deletion())
    found = sa.select(changes.entity_id).where(changes.id.in_(latest), by_import)
    return set(connection.execute(found).scalars())


def _is_approved_deletion() -> sa.ColumnElement[bool]:
    """Whether a change was written by the transaction in which somebody resolved held deletions.

    Both carry the transaction's time, by the database's clock, and the name of who decided.
    """
    changes, actions, reviews = kernel.field_changes.c, kernel.operator_actions.c, kernel.reviews.c
    return (
        sa.select(actions.id)
        .join_from(kernel.operator_actions, kernel.reviews, reviews.id == actions.review_id)
        .where(
            reviews.kind == ReviewKind.HELD_DELETIONS,
            actions.action == Action.RESOLVE,
            actions.actor == changes.changed_by,
            actions.at == changes.changed_at,
        )
        .exists()
    )
