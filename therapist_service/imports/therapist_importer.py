"""One scrape into the register: its rows, history, outcomes, findings and reviews, which the batch writes."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from shared.core.errors import Finding
from shared.imports.records import Outcome, Remarks
from shared.imports.source import Settlement
from shared.reviews.values import ConflictDetail, FieldConflict, HeldRecordDetail, NewReview
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind
from shared.words.vocabulary import Therapeutstatus
from therapist_service.imports.identity import Known, Match, Rule, assign
from therapist_service.imports.journal import Journal
from therapist_service.imports.mapping import Claim, MappedRecord, for_adults
from therapist_service.imports.merge import Conflict, Merge, merge
from therapist_service.imports.proposals import Removals
from therapist_service.imports.register import Arrival, Entry
from therapist_service.imports.review_upkeep import earlier_answers
from therapist_service.imports.scrape import BadRecord, Record, Scrape
from therapist_service.imports.scrape_day import Day
from therapist_service.suppressions import Suppressed


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom the imported practices have to treat: `adults_only` leaves out those without any method for adults."""

    adults_only: bool = False


class Run:
    """The state of one file's import."""

    def __init__(self, journal: Journal, import_id: int, day: Day, audience: Audience, left_out: Suppressed) -> None:
        self._counts: Counter[str] = Counter()
        self._remarks = Remarks("/therapists")
        self._register = journal.register
        self._journal = journal
        self._audience = audience
        self._left_out = left_out
        self._import_id = import_id
        self._day = day
        self._envelope = day.envelope
        self._removals = Removals(journal.register, import_id, day.envelope)

    def apply(self, scrape: Scrape) -> Settlement:
        """Applies the scrape and returns how its file is to be settled.

        The counts cover every record of the file, each with exactly one outcome; deletions are counted as held until
        the end of the scrape day.
        """
        self._remarks.add([*scrape.findings, *scrape.total_findings()])
        for number, chunk in enumerate(scrape.chunks()):
            if number:
                # A large file is more than is kept in memory.
                self._journal.remark(self._import_id, self._remarks.errors())
                self._journal.write()
                self._register.forget()
            self._apply_chunk(chunk, is_met=scrape.is_small and not number)
        proposals = self._removals.propose(self._report)
        self._journal.proposals += proposals
        self._counts.update({RecordOutcome.HELD: len(proposals)} if proposals else {})
        self._journal.remark(self._import_id, self._remarks.all())
        trouble = self._counts[RecordOutcome.FAILED] or self._counts[RecordOutcome.HELD]
        status = FileStatus.PARTIAL if trouble else FileStatus.SUCCESS
        return Settlement(status, None, dict(self._counts), final=not proposals)

    def _apply_chunk(self, chunk: Sequence[Record], *, is_met: bool) -> None:
        """Brings one chunk's listed records to their rows; its deletions wait for the end of the file.

        `is_met` where the register has met the records with those of the other files.
        """
        arrivals = [Arrival(record, self._envelope.area) for record in self._listed(chunk)]
        if not is_met:
            self._register.meet(arrivals)
        same = self._repeated(arrivals)
        former = {one.record.index: entry.external_id for one, entry in same}
        for one, entry in same:
            self._relist_same(one.record, entry)
        given = {
            entry.external_id
            for one, entry in same
            if entry.external_id is not None and entry.external_id != former[one.record.index]
        }
        rest = [one for one in arrivals if one.record.index not in former]
        given |= self._place(rest) if rest else set()
        # An id that is somebody's now is nobody else's: a deletion that says the id alone must not mean them.
        lost = self._take_ids(given) | {external_id for external_id in former.values() if external_id}
        for one, entry in same:
            self._report_same(one.record, entry, former[one.record.index], lost)

    def _repeated(self, arrivals: Sequence[Arrival]) -> list[tuple[Arrival, Entry]]:
        """The records of whose rows the source says the very same, under whatever id: nothing to compare there.

        Not where this file has claimed the row already, where it is marked as gone or a later scrape has listed it.
        """
        # Two records that look the same are no case for a short cut, nor are two rows that do.
        times = Counter(one.record.hash for one in arrivals)
        found = [(one, self._register.repeated(one)) for one in arrivals if times[one.record.hash] == 1]
        return [
            (one, entry)
            for one, entry in found
            if entry is not None
            and entry.source_removed_at is None
            and entry.source_import_id != self._import_id
            and not self._day.is_older_than(entry)
        ]

    def _relist_same(self, record: MappedRecord, entry: Entry) -> None:
        said: dict[str, object] = {}
        # An id belongs to the file that has the word, so only that one gives it.
        if self._day.may_speak(entry, entry.source_plz):
            said = self._word()
            if record.external_id is not None:
                said |= {"external_id": record.external_id, "source_area": self._envelope.area}
        self._register.relist(entry, **self._listing(), source_named_at=self._envelope.day_began, **said)

    def _take_ids(self, given: Collection[str]) -> set[str]:
        """Takes ids that this file has given to others from the rows that carried them in its last scrape.

        Returns those ids. A row that this file lists has its own, which may be the same: an id may repeat.
        """
        taken: set[str] = set()
        for external_id in sorted(given):
            for entry in self._register.with_id(self._envelope.area, external_id):
                if entry.source_zip == self._envelope.zip and entry.source_import_id != self._import_id:
                    self._register.relist(entry, external_id=None)
                    taken.add(external_id)
        return taken

    def _report(self, outcome: Outcome, finding: Finding | None = None) -> None:
        """Keeps one record's outcome."""
        self._counts[outcome.outcome] += 1
        self._journal.keep(self._import_id, outcome)
        if finding is not None:
            self._remarks.add([finding])

    def _listed(self, chunk: Sequence[Record]) -> Iterator[MappedRecord]:
        for record in chunk:
            self._remarks.add(record.findings)
            if isinstance(record, BadRecord):
                self._report(Outcome(record.index, RecordOutcome.FAILED, code=record.findings[0].code))
            elif self._left_out.knows(record.fields):
                outcome = Outcome(record.index, RecordOutcome.SKIPPED, code=Code.ERASED_THERAPIST)
                self._report(outcome, self._finding(record, Code.ERASED_THERAPIST))
            elif record.claim == Claim.DELETED:
                self._removals.add(record)
            elif self._audience.adults_only and not for_adults(record):
                self._report(Outcome(record.index, RecordOutcome.SKIPPED, code=Code.NOT_FOR_ADULTS))
            else:
                yield record

    def _report_same(self, record: MappedRecord, entry: Entry, former: str | None, lost: Collection[str]) -> None:
        self._check_claim(record, RecordOutcome.UNCHANGED)
        if entry.external_id != former and entry.external_id in lost:
            self._remark(record, Code.ID_REASSIGNED, "/id")
        self._report(Outcome(record.index, RecordOutcome.UNCHANGED, entry.id, rule=Rule.SAME_RECORD))

    def _place(self, arrivals: Sequence[Arrival]) -> set[str]:
        """Finds each record's row by the rules of identity, creates or merges; returns the ids that changed hands."""
        listed = [one.listed for one in arrivals]
        self._register.look_for(listed)
        found = [self._register.of(one) for one in listed]
        entries = {entry.id: entry for candidates in found for entry in candidates}
        seen: dict[int, Known] = {number: self._day.known(entry) for number, entry in entries.items()}
        claimed = {number for number, entry in entries.items() if entry.source_import_id == self._import_id}
        candidates = [[seen[entry.id] for entry in one] for one in found]
        records = [one.record for one in arrivals]
        matches = self._answered(records, assign(listed, candidates, claimed))
        fresh: list[tuple[MappedRecord, Match]] = []
        meant: list[tuple[MappedRecord, Match, Entry]] = []
        for record, match in zip(records, matches, strict=True):
            if match.row_id is not None:
                meant.append((record, match, entries[match.row_id]))
            elif match.rule is Rule.DUPLICATE_IN_FILE:
                outcome = Outcome(record.index, RecordOutcome.SKIPPED, code=Code.DUPLICATE_IN_FILE)
                self._report(outcome, self._finding(record, Code.DUPLICATE_IN_FILE))
            elif match.ambiguous:
                code = Code.POSSIBLE_DUPLICATE if match.rule is Rule.SIMILAR else Code.AMBIGUOUS_IDENTITY
                self._hold(record, match, code)
            elif self._left_out.resembles_somebody(record.fields):
                self._hold(record, match, Code.RESEMBLES_ERASED)
            else:
                fresh.append((record, match))
        self._create(fresh)
        moved = [(record, match) for record, match, entry in meant if self._update(record, match, entry)]
        return {record.external_id for record, match in fresh + moved if match.reassigned and record.external_id}

    def _answered(self, records: Sequence[MappedRecord], matches: list[Match]) -> list[Match]:
        """What a person has once said about a record holds for as long as it may still be that row."""
        asked = {index: self._asked(records[index]) for index, match in enumerate(matches) if match.ambiguous}
        if not asked:
            return matches
        answers = earlier_answers(self._journal.connection, set(asked.values()))
        taken = {match.row_id for match in matches}
        decided = list(matches)
        for index, fingerprint in asked.items():
            row_id = answers.get(fingerprint)
            if row_id in matches[index].ambiguous and row_id not in taken:
                decided[index] = Match(row_id, Rule.ANSWERED)
                taken.add(row_id)
        return decided

    def _asked(self, record: MappedRecord) -> str:
        """Names the review that asks who the record is."""
        fields = record.fields
        # Not the file: neighbouring ones list the same person.
        about = (fields["nachname"], fields["vorname"], fields["strasse"], fields["plz"])
        return f"ambiguous:{hashlib.sha256(repr(about).encode()).hexdigest()}"

    def _create(self, fresh: Sequence[tuple[MappedRecord, Match]]) -> None:
        listing = {**self._listing(), **self._word(), "source_named_at": self._envelope.day_began}
        rows = [{**new_row(record), **self._said(record), **listing, **self._identified(record)} for record, _ in fresh]
        for (record, match), row_id in zip(fresh, self._register.create(rows), strict=True):
            self._check_claim(record, RecordOutcome.NEW)
            self._remark_reassignment(record, match)
            self._report(Outcome(record.index, RecordOutcome.NEW, row_id, rule=Rule.NEW))

    def _update(self, record: MappedRecord, match: Match, entry: Entry) -> bool:
        """Merges the record into its row; whether this file has the word about it."""
        plan = self._plan(record, match, entry)
        conflict = self._conflict(plan) if plan.conflicts else None
        if plan.code is not Code.SUPERSEDED:
            self._write_plan(plan)
        if plan.has_word:
            self._remark_reassignment(record, match)
        self._check_claim(record, plan.outcome)
        self._report(Outcome(record.index, plan.outcome, entry.id, plan.code, match.rule))
        if plan.code is Code.LISTED_ELSEWHERE:
            self._remark(record, Code.LISTED_ELSEWHERE)
        if conflict:
            self._remark(record, Code.CONFLICT)
            self._journal.ask(conflict, self._import_id)
        return plan.has_word

    def _plan(self, record: MappedRecord, match: Match, entry: Entry) -> "_Plan":
        if self._day.is_older_than(entry):
            # A later scrape has listed this person, or has called them gone.
            return _Plan(record, match, entry, RecordOutcome.SKIPPED, Code.SUPERSEDED)
        person = entry.whole
        merged = merge(person.source_record, record.fields, vars(person))
        says_other = bool(merged.changes or merged.conflicts)
        has_word = self._day.has_word(record.traits, entry, says_other=says_other)
        if has_word:
            outcome, code = _outcome_of(merged)
        else:
            outcome, code = (RecordOutcome.SKIPPED, Code.LISTED_ELSEWHERE) if says_other else _outcome_of(_NO_CHANGE)
            merged = _NO_CHANGE
        changes = dict(merged.changes)
        if person.status == Therapeutstatus.INAKTIV and self._register.was_deactivated_by_import(entry):
            changes["status"] = Therapeutstatus.AKTIV.value
            outcome = RecordOutcome.REACTIVATED
        return _Plan(record, match, entry, outcome, code, changes, merged, has_word)

    def _write_plan(self, plan: "_Plan") -> None:
        technical: dict[str, object] = {"source_removed_at": None}
        listing = self._listing()
        if plan.match.rule is Rule.EXACT:
            listing["source_named_at"] = self._envelope.day_began
        if plan.has_word:
            technical |= {**self._said(plan.record), "source_record": plan.merged.new_base}
            listing |= self._word() | self._identified(plan.record) | {"source_named_at": self._envelope.day_began}
        if plan.has_word or plan.changes or plan.entry.source_removed_at is not None:
            self._register.change(plan.entry, plan.changes, technical, self._actor)
        self._register.relist(plan.entry, **listing)

    def _conflict(self, plan: "_Plan") -> NewReview:
        base = plan.entry.whole.source_record or {}
        shown = tuple(FieldConflict(c.field, c.staff, c.source, base.get(c.field)) for c in plan.conflicts)
        return NewReview(
            ReviewKind.CONFLICT, self._import_id, plan.record.index, ConflictDetail(shown), entity_id=plan.entry.id
        )

    def _hold(self, record: MappedRecord, match: Match, code: Code) -> None:
        """A person has to say whom the record means: nothing is written; next week it is the same review."""
        self._report(Outcome(record.index, RecordOutcome.HELD, code=code, rule=match.rule), self._finding(record, code))
        detail = HeldRecordDetail(
            candidates=match.ambiguous,
            record=record.fields,
            external_id=record.external_id,
            area=self._envelope.area,
            zip=self._envelope.zip,
            hash=record.hash,
            seen_at=self._envelope.scrape_moment,
            day=self._envelope.scrape_day,
        )
        review = NewReview(
            ReviewKind.POSSIBLE_DUPLICATE,
            self._import_id,
            record.index,
            detail,
            other_id=match.ambiguous[0] if match.ambiguous else None,
            fingerprint=self._asked(record),
        )
        self._journal.ask(review, self._import_id)

    def _said(self, record: MappedRecord) -> dict[str, object]:
        """What is kept of a record by a file that has the word."""
        return {
            "source_record": record.fields,
            "source_raw": record.raw,
            "source_hash": record.hash,
            "source_plz": record.fields["plz"],
        }

    def _identified(self, record: MappedRecord) -> dict[str, object]:
        return {"external_id": record.external_id, "source_area": self._envelope.area}

    def _word(self) -> dict[str, object]:
        """That this file has the word."""
        return {"source_word_zip": self._envelope.zip, "source_word_at": self._envelope.day_began}

    def _listing(self) -> dict[str, object]:
        """That this file lists somebody."""
        return {
            "source_zip": self._envelope.zip,
            "source_seen_at": self._envelope.scrape_moment,
            "source_day": self._envelope.scrape_day,
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
        self._remarks.add([self._finding(record, code, path)])

    def _finding(self, record: MappedRecord, code: Code, path: str = "") -> Finding:
        return Finding(f"/therapists/{record.index}{path}", code, record.index)

    @property
    def _actor(self) -> str:
        return f"import:{self._import_id}"


_NO_CHANGE = Merge({}, (), {})


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to become of one known row."""

    record: MappedRecord
    match: Match
    entry: Entry
    outcome: RecordOutcome
    code: Code | None = None
    changes: dict[str, object] = field(default_factory=dict)
    merged: Merge = _NO_CHANGE
    has_word: bool = False

    @property
    def conflicts(self) -> Sequence[Conflict]:
        return self.merged.conflicts


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
