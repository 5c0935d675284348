"""What one file's page shows: its way step by step, its counts as an equation, its findings, records and changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import format_decimal, gettext
from sqlalchemy.engine import Connection, RowMapping

from shared.console import words
from shared.console.access import may
from shared.console.language import gist, ngettext
from shared.core.tokens import Role
from shared.database.tables import KernelTables
from shared.http.requests import PageQuery
from shared.imports import care, ledger, story
from shared.imports.queries import Attempt, NextMove, attempts_at, next_move
from shared.words.statuses import Action, FileStatus, RecordOutcome

_MOST_CHANGES = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, or is to come. `detail` is for people who may see values."""

    at: datetime
    what: str
    tone: words.Tone = "calm"
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the equation: how many records had this outcome."""

    number: int
    state: words.Badge


def file_page(connection: Connection, kernel: KernelTables, row: RowMapping, page: PageQuery) -> dict[str, object]:
    """The values of the page of the file in this row."""
    import_id = row["id"]
    reviews = story.reviews(connection, kernel, import_id)
    outcomes, outcomes_total = story.outcomes(connection, kernel, import_id, offset=page.offset, limit=page.limit)
    changes, changes_total = story.changes(connection, kernel, import_id, limit=_MOST_CHANGES)
    return {
        "file": row,
        "total": row[kernel.total_column.name],
        "terms": equation(row),
        "steps": steps(
            row, attempts_at(connection, kernel, import_id), story.actions(connection, kernel, import_id), reviews
        ),
        "next_step": next_step(row),
        "notes": care.notes(connection, kernel, import_id),
        "carer": care.carers(connection, kernel, [import_id]).get(import_id),
        "can_be_mended": row["status"] in ledger.RETRYABLE,
        "finding_groups": story.finding_groups(connection, kernel, import_id),
        "outcomes": outcomes,
        "outcomes_total": outcomes_total,
        "page": page.page,
        "pages": page.pages(outcomes_total),
        "changes": changes,
        "changes_total": changes_total,
        "reviews": reviews,
    }


def equation(row: RowMapping) -> list[Term]:
    """The outcomes that occurred; they add up to the file's total, which the database holds."""
    return [Term(row[f"{name}_count"], words.outcome(name)) for name in RecordOutcome if row[f"{name}_count"]]


def steps(
    row: RowMapping, attempts: Sequence[Attempt], actions: Sequence[RowMapping], reviews: Sequence[RowMapping]
) -> list[Step]:
    """The file's way, oldest first."""
    found = [*_of_the_file(row), *_of_attempts(attempts[:-1]), *_of_actions(actions), *_of_reviews(reviews)]
    return sorted(found, key=lambda step: step.at)


def next_step(row: RowMapping) -> str:
    """What happens next with the file, as a sentence."""
    texts: Mapping[NextMove, str] = {
        "import": gettext("It is imported with the next pass."),
        "retry": gettext("It is tried again by itself; there is nothing to do."),
        "person": gettext("It waits for you: try again once the cause is mended, or discard it.")
        if may(Role.OPERATE)
        else gettext("Somebody has to see to it."),
        "decide": gettext("Some of its records failed or wait for a decision; the rest is imported."),
        "delete": gettext("It is dealt with; the next pass deletes it in the bucket."),
        "nothing": gettext("Nothing. It is done."),
        "discarded": gettext("Nothing. It was decided that it is not imported."),
    }
    return texts[next_move(row)]


def _of_the_file(row: RowMapping) -> Iterator[Step]:
    in_bucket = row.get("bucket") is not None
    seen = gettext("Found in the bucket") if in_bucket else gettext("Found in the folder")
    yield Step(row["first_seen_at"], seen)
    if row["processed_at"] is not None and row["status"] != FileStatus.DISCARDED:
        # Asked for again, it still shows how the attempts before ended.
        status = FileStatus.FAILED if row["status"] == FileStatus.PENDING else row["status"]
        yield Step(row["processed_at"], _result(row, status), words.file_state(status).tone)
    if row["next_attempt_at"] is not None and row["status"] == FileStatus.RETRYING:
        yield Step(row["next_attempt_at"], gettext("Next attempt"), "busy")
    if row.get("copy_removed_at") is not None:
        yield Step(row["copy_removed_at"], gettext("Local copy removed: its time was over"))
    if in_bucket and row["source_deleted_at"] is not None:
        yield Step(row["source_deleted_at"], gettext("Deleted in the bucket"))


def _of_attempts(attempts: Sequence[Attempt]) -> Iterator[Step]:
    """Those before the last one, whose end is the file's own."""
    for attempt in attempts:
        if attempt.ended_at is not None:
            state = words.attempt(attempt.status)
            ended = gettext("Attempt %(number)s: %(state)s", number=attempt.number, state=state.word)
            yield Step(attempt.ended_at, ended + (f": {gist(attempt.code)}" if attempt.code else ""), state.tone)


def _result(row: RowMapping, status: str) -> str:
    state = words.file_state(status).word
    attempts = ngettext("%(num)s attempt", "%(num)s attempts", row["attempts"])
    result = f"{str(state)[:1].upper()}{str(state)[1:]}, {attempts}"
    if row["duration_ms"] is not None:
        seconds = format_decimal(row["duration_ms"] / 1000, "0.0##")
        result += ", " + gettext("%(seconds)s seconds", seconds=seconds)
    return result + (f": {gist(row['error_code'])}" if row["error_code"] else "")


def _of_actions(actions: Sequence[RowMapping]) -> Iterator[Step]:
    """All but the notes, which stand by themselves."""
    tones: Mapping[str, words.Tone] = {Action.DISCARD: "warn", Action.ENTER: "good", Action.CORRECT: "good"}
    for action in actions:
        if action["action"] != Action.NOTE:
            what = f"{words.actor_name(action['actor'])} {words.action(action['action'])}"
            yield Step(action["at"], what, tones.get(action["action"], "busy"), action["reason"])


def _of_reviews(reviews: Sequence[RowMapping]) -> Iterator[Step]:
    for review in reviews:
        about = f"{words.review_number(review['id'])} ({words.review_kind(review['kind'])})"
        yield Step(review["created_at"], gettext("Review %(about)s was opened", about=about), "warn")
        if review["decided_at"] is not None:
            name = words.actor_name(review["decided_by"])
            decided = gettext("%(name)s decided review %(about)s", name=name, about=about)
            yield Step(review["decided_at"], decided, "good")
