"""One scrape into the database: rows, history, outcomes, events, reviews and ledger in the caller's transaction.

Set-based: each chunk of records costs the same few statements, however many records it has.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.fields.declaration import Row
from shared.imports.records import Outcome, Remarks, write_findings, write_outcomes
from shared.imports.source import Settlement
from shared.reviews.reviews import open_reviews
from shared.reviews.values import ConflictDetail, FieldConflict, HeldRecordDetail, NewReview
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.envelope import plausibility
from therapist_service.imports.fill_rates import keep_fill
from therapist_service.imports.identity import Match, Rule, assign
from therapist_service.imports.import_tracker import applied_before
from therapist_service.imports.known_rows import Candidates, Marked, listed, mark_unchanged, take_ids
from therapist_service.imports.mapping import Claim, MappedRecord, for_adults
from therapist_service.imports.merge import Conflict, Merge, merge
from therapist_service.imports.neighbours import Neighbours
from therapist_service.imports.removals import Removals, deactivated_by_import
from therapist_service.imports.scrape import BadRecord, Record, Scrape, faults_of
from therapist_service.imports.scrape_day import Day
from therapist_service.imports.traits import traits_of
from therapist_service.models import kernel
from therapist_service.use_cases import TherapistChange, create_therapists, update_therapists


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom the imported practices have to treat: `adults_only` leaves out those without any method for adults."""

    adults_only: bool = False


def apply_if_sound(
    connection: Connection,
    import_id: int,
    scrape: Scrape,
    audience: Audience,
    *,
    others: Sequence[Scrape] = (),
    count_is_accepted: bool = False,
) -> Settlement:
    """Applies the scrape in the caller's transaction, or says why nothing of it is applied.

    `others` are the day's scrapes of other postal codes that are at hand. `count_is_accepted`: a person has seen that
    there are far fewer records than usual.
    """
    envelope = scrape.envelope
    before = applied_before(connection, import_id, scrape.sha256, envelope.zip)
    needless = before.why_needless(envelope)
    if needless:
        return Settlement(FileStatus.SKIPPED, needless)
    usual = () if count_is_accepted else before.usual_counts
    implausible = plausibility(scrape.valid, scrape.invalid, usual)
    if implausible:
        write_findings(connection, kernel, import_id, faults_of(scrape))
        return Settlement(FileStatus.FAILED, implausible)
    keep_fill(connection, envelope, scrape.fill)
    neighbours = Neighbours(scrape, others)
    return apply_scrape(connection, import_id, scrape, audience, neighbours, is_first=not before.usual_counts)


def apply_scrape(
    connection: Connection,
    import_id: int,
    scrape: Scrape,
    audience: Audience,
    neighbours: Neighbours,
    *,
    is_first: bool,
) -> Settlement:
    """Applies the scrape and returns how its ledger row is to be settled.

    The counts cover every record of the file, each with exactly one outcome. `is_first` says that no scrape of this
    postal code was applied before, so that hardly anybody is known.
    """
    run = _Run(connection, import_id, Day(connection, scrape.envelope, neighbours), audience, is_first=is_first)
    if scrape.claims[Claim.DELETED]:
        run.removals.count_active()
    run.remarks.add([*scrape.findings, *scrape.total_findings()])
    for chunk in scrape.chunks():
        # Before and not after it: a small file, which is one chunk, writes all its outcomes together.
        run.flush()
        run.apply(chunk)
    run.removals.apply(run.report)
    run.finish()
    trouble = run.counts[RecordOutcome.FAILED] or run.counts[RecordOutcome.HELD]
    return Settlement(FileStatus.PARTIAL if trouble else FileStatus.SUCCESS, None, dict(run.counts))


