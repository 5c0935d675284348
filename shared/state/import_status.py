"""How an import is doing, from the database alone: the same answer from every process."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.core.clock import GERMANY, now
from shared.database.tables import KernelTables
from shared.imports.passes import last_pass
from shared.words.codes import describe
from shared.workers.heartbeats import leader_of

_RECENT = 10


def import_status(connection: Connection, kernel: KernelTables, interval_seconds: int) -> dict[str, Any]:
    """The answer of `import-status`, times as ISO 8601 texts. "Today" is the calendar day in Germany."""
    tracking = kernel.import_tracking.c
    latest = last_pass(connection, kernel)
    midnight = now().astimezone(GERMANY).replace(hour=0, minute=0, second=0, microsecond=0)
    today = tracking.processed_at >= midnight
    done = tracking.status.in_(("success", "partial"))
    failed = tracking.status == "failed"
    counts = connection.execute(
        sa.select(
            sa.func.count().filter(done, today).label("files_processed_today"),
            sa.func.count().filter(failed, today).label("files_failed_today"),
            sa.func.count().filter(done).label("total_processed"),
            sa.func.count().filter(failed).label("total_failed"),
            sa.func.coalesce(sa.func.sum(kernel.total_column).filter(done, today), 0).label("records_today"),
        )
    ).one()
    last_error = _last_error(connection, kernel)
    return {
        "running": leader_of(connection, kernel, "import") is not None,
        "last_check": _iso(latest["finished_at"] if latest else None),
        "next_check": _iso(_next_check(latest, interval_seconds)),
        "files_processed_today": counts.files_processed_today,
        "files_failed_today": counts.files_failed_today,
        "total_processed": counts.total_processed,
        "total_failed": counts.total_failed,
        "last_error": last_error[0],
        "last_error_time": _iso(last_error[1]),
        "recent_imports": _recent(connection, kernel),
        f"{kernel.service_name}s_processed_today": int(counts.records_today),
        "total_files_processed": counts.total_processed,
    }


def _next_check(latest: Any, interval_seconds: int) -> datetime | None:
    if latest is None:
        return None
    due: datetime | None = latest["next_pass_at"]
    return due or latest["finished_at"] + timedelta(seconds=interval_seconds)


def _last_error(connection: Connection, kernel: KernelTables) -> tuple[str | None, datetime | None]:
    """The latest failure of a file or of a whole pass, as a sentence."""
    tracking, passes = kernel.import_tracking.c, kernel.import_passes.c
    of_files = sa.select(tracking.error_code.label("code"), tracking.processed_at.label("at")).where(
        tracking.error_code.is_not(None), tracking.status.in_(("failed", "retrying"))
    )
    of_passes = sa.select(passes.error_code, passes.finished_at).where(passes.error_code.is_not(None))
    both = sa.union_all(of_files, of_passes).subquery()
    found = connection.execute(sa.select(both).order_by(both.c.at.desc().nulls_last()).limit(1)).one_or_none()
    if found is None:
        return None, None
    return f"{found.code}: {describe(found.code).english}", found.at


def _recent(connection: Connection, kernel: KernelTables) -> list[dict[str, Any]]:
    """The latest files, without their names: this is for the role `read`."""
    tracking = kernel.import_tracking.c
    columns = [tracking.id, tracking.status, tracking.error_code, tracking.processed_at, kernel.total_column]
    statement = (
        sa.select(*columns)
        .where(tracking.processed_at.is_not(None))
        .order_by(tracking.processed_at.desc(), tracking.id.desc())
        .limit(_RECENT)
    )
    rows = connection.execute(statement).mappings()
    return [{**row, "processed_at": _iso(row["processed_at"])} for row in rows]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
