"""The ledger of files (`import_tracking`): which file is known, what became of it, and each attempt at it.

States: `pending` (seen, or asked for again) → `success` | `partial` | `skipped` | `retrying` (with `next_attempt_at`) |
`failed` (waits for a person); `failed` → `pending` by a retry, `discarded` by a person. Every attempt has a row in
`import_attempts`, which nothing overwrites. Every function works in the caller's transaction.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from shared.core.clock import now
from shared.core.errors import CuravaniError, NotFound
from shared.database.json_text import json_text
from shared.database.statements import KernelStatement, Statement
from shared.database.tables import KernelTables
from shared.imports.source import File, Found, Item, Settlement
from shared.words.codes import Code
from shared.words.statuses import FileStatus, RecordOutcome

RETRYABLE = (FileStatus.FAILED, FileStatus.RETRYING, FileStatus.PENDING)
WAITING = (FileStatus.PENDING, FileStatus.RETRYING)
"""Waits for an attempt; what a person discards before then does so no longer."""
INTERRUPTIONS = 3
"""So often in a row a pass may be cut off at a file before the file pays for it."""


Counts = Mapping[str, int]
"""Numbers of records by their outcome."""


class Withdrawn(CuravaniError):
    """The file does not wait for an import any more: a person discarded it after the pass began. Nothing is written."""

    code = Code.NOT_ALLOWED


def known_files(connection: Connection, kernel: KernelTables, keys: Sequence[str]) -> dict[str, File]:
    """Those of the keys that the ledger knows."""
    statement = _select_files(kernel).where(kernel.import_tracking.c.source_key == _any(keys))
    return {file.source_key: file for file in _files(connection, kernel, statement)}


def register(connection: Connection, kernel: KernelTables, found: Sequence[Found[Item]]) -> dict[str, File]:
    """Makes files known, `pending`. Only for keys that are not known yet, so that numbers have no gaps."""
    if not found:
        return {}
    table = kernel.import_tracking
    rows = [{"source_key": one.key, **one.columns} for one in found]
    connection.execute(sa.insert(table), rows)
    return known_files(connection, kernel, [one.key for one in found])


def files_where(connection: Connection, kernel: KernelTables, *conditions: sa.ColumnElement[bool]) -> list[File]:
    """The files of which all conditions hold, in the order of their numbers."""
    statement = _select_files(kernel).where(*conditions).order_by(kernel.import_tracking.c.id)
    return _files(connection, kernel, statement)


def find(connection: Connection, kernel: KernelTables, import_id: int) -> RowMapping:
    """The row. Raises `NotFound`."""
    table = kernel.import_tracking
    row = connection.execute(sa.select(table).where(table.c.id == import_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("Import not found")
    return row


def note(connection: Connection, kernel: KernelTables, import_id: int, **values: object) -> None:
    """Writes down what is known by now about the file: its hash, the path of its copy, that its source is gone.

    The transaction does not wait for the disk: what a crash of the server takes back, a later pass finds out again.
    """
    written = {f"new_{name}": value for name, value in values.items()}
    _note(kernel, *values)(connection, import_id=import_id, **written)


def begin(connection: Connection, kernel: KernelTables, import_ids: Sequence[int]) -> dict[int, int]:
    """Counts an attempt at each file before anything happens to it, and forgets the findings of the one before.

    Returns how many attempts each has had since a person last asked; who is missing was withdrawn. The transaction does
    not wait for the disk: a count that a crash of the server takes back costs one more attempt.
    """
    begun = _BEGIN.of(kernel.schema)(connection, ids=list(import_ids))
    return {row.id: row.round_attempts for row in begun}


def interrupt(connection: Connection, kernel: KernelTables, import_ids: Sequence[int] | None = None) -> dict[int, int]:
    """Ends the attempts at these files (None: all) that nobody goes on with, because a pass was cut off.

    They cost no attempt, except for files at which that has happened `INTERRUPTIONS` times in a row: those are
    returned, with the number of their attempts in this round, and have to be put off.
    """
    wanted = None if import_ids is None else list(import_ids)
    rows = _INTERRUPT.of(kernel.schema)(connection, ids=wanted, limit=INTERRUPTIONS).fetchall()
    return {row.id: row.round_attempts for row in rows if row.pays}


def take_back(connection: Connection, kernel: KernelTables, import_id: int) -> None:
    """The attempt did not happen: the file was not ready."""
    _TAKE_BACK.of(kernel.schema)(connection, id=import_id)


def settle(connection: Connection, kernel: KernelTables, import_id: int, settlement: Settlement) -> None:
    """Ends the file's way for now, and its attempt.

    The counts have to cover every record; the database refuses them otherwise. Raises `Withdrawn`: a discarded file's
    import is rolled back with the caller's transaction.
    """
    settle_all(connection, kernel, {import_id: settlement})


def settle_all(connection: Connection, kernel: KernelTables, settlements: Mapping[int, Settlement]) -> None:
    """The same of several files together. Raises `Withdrawn` where one of them was discarded."""
    _end(connection, kernel, {import_id: _ended(kernel, one) for import_id, one in settlements.items()})


def _ended(kernel: KernelTables, settlement: Settlement) -> dict[str, object]:
    counts = {f"{outcome}_count": settlement.counts.get(outcome, 0) for outcome in RecordOutcome}
    return {
        **counts,
        **settlement.noted,
        kernel.total_column.name: sum(counts.values()),
        "status": settlement.status,
        "error_code": settlement.error_code,
        "next_attempt_at": None,
        "duration_ms": settlement.duration_ms,
    }


def recount(connection: Connection, kernel: KernelTables, changes: Mapping[int, Counts]) -> list[FileStatus]:
    """Changes files' counts, by the file's number, once records that were counted as held have their outcome.

    Returns each file's status as it is then.
    """
    if not changes:
        return []
    rows = [
        {"id": import_id, **{word.value: counts.get(word, 0) for word in RecordOutcome}}
        for import_id, counts in changes.items()
    ]
    recounted = _RECOUNT.of(kernel.schema)(connection, rows=json_text(rows)).fetchall()
    return [FileStatus(row.status) for row in recounted]


def postpone(connection: Connection, kernel: KernelTables, import_id: int, code: str, delay_seconds: float) -> None:
    """A transient failure: tried again after the delay. Raises `Withdrawn`."""
    due = now() + timedelta(seconds=delay_seconds)
    _end(connection, kernel, {import_id: {"status": FileStatus.RETRYING, "error_code": code, "next_attempt_at": due}})


def file_fingerprint(kernel: KernelTables, import_id: int) -> str:
    """Names the alert about this file."""
    return f"{kernel.service_name}-import:{import_id}"


def next_due(connection: Connection, kernel: KernelTables) -> datetime | None:
    """When the earliest file waits to be tried again; None if none does."""
    table = kernel.import_tracking
    waiting = table.c.status.in_(WAITING)
    return connection.execute(sa.select(sa.func.min(table.c.next_attempt_at)).where(waiting)).scalar()


def _end(connection: Connection, kernel: KernelTables, ends: Mapping[int, Mapping[str, object]]) -> None:
    """Writes how the attempts ended, unless a person has discarded one of the files since it began."""
    by_columns: dict[tuple[str, ...], list[Mapping[str, object]]] = defaultdict(list)
    for import_id, values in ends.items():
        by_columns[tuple(values)].append({"id": import_id, **values})
    for names, rows in by_columns.items():
        ids = [row["id"] for row in rows]
        ended = _write_ends(kernel, *names)(connection, ids=ids, rows=json_text(rows), moment=now())
        if len(ended.fetchall()) < len(rows):
            raise Withdrawn


# An attempt that was interrupted or taken back keeps its number, so that no two of a file have the same.
_BEGIN = KernelStatement("""
    WITH begun AS (
      UPDATE {schema}.import_tracking SET attempts = attempts + 1, round_attempts = round_attempts + 1
      WHERE id = ANY(CAST(:ids AS bigint[])) AND status IN ('pending', 'retrying')
      RETURNING id, attempts, round_attempts
    ), kept AS (
      INSERT INTO {schema}.import_attempts (import_id, number)
      SELECT id, 1 + coalesce((SELECT max(number) FROM {schema}.import_attempts WHERE import_id = begun.id), 0)
      FROM begun
    ), forgotten AS (
      DELETE FROM {schema}.import_findings WHERE import_id = ANY(ARRAY(SELECT id FROM begun WHERE attempts > 1))
    )
    SELECT id, round_attempts, set_config('synchronous_commit', 'off', true) FROM begun
