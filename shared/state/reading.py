"""Reads the `Snapshot`: the one place that counts rows for health, metrics, status, overview and mails."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.engine import Connection

from shared.alerts.outbox import watched
from shared.core.clock import GERMANY
from shared.database.locks import LockName, holders
from shared.database.statements import KernelStatement
from shared.database.tables import OUTCOME_COUNTS, KernelTables
from shared.events.queue import BROKER_PROBLEM
from shared.state.snapshot import Backlog, Failure, FinishedPass, Heartbeat, RecentFile, Snapshot, Tally
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind, Work, WorkerState

_DAY = timedelta(days=1)
_APPLIED = (FileStatus.SUCCESS, FileStatus.PARTIAL)

_Rows = Sequence[Any]
"""The driver's named tuples: they end in this file."""


def read_snapshot(connection: Connection, kernel: KernelTables) -> Snapshot:
    """One service's import as this transaction sees it."""
    schema = kernel.schema
    passes = _PASSES.of(schema).one(connection)
    ledger = _LEDGER.of(schema)(connection).fetchall()
    waiting = _WAITING.of(schema).one(connection, own=watched("alerts_waiting"), broker=BROKER_PROBLEM)
    return Snapshot(
        at=passes.at,
        first_pass_at=passes.first_pass_at,
        last_pass=_last_pass(connection, schema),
        last_success_at=passes.last_success_at,
        unfinished_since=passes.unfinished_since,
        in_pass=_since(passes.unfinished_since, connection, schema) if passes.unfinished_since else Tally(),
        files={FileStatus(row.status): row.files for row in ledger},
        records=_records(ledger),
        due=waiting.due,
        waiting_since=waiting.oldest_file,
        new_scrape_at=max((row.newest for row in ledger if row.status in _APPLIED), default=None),
        today=_since(_midnight(passes.at), connection, schema),
        last_day=_since(passes.at - _DAY, connection, schema),
        recent=_recent(connection, schema),
        last_failure=_last_failure(connection, schema),
        deletes=_deletes(connection, kernel),
        events=Backlog(waiting.events, waiting.oldest_event),
        parked=waiting.parked,
        unknown_copies=waiting.unknown_copies,
        alerts=Backlog(waiting.alerts, waiting.oldest_alert),
        problems=waiting.problems,
        is_broker_told=waiting.is_broker_told,
        open_reviews={ReviewKind(row.kind): row.number for row in _REVIEWS.of(schema)(connection)},
        heartbeats=_heartbeats(connection, schema),
        lock_holders=_lock_holders(connection, schema),
    )


_PASSES = KernelStatement("""
    SELECT now() AS at,
           (SELECT min(started_at) FROM {schema}.import_passes) AS first_pass_at,
           (SELECT finished_at FROM {schema}.import_passes WHERE finished_at IS NOT NULL AND error_code IS NULL
             ORDER BY id DESC LIMIT 1) AS last_success_at,
           (SELECT CASE WHEN finished_at IS NULL THEN started_at END FROM {schema}.import_passes
             ORDER BY id DESC LIMIT 1) AS unfinished_since
""")


def _last_pass(connection: Connection, schema: str) -> FinishedPass | None:
    row = _LAST_PASS.of(schema)(connection).fetchone()
    return FinishedPass(*row) if row else None


# One that was cut off has said nothing about how the import is.
_LAST_PASS = KernelStatement("""
    SELECT started_at, finished_at, next_pass_at, error_code, counts
      FROM {schema}.import_passes WHERE finished_at IS NOT NULL AND error_code IS DISTINCT FROM 'interrupted'
     ORDER BY id DESC LIMIT 1
""")


def _records(rows: _Rows) -> dict[RecordOutcome, int]:
    return {outcome: sum(getattr(row, outcome) for row in rows) for outcome in RecordOutcome}


_SUMS = ", ".join(f"sum({outcome}_count) AS {outcome}" for outcome in RecordOutcome)
_LEDGER = KernelStatement(f"""
    SELECT status, count(*) AS files, max(first_seen_at) AS newest,
           {_SUMS}
      FROM {{schema}}.import_tracking GROUP BY status
""")


def _since(moment: datetime, connection: Connection, schema: str) -> Tally:
    rows = _LEDGER_SINCE.of(schema)(connection, moment=moment).fetchall()
    files = Counter({row.status: row.files for row in rows})
    return Tally(
        files=files.total(),
        applied=sum(files[status] for status in _APPLIED),
        failed=files[FileStatus.FAILED],
        records=_records([row for row in rows if row.status in _APPLIED]),
    )


