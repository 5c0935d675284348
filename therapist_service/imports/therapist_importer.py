"""One scrape into the database: rows, history, outcomes, events, reviews and ledger in the caller's transaction.

Set-based: each chunk of records costs the same few statements, however many records it has.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from shared.core.errors import Finding, RejectedError
from shared.fields.declaration import Row
from shared.imports.records import Outcome, write_findings, write_outcomes
from shared.imports.source import Settlement
from shared.reviews.values import ConflictDetail, FieldConflict, HeldRecordDetail, NewReview
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.envelope import Envelope, is_implausible_change, plausibility
from therapist_service.imports.fill_rates import keep_fill
from therapist_service.imports.identity import Match, assign
from therapist_service.imports.import_tracker import applied_before
from therapist_service.imports.known_rows import Candidates, listed, mark_unchanged
from therapist_service.imports.mapping import Claim, MappedRecord, for_adults
from therapist_service.imports.merge import Conflict, Merge, merge
from therapist_service.imports.questions import ask, earlier_answers
from therapist_service.imports.removals import Removals, deactivated_by_import
from therapist_service.imports.scrape import BadRecord, Record, Scrape, faults_of
from therapist_service.models import kernel
from therapist_service.suppressions import NOBODY, Suppressed, suppressed
from therapist_service.use_cases import TherapistChange, create_therapists, update_therapists


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom the imported practices have to treat: `adults_only` leaves out those without any method for adults."""

    adults_only: bool = False


def apply_if_sound(
    connection: Connection, import_id: int, scrape: Scrape, audience: Audience, *, is_accepted: bool = False
) -> Settlement:
    """Applies the scrape in the caller's transaction, or says why nothing of it is applied.

    `is_accepted`: a person has seen that it differs so much from what is usual. Raises `RejectedError`
    (`implausible_change`): then the caller undoes what was applied.
    """
    envelope = scrape.envelope
    before = applied_before(connection, import_id, scrape.sha256, envelope)
    needless = before.why_needless()
    if needless:
        return Settlement(FileStatus.SKIPPED, needless)
    usual = () if is_accepted else before.usual_counts
    implausible = plausibility(scrape.valid, scrape.invalid, usual)
    if implausible:
        write_findings(connection, kernel, import_id, faults_of(scrape))
        return Settlement(FileStatus.FAILED, implausible)
    keep_fill(connection, envelope, scrape.fill)
    left_out = suppressed(connection) if before.leaves_out else NOBODY
    settlement = apply_scrape(
        connection, import_id, scrape, audience, left_out=left_out, is_first=not before.usual_counts
    )
    new = settlement.counts.get(RecordOutcome.NEW, 0)
    if not is_accepted and is_implausible_change(new, scrape.total, before.last_count):
        raise RejectedError(Code.IMPLAUSIBLE_CHANGE)
    return settlement


def apply_scrape(
    connection: Connection,
    import_id: int,
    scrape: Scrape,
    audience: Audience,
    *,
    left_out: Suppressed = NOBODY,
    is_first: bool,
) -> Settlement:
    """Applies the scrape and returns how its ledger row is to be settled.

    The counts cover every record of the file, each with exactly one outcome; deletions are counted as held until the
    end of the scrape day. `is_first` says that no scrape of this postal code was applied before, so that hardly anybody
    is known.
    """
    run = _Run(connection, import_id, scrape.envelope, audience, left_out, is_first=is_first)
    run.findings += [*scrape.findings, *scrape.total_findings()]
    for chunk in scrape.chunks():
        # Before and not after it: a small file, which is one chunk, writes all its outcomes together.
        run.flush()
        run.apply(chunk)
    run.removals.propose(run.report)
    run.flush()
    run.counts.update({RecordOutcome.HELD: run.removals.waiting} if run.removals.waiting else {})
    trouble = run.counts[RecordOutcome.FAILED] or run.counts[RecordOutcome.HELD]
    status = FileStatus.PARTIAL if trouble else FileStatus.SUCCESS
    return Settlement(status, None, dict(run.counts), final=not run.removals.waiting)