class _Run:
    """The state of one file's import."""

    def __init__(self, connection: Connection, import_id: int, day: Day, audience: Audience, *, is_first: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.remarks = Remarks("/therapists")
        self.removals = Removals(connection, import_id, day.envelope)
        self._connection = connection
        self._import_id = import_id
        self._day = day
        self._envelope = day.envelope
        self._audience = audience
        self._is_first = is_first
        self._outcomes: list[Outcome] = []
        self._reviews: list[NewReview] = []

    def apply(self, chunk: Sequence[Record]) -> None:
        """Brings one chunk's listed records to their rows; its deletions wait for the end of the file."""
        records = list(self._listed(chunk))
        same = {} if self._is_first else self._mark_unchanged(records)
        rest = [record for record in records if record.index not in same]
        given = {row.external_id for row in same.values() if row.external_id not in (None, row.was)}
        given |= self._place(rest) if rest else set()
        # An id that is somebody's now is nobody else's: a deletion that says the id alone must not mean them.
        former = take_ids(self._connection, self._import_id, self._envelope, sorted(given)) if given else set()
        former |= {row.was for row in same.values() if row.was}
        for record in records:
            if record.index in same:
                self._report_same(record, same[record.index], former)

    def _mark_unchanged(self, records: Sequence[MappedRecord]) -> dict[int, Marked]:
        return mark_unchanged(self._connection, self._import_id, self._envelope, records)

    def flush(self) -> None:
        """Writes what was found out about the records so far, but for remarks, of which there may be too many."""
        self._write(self.remarks.errors())

    def finish(self) -> None:
        """Writes what is left."""
        self._write(self.remarks.all())

    def report(self, outcome: Outcome, finding: Finding | None = None) -> None:
        """Keeps one record's outcome."""
        self.counts[outcome.outcome] += 1
        self._outcomes.append(outcome)
        if finding is not None:
            self.remarks.add([finding])

    def _write(self, findings: Sequence[Finding]) -> None:
        write_outcomes(self._connection, kernel, self._import_id, self._outcomes)
        write_findings(self._connection, kernel, self._import_id, findings)
        open_reviews(self._connection, kernel, self._reviews)
        self._outcomes, self._reviews = [], []

    def _listed(self, chunk: Sequence[Record]) -> Iterator[MappedRecord]:
        for record in chunk:
            self.remarks.add(record.findings)
            if isinstance(record, BadRecord):
                self.report(Outcome(record.index, RecordOutcome.FAILED, code=record.findings[0].code))
            elif record.claim == Claim.DELETED:
                self.removals.add(record)
            elif self._audience.adults_only and not for_adults(record):
                self.report(Outcome(record.index, RecordOutcome.SKIPPED, code=Code.NOT_FOR_ADULTS))
            else:
                yield record

    def _report_same(self, record: MappedRecord, row: Marked, former: Collection[str]) -> None:
        self._check_claim(record, RecordOutcome.UNCHANGED)
        if row.external_id != row.was and row.external_id in former:
            self._remark(record, Code.ID_REASSIGNED, "/id")
        self.report(Outcome(record.index, RecordOutcome.UNCHANGED, row.row_id, rule=Rule.SAME_RECORD))

    def _place(self, records: Sequence[MappedRecord]) -> set[str]:
        """Finds each record's row by the rules of identity, creates or merges; returns the ids that changed hands."""
        people = [listed(record, self._envelope.area) for record in records]
        candidates = Candidates(self._connection, self._import_id, self._envelope.area, people, self._day)
        matches = assign(people, [candidates.of(person) for person in people], candidates.claimed)
        meant = {match.row_id for match in matches if match.row_id is not None}
        rows = candidates.lock(meant)
        if rows is None:
            # Staff changed somebody's name or address, or deleted them, between the look and the lock: decide anew.
            return self._place(records)
        fresh: list[tuple[MappedRecord, Match]] = []
        known: list[tuple[MappedRecord, Match, Row]] = []
        for record, match in zip(records, matches, strict=True):
            if match.row_id is not None:
                known.append((record, match, rows[match.row_id]))
            elif match.rule is Rule.DUPLICATE_IN_FILE:
                outcome = Outcome(record.index, RecordOutcome.SKIPPED, code=Code.DUPLICATE_IN_FILE)
                self.report(outcome, self._finding(record, Code.DUPLICATE_IN_FILE))
            elif match.ambiguous:
                self._hold(record, match)
            else:
                fresh.append((record, match))
        self._create(fresh)
        return self._update(known) | {it.external_id for it, match in fresh if match.reassigned and it.external_id}

    def _create(self, fresh: Sequence[tuple[MappedRecord, Match]]) -> None:
        rows = [new_row(record) | self._said(record) | self._listing() for record, _ in fresh]
        ids = create_therapists(self._connection, rows, self._actor)
        for (record, match), row_id in zip(fresh, ids, strict=True):
            self._check_claim(record, RecordOutcome.NEW)
            self._remark_reassignment(record, match)
            self.report(Outcome(record.index, RecordOutcome.NEW, row_id, rule=Rule.NEW))

    def _update(self, known: Sequence[tuple[MappedRecord, Match, Row]]) -> set[str]:
        """Merges the records into their rows; returns the ids that changed hands."""
        gone = [row["id"] for _, _, row in known if row["source_removed_at"] is not None]
        deactivated = deactivated_by_import(self._connection, gone)
        plans = [self._plan(record, match, row, deactivated) for record, match, row in known]
        # Apart, because all changes of a call write the same columns, and only who has the word writes the raw record.
        for has_word in (True, False):
            changes = [plan.change for plan in plans if plan.change and plan.has_word is has_word]
            update_therapists(self._connection, changes, self._actor)
        for plan in plans:
            if plan.has_word:
                self._remark_reassignment(plan.record, plan.match)
            self._check_claim(plan.record, plan.outcome)
            self.report(Outcome(plan.record.index, plan.outcome, plan.row_id, plan.code, plan.match.rule))
            if plan.code is Code.LISTED_ELSEWHERE:
                self._remark(plan.record, Code.LISTED_ELSEWHERE)
            if plan.conflicts:
                self._ask_about(plan)
        moved = {plan.record.external_id for plan in plans if plan.has_word and plan.match.reassigned}
        return {external_id for external_id in moved if external_id is not None}

    def _plan(self, record: MappedRecord, match: Match, row: Row, deactivated: set[int]) -> "_Plan":
        row_id = row["id"]
        if self._day.is_older_than(row):
            # Another postal code's file has told something newer about this person.
            return _Plan(record, match, row_id, RecordOutcome.SKIPPED, Code.SUPERSEDED)
        merged = merge(row["source_record"], record.fields, row)
        says_other = bool(merged.changes or merged.conflicts)
        has_word = self._day.has_word(traits_of(record.fields), row, says_other=says_other)
        technical = {**self._listing(), "source_removed_at": None}
        if has_word:
            outcome, code = _outcome_of(merged)
            technical |= {**self._said(record), "source_record": merged.new_base}
        else:
            outcome, code = (RecordOutcome.SKIPPED, Code.LISTED_ELSEWHERE) if says_other else _outcome_of(_NO_CHANGE)
            merged = _NO_CHANGE
        changes = dict(merged.changes)
        if row_id in deactivated and row["status"] == Therapeutstatus.INAKTIV:
            changes["status"] = Therapeutstatus.AKTIV.value
            outcome = RecordOutcome.REACTIVATED
        change = TherapistChange(row, changes, technical)
        return _Plan(record, match, row_id, outcome, code, change, merged.conflicts, has_word)

    def _ask_about(self, plan: "_Plan") -> None:
        base = (plan.change.before["source_record"] if plan.change else None) or {}
        shown = tuple(FieldConflict(c.field, c.staff, c.source, base.get(c.field)) for c in plan.conflicts)
        self._remark(plan.record, Code.CONFLICT)
        self._reviews.append(
            NewReview(
                ReviewKind.CONFLICT, self._import_id, plan.record.index, ConflictDetail(shown), entity_id=plan.row_id
            )
        )

    def _hold(self, record: MappedRecord, match: Match) -> None:
        """A person has to say whom the record means: nothing is written, and they are asked once, not every week."""
        code = Code.POSSIBLE_DUPLICATE if match.rule is Rule.SIMILAR else Code.AMBIGUOUS_IDENTITY
        self.report(Outcome(record.index, RecordOutcome.HELD, code=code, rule=match.rule), self._finding(record, code))
        fields = record.fields
        # Not the file: neighbouring ones list the same person.
        about = (fields["nachname"], fields["vorname"], fields["strasse"], fields["plz"])
        asked = hashlib.sha256(repr((about, match.ambiguous)).encode()).hexdigest()
        detail = HeldRecordDetail(
            candidates=match.ambiguous,
            record=fields,
            external_id=record.external_id,
            area=self._envelope.area,
            zip=self._envelope.zip,
            hash=record.hash,
            seen_at=self._envelope.scrape_moment,
        )
        self._reviews.append(
            NewReview(
                ReviewKind.POSSIBLE_DUPLICATE,
                self._import_id,
                record.index,
                detail,
                other_id=match.ambiguous[0],
                fingerprint=f"ambiguous:{asked}",
            )
        )

    def _said(self, record: MappedRecord) -> dict[str, object]:
        """What is kept of a record by a file that has the word."""
        return {
            "external_id": record.external_id,
            "source_area": self._envelope.area,
            "source_record": record.fields,
            "source_raw": record.raw,
            "source_hash": record.hash,
            "source_plz": record.fields["plz"],
            "source_word_zip": self._envelope.zip,
            "source_word_at": self._envelope.scrape_moment,
        }

    def _listing(self) -> dict[str, object]:
        """That this file lists somebody."""
        return {
            "source_zip": self._envelope.zip,
            "source_seen_at": self._envelope.scrape_moment,
            "source_import_id": self._import_id,
        }

    def _check_claim(self, record: MappedRecord, outcome: RecordOutcome) -> None:
        """The source's own word is checked, and a contradiction counted."""
        is_new = outcome == RecordOutcome.NEW
        contradicts = is_new != (record.claim == Claim.NEW) or (
            record.claim == Claim.UNCHANGED and outcome in _CHANGING
        )
        if contradicts:
            self._remark(record, Code.STATUS_CONTRADICTED, "/status")

    def _remark_reassignment(self, record: MappedRecord, match: Match) -> None:
        if match.reassigned:
            self._remark(record, Code.ID_REASSIGNED, "/id")

    def _remark(self, record: MappedRecord, code: Code, path: str = "") -> None:
        self.remarks.add([self._finding(record, code, path)])

    def _finding(self, record: MappedRecord, code: Code, path: str = "") -> Finding:
        return Finding(f"/therapists/{record.index}{path}", code, record.index)

    @property
    def _actor(self) -> str:
        return f"import:{self._import_id}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to become of one known row."""

    record: MappedRecord
    match: Match
    row_id: int
    outcome: RecordOutcome
    code: str | None = None
    change: TherapistChange | None = None
    conflicts: Sequence[Conflict] = field(default=())
    has_word: bool = False


_NO_CHANGE = Merge({}, (), {})


def _outcome_of(merged: Merge) -> tuple[RecordOutcome, Code | None]:
    code = Code.CONFLICT if merged.conflicts else None
    if merged.changes:
        return RecordOutcome.UPDATED, code
    return (RecordOutcome.HELD, code) if merged.conflicts else (RecordOutcome.UNCHANGED, None)


_CHANGING = (RecordOutcome.UPDATED, RecordOutcome.HELD, RecordOutcome.REACTIVATED)
"""Outcomes that contradict a source which calls the record unchanged."""


def new_row(record: MappedRecord) -> dict[str, object]:
    """A row for somebody who was not known: the mapped columns, and what is true of everybody the source lists."""
    return {**record.fields, "kassensitz": True, "status": Therapeutstatus.AKTIV.value}
