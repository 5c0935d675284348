"""The end of a scrape day: who is gone, now that it is known who is listed.

Whoever any file of the day or of a later one lists is not gone. The guard counts per postal code in whose file people
were last seen, whichever file calls them gone, and over the whole day, against the rows as they were before it, however
many passes the day comes in.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter

from sqlalchemy.engine import Connection

from shared.core.errors import Finding
from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.imports import ledger
from shared.imports.records import Outcome, write_all_findings, write_all_outcomes
from shared.reviews.values import HeldDeletion, HeldDeletionsDetail
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome
from therapist_service.imports.deletions import Deletion, day_guard_holds, guard_holds
from therapist_service.imports.removals import Removal, deletion_of, is_listed_since, locked_rows, remove_all
from therapist_service.imports.review_upkeep import ask_about_deletions, settle_answered
from therapist_service.models import kernel

_HELD = Deletion(RecordOutcome.HELD, Code.HELD_DELETION)
_SAID_TWICE = Deletion(RecordOutcome.UNCHANGED)


def conclude_days(connection: Connection, through: date | None) -> list[FileStatus]:
    """Decides the deletions that wait, those of this day and earlier ones; without a day all, and then closes the
    reviews that newer data has answered.

    Returns the status of each file that had deletions waiting.
    """
    days = [row.scrape_day for row in _WAITING_DAYS(connection, through=through).fetchall()]
    statuses = [status for day in days for status in _Day(connection, day).conclude()]
    if through is None:
        settle_answered(connection)
    return statuses


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A record that calls somebody deleted; `outcome` is None while that is not decided."""

    import_id: int
    record_index: int
    entity_id: int
    zip: str
    said_at: datetime
    rule: str
    outcome: str | None