_LEDGER_SINCE = KernelStatement(f"""
    SELECT status, count(*) AS files,
           {_SUMS}
      FROM {{schema}}.import_tracking WHERE processed_at >= :moment GROUP BY status
""")


def _midnight(at: datetime) -> datetime:
    """The beginning of the calendar day in Germany."""
    return at.astimezone(GERMANY).replace(hour=0, minute=0, second=0, microsecond=0)


def _recent(connection: Connection, schema: str) -> list[RecentFile]:
    rows = _RECENT.of(schema)(connection)
    return [RecentFile(row.id, FileStatus(row.status), row.error_code, row.processed_at, row.records) for row in rows]


_RECENT = KernelStatement(f"""
    SELECT id, status, error_code, processed_at,
           {" + ".join(OUTCOME_COUNTS)} AS records
      FROM {{schema}}.import_tracking WHERE processed_at IS NOT NULL ORDER BY processed_at DESC, id DESC LIMIT 10
""")


def _last_failure(connection: Connection, schema: str) -> Failure | None:
    row = _LAST_FAILURE.of(schema)(connection).fetchone()
    return Failure(*row) if row else None


_LAST_FAILURE = KernelStatement("""
    SELECT code, at
      FROM (SELECT error_code AS code, processed_at AS at FROM {schema}.import_tracking
             WHERE status IN ('failed', 'retrying') AND error_code IS NOT NULL
             UNION ALL
            SELECT error_code, finished_at FROM {schema}.import_passes WHERE error_code IS NOT NULL) AS failures
     ORDER BY at DESC NULLS LAST LIMIT 1
""")

# What was over before anybody was told of it is not mailed.
_WAITING = KernelStatement("""
    SELECT *
      FROM (SELECT count(*) FILTER (WHERE next_attempt_at IS NULL OR next_attempt_at <= now()) AS due,
                   min(first_seen_at) AS oldest_file
              FROM {schema}.import_tracking WHERE status IN ('pending', 'retrying')) AS files,
           (SELECT count(*) FILTER (WHERE parked_code IS NULL) AS events,
                   min(created_at) FILTER (WHERE parked_code IS NULL) AS oldest_event,
                   count(parked_code) AS parked
              FROM {schema}.event_outbox WHERE sent_at IS NULL) AS events,
           (SELECT count(*) AS alerts, min(created_at) AS oldest_alert
              FROM {schema}.alert_outbox
             WHERE sent_at IS NULL AND (kind <> 'problem' OR resolved_at IS NULL) AND fingerprint <> :own) AS alerts,
           (SELECT count(*) AS problems, count(*) FILTER (WHERE fingerprint = :broker OR fingerprint LIKE 'topic:%') > 0
                     AS is_broker_told,
                   coalesce(max((detail->>'number')::int) FILTER (WHERE code = 'copy_unknown'), 0) AS unknown_copies
              FROM {schema}.alert_outbox WHERE kind = 'problem' AND resolved_at IS NULL) AS problems
""")


def _deletes(connection: Connection, kernel: KernelTables) -> Backlog:
    return Backlog(*_DELETES.of(kernel.schema).one(connection)) if kernel.releases_sources else Backlog()


# Only where files leave their source are there the columns that say so.
_DELETES = KernelStatement("""
    SELECT count(*) AS deletes, min(processed_at) AS oldest_delete
      FROM {schema}.import_tracking
     WHERE bucket IS NOT NULL AND source_deleted_at IS NULL
       AND (status IN ('success', 'skipped') OR (status = 'discarded' AND delete_source))
""")

_REVIEWS = KernelStatement("""
    SELECT kind, count(*) AS number FROM {schema}.reviews WHERE state = 'open' GROUP BY kind ORDER BY kind
""")


def _heartbeats(connection: Connection, schema: str) -> list[Heartbeat]:
    return [
        Heartbeat(Work(row.worker), row.process, WorkerState(row.state), row.started_at, row.beat_at)
        for row in _HEARTBEATS.of(schema)(connection)
    ]


_HEARTBEATS = KernelStatement("SELECT worker, process, state, started_at, beat_at FROM {schema}.worker_heartbeats")


def _lock_holders(connection: Connection, schema: str) -> dict[Work, str]:
    found = holders(connection, [LockName(schema, work) for work in Work])
    return {Work(lock.work): process for lock, process in found.items()}
