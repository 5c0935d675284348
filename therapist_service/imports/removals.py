"""The records of a file that claim `deleted`: whom they mean is found at the file's end, when it is known who else it
lists; what becomes of those is decided at the end of the scrape day (`day_end`)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.database.copy import copy_rows
from shared.database.statements import Statement
from shared.fields.declaration import Row
from shared.imports.records import Outcome
from shared.words.codes import Code
from shared.words.statuses import Action, RecordOutcome, ReviewKind
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.deletions import Deletion, decide_deletion
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.identity import Listed, Match, Rule, decide_by_id_alone, decide_deletion_of
from therapist_service.imports.known_rows import Candidates, listed
from therapist_service.imports.mapping import MappedRecord
from therapist_service.models import kernel, proposed_deletions, therapeuten
from therapist_service.use_cases import TherapistChange, update_therapists

Report = Callable[[Outcome, Finding | None], None]
_CHUNK = 1000
_NOBODY = {Rule.DUPLICATE_IN_FILE: Code.DUPLICATE_IN_FILE, Rule.AMBIGUOUS: Code.AMBIGUOUS_IDENTITY}
"""Why a deletion is meant for nobody, other than that the person is unknown."""
_COLUMNS = ("import_id", "record_index", "entity_id", "scrape_day", "zip", "said_at", "rule")


class Removals:
    """Collects a file's deletions and keeps whom they mean until the end of the scrape day.

    `waiting` counts those that wait for it.
    """

    def __init__(self, connection: Connection, import_id: int, envelope: Envelope) -> None:
        self.waiting = 0
        self._connection = connection
        self._import_id = import_id
        self._envelope = envelope
        self._records: list[MappedRecord] = []

    def add(self, record: MappedRecord) -> None:
        self._records.append(record)

    def propose(self, report: Report) -> None:
        """Keeps the deletions of people who are known; `report` is told of those that are meant for nobody."""
        for start in range(0, len(self._records), _CHUNK):
            chunk = self._records[start : start + _CHUNK]
            matches = self._match_all(chunk)
            proposed = []
            for record, match in zip(chunk, matches, strict=True):
                if match.row_id is None:
                    report(*_of_nobody(record, match))
                else:
                    proposed.append(self._proposal(record, match.row_id, match.rule))
            self.waiting += copy_rows(self._connection, proposed_deletions, _COLUMNS, proposed)

    def _match_all(self, records: Sequence[MappedRecord]) -> list[Match]:
        people = [listed(record, self._envelope.area) for record in records]
        candidates = Candidates(self._connection, self._import_id, self._envelope.area, people)
        claimed = set(candidates.claimed)
        matches = []
        for record, person in zip(records, people, strict=True):
            match = self._match(record, person, candidates, claimed)
            if match.row_id is not None:
                claimed.add(match.row_id)
            matches.append(match)
        if candidates.lock(claimed - candidates.claimed) is None:
            # Staff changed or deleted one of them between the look and the lock: decide anew.
            return self._match_all(records)
        return matches

    def _match(self, record: MappedRecord, person: Listed, candidates: Candidates, claimed: set[int]) -> Match:
        if record.fields["nachname"] is None and record.external_id is not None:
            here = candidates.last_seen_in(self._envelope.zip)
            return decide_by_id_alone(person.area, record.external_id, here, claimed)
        return decide_deletion_of(person, candidates.of(person), claimed)

    def _proposal(self, record: MappedRecord, row_id: int, rule: str) -> Sequence[object]:
        said = self._envelope
        return self._import_id, record.index, row_id, said.scrape_day, said.zip, said.scrape_moment, rule


def _of_nobody(record: MappedRecord, match: Match) -> tuple[Outcome, Finding]:
    code = _NOBODY.get(match.rule, Code.UNKNOWN_THERAPIST)
    finding = Finding(f"/therapists/{record.index}", code, record.index)
    return Outcome(record.index, RecordOutcome.SKIPPED, None, code, match.rule), finding


def decision_on(row: Row | None, day: date) -> Deletion:
    """What becomes of a deletion of that scrape day; None where the therapist's row is gone."""
    if row is None:
        return decide_deletion(None, already_removed=False, is_listed=False)
    removed = row["source_removed_at"] is not None
    return decide_deletion(row["status"], already_removed=removed, is_listed=is_listed_since(row, day))


def is_listed_since(row: Row, day: date) -> bool:
    """Whether a file of that scrape day or a later one lists the therapist, and none has called them gone after."""
    return row["source_removed_at"] is None and row["source_day"] is not None and row["source_day"] >= day


def locked_rows(connection: Connection, ids: Collection[int]) -> dict[int, Row]:
    """The therapists' rows, locked in order of id; who is missing was deleted. Without the raw record."""
    return {row["id"]: row for row in _LOCKED(connection, ids=sorted(ids))} if ids else {}


_LOCKED = Statement(
    sa.select(*[column for column in therapeuten.c if column.name != "source_raw"])
    .where(therapeuten.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Integer))))
    .order_by(therapeuten.c.id)
    .with_for_update(),
    as_dicts=True,
)


@dataclass(frozen=True, slots=True)
class Removal:
    """A locked row that is gone at the source: on which scrape day, and at what moment, the source has said so."""

    row: Row
    day: date
    said_at: datetime


def remove(connection: Connection, removals: Sequence[Removal], actor: str) -> list[Row]:
    """Marks the rows as gone and returns them as they are afterwards.

    Who was active becomes inactive, nobody is deleted.
    """
    changes = [
        TherapistChange(
            removal.row,
            {"status": Therapeutstatus.INAKTIV.value} if removal.row["status"] == Therapeutstatus.AKTIV else {},
            {"source_removed_at": removal.said_at, "source_day": removal.day},
        )
        for removal in removals
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
