"""What the overview counts: what came in beside what is usual, and the last weeks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any

from sqlalchemy.engine import Connection

from shared.database.statements import KernelStatement
from shared.database.tables import OUTCOME_COUNTS, KernelTables

WEEKS = 12
_COMPARED_WEEKS = 8


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What came in within some time: files, and in them the records that were new and those that changed somebody."""

    files: int = 0
    new: int = 0
    updated: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """What came in today and this week so far, each beside what is usual up to the same day and hour: the median of the
    weeks before. `weeks` says of how many; with fewer than two, nothing is usual yet."""

    today: Arrivals
    this_week: Arrivals
    usual_day: Arrivals
    usual_week: Arrivals
    weeks: int

    @property
    def is_comparable(self) -> bool:
        return self.weeks > 1


@dataclass(frozen=True, slots=True)
class Week:
    """Files of the week that begins with `monday`, by what became of them, and the records in them."""

    monday: date
    imported: int
    failed: int
    left_out: int
    records: int

    @property
    def files(self) -> int:
        return self.imported + self.failed + self.left_out


def compared(connection: Connection, kernel: KernelTables) -> Compared:
    """What came in today and this week, compared with the weeks before in which there was anything to count."""
    rows = _ARRIVALS.of(kernel.schema)(connection, weeks=_COMPARED_WEEKS).fetchall()
    this, *before = rows
    counted = [row for row in before if row.is_counted]
    return Compared(
        today=Arrivals(this.day_files, this.day_new, this.day_updated),
        this_week=Arrivals(this.files, this.new, this.updated),
        usual_day=Arrivals(*(_usual(counted, name) for name in ("day_files", "day_new", "day_updated"))),
        usual_week=Arrivals(*(_usual(counted, name) for name in ("files", "new", "updated"))),
        weeks=len(counted),
    )


def _usual(rows: Sequence[Any], name: str) -> int:
    return round(median(getattr(row, name) for row in rows)) if rows else 0


# A week counts from the one on in which the first file came; days and weeks are Germany's, also where clocks change.
_ARRIVALS = KernelStatement("""
    WITH moments AS (
      SELECT back, (now() AT TIME ZONE 'Europe/Berlin') - back * interval '7 days' AS local
        FROM generate_series(0, :weeks) AS back),
    spans AS (
      SELECT back, local AT TIME ZONE 'Europe/Berlin' AS until,
             date_trunc('week', local) AT TIME ZONE 'Europe/Berlin' AS monday,
             date_trunc('day', local) AT TIME ZONE 'Europe/Berlin' AS midnight
        FROM moments)
    SELECT back, count(id) AS files, coalesce(sum(new_count), 0) AS new, coalesce(sum(updated_count), 0) AS updated,
           count(id) FILTER (WHERE first_seen_at >= midnight) AS day_files,
           coalesce(sum(new_count) FILTER (WHERE first_seen_at >= midnight), 0) AS day_new,
           coalesce(sum(updated_count) FILTER (WHERE first_seen_at >= midnight), 0) AS day_updated,
           until >= (SELECT min(first_seen_at) FROM {schema}.import_tracking) AS is_counted
      FROM spans LEFT JOIN {schema}.import_tracking ON first_seen_at >= monday AND first_seen_at <= until
     GROUP BY back, until ORDER BY back
""")


def weeks(connection: Connection, kernel: KernelTables, day: date) -> list[Week]:
    """The last weeks up to that of `day`, oldest first, also those without a file."""
    this_monday = day - timedelta(days=day.weekday())
    mondays = [this_monday - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    rows = _WEEKS.of(kernel.schema)(connection, first=mondays[0])
    found = {row.monday: Week(*row) for row in rows}
    return [found.get(start, Week(start, 0, 0, 0, 0)) for start in mondays]


# Weeks begin at midnight in Germany. The records are the sum of the outcomes: the books balance.
_WEEKS = KernelStatement(f"""
    SELECT date_trunc('week', processed_at AT TIME ZONE 'Europe/Berlin')::date AS monday,
           count(*) FILTER (WHERE status IN ('success', 'partial')) AS imported,
           count(*) FILTER (WHERE status IN ('failed', 'retrying')) AS failed,
           count(*) FILTER (WHERE status IN ('skipped', 'discarded')) AS left_out,
           sum({" + ".join(OUTCOME_COUNTS)}) AS records
      FROM {{schema}}.import_tracking
     WHERE processed_at >= CAST(:first AS timestamp) AT TIME ZONE 'Europe/Berlin'
     GROUP BY monday
""")
