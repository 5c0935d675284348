"""Reading the ledger for people: lists and single files with all that is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.core.errors import Finding
from shared.database.tables import KernelTables
from shared.fields.validation import InvalidInput
from shared.imports import ledger
from shared.text.keys import search_words
from shared.words.codes import Code, describe
from shared.words.statuses import AttemptStatus, FileStatus

HIDDEN = ("source_key", "local_path", "bucket", "round_attempts", "interruptions", "delete_source")
"""Columns of the ledger that are its own business."""
_MANY = 1000
_MOST_WORDS = 20
"""Of a search: each is one look through all names."""


def list_imports(
    connection: Connection,
    kernel: KernelTables,
    *,
    status: str | None = None,
    code: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
    search: str | None = None,
    oldest_first: bool = False,
    offset: int = 0,
    limit: int = 20,
) -> tuple[list[RowMapping], int]:
    """A page of files, newest first unless told, and how many there are in all; `since` and `before` bound when they
    were first seen, and each word of `search` occurs in their names. Raises `InvalidInput` for too many words.
    """
    table = kernel.import_tracking
    columns, conditions = table.c, []
    conditions += [columns.status == status] if status is not None else []
    conditions += [columns.error_code == code] if code is not None else []
    conditions += [columns.first_seen_at >= since] if since is not None else []
    conditions += [columns.first_seen_at < before] if before is not None else []
    conditions += _named_with(columns.file_name, search) if search is not None else []
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()
    order = columns.id if oldest_first else columns.id.desc()
    page = sa.select(table).where(*conditions).order_by(order).offset(offset).limit(limit)
    return list(connection.execute(page).mappings()), total


def _named_with(name: sa.ColumnElement[str], search: str) -> list[sa.ColumnElement[bool]]:
    wanted = search_words(search)
    if len(wanted) > _MOST_WORDS:
        raise InvalidInput(f"Search for at most {_MOST_WORDS} words", [Finding("/search", Code.TOO_LONG)])
    # Where the database's locale is "C", letters beyond ASCII keep their case.
    spelled: sa.ColumnElement[str] = sa.func.lower(sa.func.translate(sa.func.normalize(name), "ÄÖÜ", "äöü"))
    for umlaut, spelling in _SPELLINGS.items():
        spelled = sa.func.replace(spelled, umlaut, spelling)
    return [spelled.contains(word, autoescape=True) for word in wanted]


_SPELLINGS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}

Entries = list[dict[str, object]]
"""What a program is shown of rows: names and values."""


@dataclass(frozen=True, slots=True)
class ReviewOfFile:
    """A review of a record of the file, without its details."""

    id: int
    kind: str
    state: str
    record_index: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a file: when, and how it ended."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    status: AttemptStatus
    code: str | None


@dataclass(frozen=True, slots=True)
class FileStory:
    """One file: its row, findings, outcomes, the fields that it changed (names only) and what happens next."""

    row: dict[str, object]
    next_step: str
    attempts_made: list[Attempt]
    findings: Entries
    outcomes: Entries
    changed_fields: Entries
    reviews: list[ReviewOfFile]
    actions: Entries

    def as_json(self) -> dict[str, object]:
        """The row's columns and all the rest in one object."""
        named: dict[str, object] = asdict(self)
        del named["row"]
        return self.row | named


def show_import(connection: Connection, kernel: KernelTables, import_id: int) -> FileStory:
    """All that is known of one file, at most a thousand entries of a kind.

    Raises `NotFound`.
    """
    row = ledger.find(connection, kernel, import_id)
    changes = kernel.field_changes.c
    changed = (
        sa.select(changes.entity_id, changes.field)
        .where(changes.changed_by == f"import:{import_id}")
        .order_by(changes.entity_id, changes.id)
        .limit(_MANY)
    )
    return FileStory(
        row=visible(row),
        next_step=next_step(row),
        attempts_made=attempts_at(connection, kernel, import_id),
        findings=_of_import(connection, kernel.import_findings, import_id),
        outcomes=_of_import(connection, kernel.import_outcomes, import_id),
        changed_fields=[dict(entry) for entry in connection.execute(changed).mappings()],
        reviews=_reviews(connection, kernel, import_id),
        actions=_of_import(connection, kernel.operator_actions, import_id, ("action", "actor", "reason", "at")),
    )


def _reviews(connection: Connection, kernel: KernelTables, import_id: int) -> list[ReviewOfFile]:
    columns = kernel.reviews.c
    shown = sa.select(columns.id, columns.kind, columns.state, columns.record_index)
    rows = connection.execute(shown.where(columns.import_id == import_id).order_by(columns.id).limit(_MANY))
    return [ReviewOfFile(*row) for row in rows]


def attempts_at(connection: Connection, kernel: KernelTables, import_id: int) -> list[Attempt]:
    """Every attempt at the file, in order."""
    columns = kernel.import_attempts.c
    shown = sa.select(columns.number, columns.started_at, columns.ended_at, columns.status, columns.code)
    rows = connection.execute(shown.where(columns.import_id == import_id).order_by(columns.number).limit(_MANY))
    return [Attempt(row.number, row.started_at, row.ended_at, AttemptStatus(row.status), row.code) for row in rows]


def visible(row: RowMapping) -> dict[str, object]:
    """The file's row as people may see it."""
    return {name: value for name, value in row.items() if name not in HIDDEN}


NextMove = Literal["import", "retry", "person", "decide", "delete", "nothing", "discarded"]


def next_move(row: RowMapping) -> NextMove:
    """What happens next with a file: an import by the next pass, a retry at its time, a person's word, decisions on its
    records, the delete of its source, or nothing more."""
    is_in_bucket = row.get("bucket") is not None and row["source_deleted_at"] is None
    match row["status"]:
        case FileStatus.PENDING:
            return "import"
        case FileStatus.RETRYING:
            return "retry"
        case FileStatus.FAILED:
            return "person"
        case FileStatus.PARTIAL:
            return "decide"
        case FileStatus.DISCARDED:
            return "delete" if is_in_bucket and row.get("delete_source") else "discarded"
        case _:
            return "delete" if is_in_bucket else "nothing"


def next_step(row: RowMapping) -> str:
    """What happens next with this file, in one English sentence."""
    code = row["error_code"]
    advice = describe(code).english if code else ""
    match next_move(row):
        case "retry":
            return f"It is tried again by itself at {row['next_attempt_at']:%Y-%m-%d %H:%M} UTC. {advice}"
        case "person":
            return f"It waits for a person: retry or discard it. {advice}"
        case move:
            return _NEXT_STEPS[move]


_NEXT_STEPS: Mapping[NextMove, str] = {
    "import": "It is imported with the next pass.",
    "decide": "Some of its records are held or failed; see its findings and reviews.",
    "delete": "It is dealt with; its object in the bucket is still to be deleted, which every pass tries again.",
    "nothing": "Nothing; it is done.",
    "discarded": "Nothing. A person decided that it is not imported.",
}


def _of_import(
    connection: Connection, table: sa.Table, import_id: int, names: Sequence[str] | None = None
) -> list[dict[str, object]]:
    shown = [
        column for column in table.c if (names is None and column.name != "import_id") or column.name in (names or ())
    ]
    statement = sa.select(*shown).where(table.c.import_id == import_id).order_by(table.c.id).limit(_MANY)
    return [
        {name: value for name, value in row.items() if names or name != "id"}
        for row in connection.execute(statement).mappings()
    ]