class _Run:
    """The state of one file's import."""

    def __init__(
        self,
        connection: Connection,
        import_id: int,
        envelope: Envelope,
        audience: Audience,
        left_out: Suppressed,
        *,
        is_first: bool,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self.removals = Removals(connection, import_id, envelope)
        self._connection = connection
        self._import_id = import_id
        self._envelope = envelope
        self._audience = audience
        self._left_out = left_out
        self._is_first = is_first
        self._outcomes: list[Outcome] = []
        self._reviews: list[NewReview] = []

    def apply(self, chunk: Sequence[Record]) -> None:
        """Brings one chunk's listed records to their rows; its deletions wait for the end of the file."""
        listed_records = list(self._listed(chunk))
        same = {} if self._is_first else self._mark_unchanged(listed_records)
        for record in listed_records:
            if record.index in same:
                self._report_same(record, same[record.index])
        rest = [record for record in listed_records if record.index not in same]
        if rest:
            self._place(rest)

    def _mark_unchanged(self, records: Sequence[MappedRecord]) -> dict[int, int]:
        return mark_unchanged(self._connection, self._import_id, self._envelope, records)

    def flush(self) -> None:
        """Writes what was found out about the records so far."""
        write_outcomes(self._connection, kernel, self._import_id, self._outcomes)
        write_findings(self._connection, kernel, self._import_id, self.findings)
        ask(self._connection, self._reviews)
        self._outcomes, self.findings, self._reviews = [], [], []

    def report(self, outcome: Outcome, finding: Finding | None = None) -> None:
        """Keeps one record's outcome."""
        self.counts[outcome.outcome] += 1
        self._outcomes.append(outcome)
        if finding is not None:
            self.findings.append(finding)

    def _listed(self, chunk: Sequence[Record]) -> Iterator[MappedRecord]:
        for record in chunk:
            if isinstance(record, BadRecord):
                self.findings += record.findings
                self.report(Outcome(record.index, RecordOutcome.FAILED, code=record.findings[0].code))
                continue
            self.findings += record.findings
            if self._left_out.knows(record.fields):
                self._report_with_finding(record, RecordOutcome.SKIPPED, Code.ERASED_THERAPIST)
            elif record.claim == Claim.DELETED:
                self.removals.add(record)
            elif self._audience.adults_only and not for_adults(record):
                self.report(Outcome(record.index, RecordOutcome.SKIPPED, code=Code.NOT_FOR_ADULTS))
            else:
                yield record

    def _report_same(self, record: MappedRecord, row_id: int) -> None:
        self._check_claim(record, RecordOutcome.UNCHANGED)
        self.report(Outcome(record.index, RecordOutcome.UNCHANGED, row_id, rule="same_record"))

    def _place(self, records: Sequence[MappedRecord]) -> None:
        """Finds each record's row by the rules of identity, and creates or merges."""
        people = [listed(record, self._envelope.area) for record in records]
        candidates = Candidates(self._connection, self._import_id, self._envelope.area, people)
        found = assign(people, [candidates.of(person) for person in people], candidates.claimed)
        matches = self._answered(records, found)
        meant = {match.row_id for match in matches if match.row_id is not None}
        rows = candidates.lock(meant)
        if rows is None:
            # Staff changed somebody's name or address, or deleted them, between the look and the lock: decide anew.
            self._place(records)
            return
        fresh: list[tuple[MappedRecord, Match]] = []
        known: list[tuple[MappedRecord, Match, Row]] = []
        for record, match in zip(records, matches, strict=True):
            if match.row_id is not None:
                known.append((record, match, rows[match.row_id]))
            elif match.rule == "duplicate_in_file":
                self._report_with_finding(record, RecordOutcome.SKIPPED, Code.DUPLICATE_IN_FILE)
            elif match.rule == "ambiguous":
                self._hold(record, match.ambiguous, Code.AMBIGUOUS_IDENTITY)
            elif self._left_out.resembles_somebody(record.fields):
                self._hold(record, (), Code.RESEMBLES_ERASED)
            else:
                fresh.append((record, match))
        self._create(fresh)
        self._update(known)

    def _answered(self, records: Sequence[MappedRecord], matches: list[Match]) -> list[Match]:
        """What a person has once said about a record holds for as long as it may still be that row."""
        asked = {index: self._asked(records[index]) for index, match in enumerate(matches) if match.ambiguous}
        if not asked:
            return matches
        answers = earlier_answers(self._connection, set(asked.values()))
        taken = {match.row_id for match in matches}
        decided = list(matches)
        for index, fingerprint in asked.items():
            row_id = answers.get(fingerprint)
            if row_id in matches[index].ambiguous and row_id not in taken:
                decided[index] = Match(row_id, "answered")
                taken.add(row_id)
        return decided

    def _asked(self, record: MappedRecord) -> str:
        """Names the question who the record is."""
        fields = record.fields
        about = (self._envelope.zip, fields["nachname"], fields["vorname"], fields["strasse"], fields["plz"])
        return f"ambiguous:{hashlib.sha256(repr(about).encode()).hexdigest()}"

    def _create(self, fresh: Sequence[tuple[MappedRecord, Match]]) -> None:
        rows = [new_row(record) | self._technical(record) for record, _ in fresh]
        ids = create_therapists(self._connection, rows, self._actor)
        for (record, match), row_id in zip(fresh, ids, strict=True):
            self._check_claim(record, RecordOutcome.NEW)
            self._remark_reassignment(record, match)
            self.report(Outcome(record.index, RecordOutcome.NEW, row_id, rule="new"))

    def _update(self, known: Sequence[tuple[MappedRecord, Match, Row]]) -> None:
        gone = [row["id"] for _, _, row in known if row["source_removed_at"] is not None]
        deactivated = deactivated_by_import(self._connection, gone)
        plans = [self._plan(record, match, row, deactivated) for record, match, row in known]
        update_therapists(self._connection, [plan.change for plan in plans if plan.change], self._actor)
        for plan in plans:
            self._remark_reassignment(plan.record, plan.match)
            self._check_claim(plan.record, plan.outcome)
            self.report(Outcome(plan.record.index, plan.outcome, plan.row_id, plan.code, plan.match.rule))
            if plan.conflicts:
                self._ask_about(plan)

    def _plan(self, record: MappedRecord, match: Match, row: Row, deactivated: set[int]) -> "_Plan":
        row_id = row["id"]
        if row["source_day"] is not None and row["source_day"] > self._envelope.scrape_day:
            # A later scrape has listed this person, or has called them gone.
            return _Plan(record, match, row_id, RecordOutcome.SKIPPED, Code.SUPERSEDED)
        merged = merge(row["source_record"], record.fields, row)
        changes = dict(merged.changes)
        outcome = _outcome_of(merged)
        if row_id in deactivated and row["status"] == Therapeutstatus.INAKTIV:
            changes["status"] = Therapeutstatus.AKTIV.value
            outcome = RecordOutcome.REACTIVATED
        technical = {**self._technical(record), "source_record": merged.new_base, "source_removed_at": None}
        code = Code.CONFLICT if merged.conflicts else None
        change = TherapistChange(row, changes, technical)
        return _Plan(record, match, row_id, outcome, code, change, merged.conflicts)

    def _ask_about(self, plan: "_Plan") -> None:
        base = (plan.change.before["source_record"] if plan.change else None) or {}
        shown = tuple(FieldConflict(c.field, c.staff, c.source, base.get(c.field)) for c in plan.conflicts)
        self.findings.append(self._finding(plan.record, Code.CONFLICT))
        self._reviews.append(
            NewReview(
                ReviewKind.CONFLICT, self._import_id, plan.record.index, ConflictDetail(shown), entity_id=plan.row_id
            )
        )

    def _hold(self, record: MappedRecord, candidates: tuple[int, ...], code: Code) -> None:
        """Several rows may be meant, or somebody who objected: nothing is written, and a person is asked; next week the
        same question, not another one."""
        self._report_with_finding(record, RecordOutcome.HELD, code)
        detail = HeldRecordDetail(
            candidates=candidates,
            record=record.fields,
            external_id=record.external_id,
            area=self._envelope.area,
            zip=self._envelope.zip,
            hash=record.hash,
            seen_at=self._envelope.scrape_moment,
            day=self._envelope.scrape_day,
        )
        self._reviews.append(
            NewReview(
                ReviewKind.POSSIBLE_DUPLICATE,
                self._import_id,
                record.index,
                detail,
                other_id=candidates[0] if candidates else None,
                fingerprint=self._asked(record),
            )
        )

    def _technical(self, record: MappedRecord) -> dict[str, object]:
        return {
            "external_id": record.external_id,
            "source_area": self._envelope.area,
            "source_zip": self._envelope.zip,
            "source_record": record.fields,
            "source_raw": record.raw,
            "source_hash": record.hash,
            "source_seen_at": self._envelope.scrape_moment,
            "source_day": self._envelope.scrape_day,
            "source_plz": record.fields["plz"],
            "source_import_id": self._import_id,
        }

    def _check_claim(self, record: MappedRecord, outcome: RecordOutcome) -> None:
        """The source's own word is checked, and a contradiction counted."""
        is_new = outcome == RecordOutcome.NEW
        contradicts = is_new != (record.claim == Claim.NEW) or (
            record.claim == Claim.UNCHANGED and outcome in _CHANGING
        )
        if contradicts:
            self.findings.append(self._finding(record, Code.STATUS_CONTRADICTED, "/status"))

    def _remark_reassignment(self, record: MappedRecord, match: Match) -> None:
        if match.reassigned:
            self.findings.append(self._finding(record, Code.ID_REASSIGNED, "/id"))

    def _report_with_finding(self, record: MappedRecord, outcome: RecordOutcome, code: Code) -> None:
        self.report(Outcome(record.index, outcome, code=code), self._finding(record, code))

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


def _outcome_of(merged: Merge) -> RecordOutcome:
    if merged.changes:
        return RecordOutcome.UPDATED
    return RecordOutcome.HELD if merged.conflicts else RecordOutcome.UNCHANGED


_CHANGING = (RecordOutcome.UPDATED, RecordOutcome.HELD, RecordOutcome.REACTIVATED)
"""Outcomes that contradict a source which calls the record unchanged."""


def new_row(record: MappedRecord) -> dict[str, object]:
    """A row for somebody who was not known: the mapped columns, and what is true of everybody the source lists."""
    return {**record.fields, "kassensitz": True, "status": Therapeutstatus.AKTIV.value}