class _Day:
    """One scrape day's deletions: those that wait, and those that earlier passes have decided."""

    def __init__(self, connection: Connection, day: date) -> None:
        self._connection = connection
        self._day = day
        self._proposals = [_Proposal(*row) for row in _PROPOSALS(connection, day=day)]
        self._rows = locked_rows(connection, {proposal.entity_id for proposal in self._proposals})

    def conclude(self) -> list[FileStatus]:
        """Marks as gone, asks, and gives each waiting record its outcome."""
        waiting = [one for one in self._proposals if one.outcome is None]
        decided = self._guarded({one: deletion_of(self._rows.get(one.entity_id), self._day) for one in waiting})
        self._remove([one for one, deletion in decided.items() if deletion.outcome == RecordOutcome.DELETED])
        return self._keep(decided)

    def _guarded(self, decided: Mapping[_Proposal, Deletion]) -> dict[_Proposal, Deletion]:
        """What becomes of each once the guard has looked at them; whom it holds, a person is asked about."""
        gone = [one for one, deletion in decided.items() if deletion.outcome == RecordOutcome.DELETED]
        by_zip: dict[str, set[int]] = defaultdict(set)
        for proposal in [*gone, *self._earlier_gone()]:
            by_zip[self._last_seen_in(proposal)].add(proposal.entity_id)
        active = {row.zip: row.active for row in _ACTIVE_BEFORE(self._connection, day=self._day, zips=list(by_zip))}
        if gone and day_guard_holds(len(set().union(*by_zip.values())), sum(active.values())):
            self._ask(gone, set(by_zip), sum(active.values()), import_id=None)
            held = set(by_zip)
        else:
            held = {code for code, people in by_zip.items() if guard_holds(len(people), active.get(code, 0))}
            for zip_code in sorted(held):
                of_zip = [proposal for proposal in gone if self._last_seen_in(proposal) == zip_code]
                if of_zip:
                    self._ask(of_zip, {zip_code}, active.get(zip_code, 0), of_zip[-1].import_id)
        kept: set[int] = set()
        return {
            one: _HELD
            if deletion.outcome == RecordOutcome.DELETED and self._last_seen_in(one) in held
            else _said_once(one, deletion, kept)
            for one, deletion in decided.items()
        }

    def _last_seen_in(self, proposal: _Proposal) -> str:
        """The postal code whose file listed the person last, which the guard counts them for."""
        row = self._rows.get(proposal.entity_id)
        return (row and row["source_zip"]) or proposal.zip

    def _earlier_gone(self) -> list[_Proposal]:
        """Those of the day whom an earlier pass has marked as gone, or has asked about, and who are not back since."""
        rows = self._rows
        return [
            one
            for one in self._proposals
            if one.outcome in (RecordOutcome.DELETED, RecordOutcome.HELD)
            and one.entity_id in rows
            and (rows[one.entity_id]["source_removed_at"] or not is_listed_since(rows[one.entity_id], self._day))
        ]

    def _ask(self, gone: Sequence[_Proposal], zips: set[str], active_before: int, import_id: int | None) -> None:
        by_person = {one.entity_id: one for one in reversed(gone)}
        deletions = [
            HeldDeletion(
                person, one.record_index if one.import_id == import_id else None, self._last_seen_in(one), self._day
            )
            for person, one in sorted(by_person.items())
        ]
        said_at = max(one.said_at for one in gone)
        detail = HeldDeletionsDetail(tuple(deletions), active_before, said_at)
        latest = max(one.import_id for one in gone)
        ask_about_deletions(self._connection, detail, zips, import_id, asked_by=latest)

    def _remove(self, gone: Sequence[_Proposal]) -> None:
        removals = [
            (Removal(self._rows[one.entity_id], self._day, one.said_at), f"import:{one.import_id}") for one in gone
        ]
        remove_all(self._connection, removals)

    def _keep(self, decided: Mapping[_Proposal, Deletion]) -> list[FileStatus]:
        by_import: dict[int, list[_Proposal]] = defaultdict(list)
        for one in sorted(decided, key=attrgetter("import_id", "record_index")):
            by_import[one.import_id].append(one)
        outcomes = {
            import_id: [self._outcome(one, decided[one]) for one in proposals]
            for import_id, proposals in by_import.items()
        }
        findings = {
            import_id: [
                Finding(f"/therapists/{one.record_index}", code, one.record_index)
                for one in proposals
                if (code := decided[one].code) is not None
            ]
            for import_id, proposals in by_import.items()
        }
        write_all_outcomes(self._connection, kernel, outcomes)
        write_all_findings(self._connection, kernel, findings)
        changes: dict[int, Counter[str]] = {}
        for import_id, of_file in outcomes.items():
            changes[import_id] = Counter(one.outcome for one in of_file)
            changes[import_id][RecordOutcome.HELD] -= len(of_file)
        kept = [
            {"import_id": one.import_id, "record_index": one.record_index, "outcome": deletion.outcome}
            for one, deletion in decided.items()
        ]
        _DECIDE(self._connection, rows=json_text(kept))
        return ledger.recount(self._connection, kernel, changes)

    def _outcome(self, one: _Proposal, deletion: Deletion) -> Outcome:
        person = one.entity_id if one.entity_id in self._rows else None
        return Outcome(one.record_index, deletion.outcome, person, deletion.code, one.rule)


def _said_once(proposal: _Proposal, deletion: Deletion, gone: set[int]) -> Deletion:
    """`gone` collects whom the day's files have called deleted so far: the second to say so says nothing new."""
    if deletion.outcome != RecordOutcome.DELETED:
        return deletion
    if proposal.entity_id in gone:
        return _SAID_TWICE
    gone.add(proposal.entity_id)
    return deletion


_WAITING_DAYS = Statement("""
    SELECT DISTINCT scrape_day FROM therapist_service.proposed_deletions
    WHERE outcome IS NULL AND scrape_day <= coalesce(CAST(:through AS date), 'infinity') ORDER BY scrape_day
""")

_PROPOSALS = Statement("""
    SELECT import_id, record_index, entity_id, zip, said_at, rule, outcome
    FROM therapist_service.proposed_deletions WHERE scrape_day = :day ORDER BY import_id, record_index
""")

# Of the postal codes that have a file of the day, and those of the deletions in any case.
_ACTIVE_BEFORE = Statement("""
    SELECT zip, CAST(coalesce(days.active_before ->> zip, '0') AS int) AS active
    FROM therapist_service.scrape_days AS days, (
      SELECT zip FROM therapist_service.scrape_fill WHERE scrape_day = :day UNION SELECT unnest(CAST(:zips AS text[]))
    ) AS files
    WHERE days.scrape_day = :day
""")

_DECIDE = Statement("""
    UPDATE therapist_service.proposed_deletions AS proposed SET outcome = given.outcome
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given(import_id bigint, record_index int, outcome text)
    WHERE proposed.import_id = given.import_id AND proposed.record_index = given.record_index
""")