""")

_INTERRUPT = KernelStatement("""
    WITH cut_off AS (
      UPDATE {schema}.import_attempts SET ended_at = clock_timestamp(), status = 'interrupted', code = 'interrupted'
      WHERE ended_at IS NULL AND (CAST(:ids AS bigint[]) IS NULL OR import_id = ANY(CAST(:ids AS bigint[])))
      RETURNING import_id
    )
    UPDATE {schema}.import_tracking SET
      interruptions = interruptions + 1,
      attempts = attempts - CASE WHEN interruptions + 1 < :limit THEN 1 ELSE 0 END,
      round_attempts = round_attempts - CASE WHEN interruptions + 1 < :limit THEN 1 ELSE 0 END
    WHERE id IN (SELECT import_id FROM cut_off) AND status IN ('pending', 'retrying')
      AND attempts > 0 AND round_attempts > 0
    RETURNING id, round_attempts, interruptions >= :limit AS pays
""")

_RECOUNT = KernelStatement(f"""
    WITH recounted AS (
      UPDATE {{schema}}.import_tracking AS file SET
        {", ".join(f"{word}_count = file.{word}_count + given.{word}" for word in RecordOutcome)},
        status = CASE WHEN file.failed_count + file.held_count + given.held > 0 THEN 'partial' ELSE 'success' END
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given(
        id bigint, {", ".join(f"{word} int" for word in RecordOutcome)}
      )
      WHERE file.id = given.id
      RETURNING file.id, file.status
    ), kept AS (
      UPDATE {{schema}}.import_attempts AS attempt SET status = recounted.status FROM recounted
      WHERE attempt.import_id = recounted.id AND attempt.status = 'partial'
    )
    SELECT id, status FROM recounted ORDER BY id
