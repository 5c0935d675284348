"""What the overview shows beside the checks: the latest failed files, and the last weeks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.engine import Connection

from shared.database.statements import KernelStatement
from shared.database.tables import KernelTables

WEEKS = 12


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that waits for a person."""

    id: int
    error_code: str | None


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


def latest_failed(connection: Connection, kernel: KernelTables) -> Sequence[FailedFile]:
    """The failed files that came last, a few of them."""
    return [FailedFile(*row) for row in _LATEST_FAILED.of(kernel.schema)(connection)]


_LATEST_FAILED = KernelStatement("""
    SELECT id, error_code FROM {schema}.import_tracking WHERE status = 'failed' ORDER BY id DESC LIMIT 5
""")


def weeks(connection: Connection, kernel: KernelTables, day: date) -> list[Week]:
    """The last weeks up to that of `day`, oldest first, also those without a file."""
    this_monday = day - timedelta(days=day.weekday())
    mondays = [this_monday - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    rows = _WEEKS.of(kernel.schema)(connection, first=mondays[0])
    found = {row.monday: Week(*row) for row in rows}
    return [found.get(start, Week(start, 0, 0, 0, 0)) for start in mondays]


# Weeks begin at midnight in Germany. The records are the sum of the outcomes: the books balance.
_WEEKS = KernelStatement("""
    SELECT date_trunc('week', processed_at AT TIME ZONE 'Europe/Berlin')::date AS monday,
           count(*) FILTER (WHERE status IN ('success', 'partial')) AS imported,
           count(*) FILTER (WHERE status IN ('failed', 'retrying')) AS failed,
           count(*) FILTER (WHERE status IN ('skipped', 'discarded')) AS left_out,
           sum(new_count + updated_count + unchanged_count + deleted_count + reactivated_count + skipped_count
               + held_count + failed_count) AS records
      FROM {schema}.import_tracking
     WHERE processed_at >= CAST(:first AS timestamp) AT TIME ZONE 'Europe/Berlin'
     GROUP BY monday
""")