""")

_TAKE_BACK = KernelStatement("""
    WITH ended AS (
      UPDATE {schema}.import_attempts SET ended_at = clock_timestamp(), status = 'released'
      WHERE import_id = :id AND ended_at IS NULL
    )
    UPDATE {schema}.import_tracking SET attempts = attempts - 1, round_attempts = round_attempts - 1
    WHERE id = :id AND status IN ('pending', 'retrying') AND attempts > 0 AND round_attempts > 0
""")


@lru_cache(maxsize=64)
def _write_ends(kernel: KernelTables, *names: str) -> Statement:
    """Ends files and their attempts in one statement; does not find those files that do not wait any more."""
    schema = kernel.schema
    return Statement(f"""
        WITH given AS MATERIALIZED (
          SELECT * FROM jsonb_populate_recordset(NULL::{schema}.import_tracking, CAST(:rows AS jsonb))
        ), ended AS (
          UPDATE {schema}.import_tracking AS file SET processed_at = :moment, interruptions = 0,
            {", ".join(f"{name} = given.{name}" for name in names)}
          FROM given
          WHERE file.id = given.id AND file.id = ANY(CAST(:ids AS bigint[])) AND file.status IN ('pending', 'retrying')
          RETURNING file.id
        ), kept AS (
          UPDATE {schema}.import_attempts AS attempt
          SET ended_at = clock_timestamp(), status = given.status, code = given.error_code
          FROM given
          WHERE attempt.import_id = given.id AND attempt.import_id = ANY(CAST(:ids AS bigint[]))
            AND attempt.ended_at IS NULL
        )
        SELECT id FROM ended
    """)


@lru_cache(maxsize=64)
def _note(kernel: KernelTables, *names: str) -> Statement:
    table = kernel.import_tracking
    return Statement(
        sa.update(table)
        .where(table.c.id == sa.bindparam("import_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
        .returning(sa.func.set_config("synchronous_commit", "off", sa.true()))
    )


_COMMON = (
    "id", "source_key", "file_name", "file_version", "status", "attempts", "next_attempt_at", "error_code",
    "source_deleted_at", "interruptions",
)  # fmt: skip


def _select_files(kernel: KernelTables) -> sa.Select[tuple[object, ...]]:
    columns = kernel.import_tracking.c
    return sa.select(*[columns[name] for name in (*_COMMON, *kernel.own_columns)])


def _files(connection: Connection, kernel: KernelTables, statement: sa.Select[tuple[object, ...]]) -> list[File]:
    return [
        File(**{name: row[name] for name in _COMMON}, own={name: row[name] for name in kernel.own_columns})
        for row in connection.execute(statement).mappings()
    ]


def _any(keys: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.any_(sa.literal(list(keys), sa.ARRAY(sa.Text)))
