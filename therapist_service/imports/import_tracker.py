"""What the ledger keeps of scrape files: their key, what was applied before, and which versions are outdated."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.alerts.outbox import resolve_problem
from shared.core.clock import now
from shared.database.statements import Statement
from shared.imports.ledger import RETRYABLE, file_fingerprint
from shared.imports.source import File, Found
from shared.words.codes import Code
from shared.words.statuses import FileStatus
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.mapping import MAPPING_VERSION
from therapist_service.imports.scrape_files import ScrapeFile
from therapist_service.models import kernel

_tracking = kernel.import_tracking


def found(file: ScrapeFile) -> Found[ScrapeFile]:
    """This version of the file as the engine takes it."""
    columns = {
        "file_name": file.path,
        "file_version": file.version,
        "file_size": file.size,
        "zip": file.zip,
        "mapping_version": MAPPING_VERSION,
    }
    return Found(f"{file.path}|{file.version}", file, columns)


def supersede_older_versions(connection: Connection, found: Sequence[Found[ScrapeFile]]) -> None:
    """A file that was replaced under its name can no longer be read: what waited for it waits for nothing."""
    columns = _tracking.c
    paths = sa.literal([one.item.path for one in found], sa.ARRAY(sa.Text))
    keys = sa.literal([one.key for one in found], sa.ARRAY(sa.Text))
    replaced = connection.execute(
        sa.update(_tracking)
        .where(columns.status.in_(RETRYABLE), columns.file_name == sa.any_(paths), columns.source_key != sa.all_(keys))
        .values(status=FileStatus.SKIPPED, error_code=Code.SUPERSEDED, next_attempt_at=None, processed_at=now())
        .returning(columns.id)
    ).scalars()
    for import_id in list(replaced):
        resolve_problem(connection, kernel, file_fingerprint(kernel, import_id))


@dataclass(frozen=True, slots=True)
class AppliedBefore:
    """What was applied before of a postal code: the latest scrape's moment, and the last files' record counts.

    `same_content` says that a file with the very same bytes was applied, wherever it stood.
    """

    same_content: bool
    latest: datetime | None
    usual_counts: Sequence[int]

    def why_needless(self, envelope: Envelope) -> str | None:
        """`duplicate_content` or `superseded` where an applied file makes this one needless."""
        if self.same_content:
            return Code.DUPLICATE_CONTENT
        is_older = self.latest is not None and day_of(self.latest) > envelope.scrape_day
        return Code.SUPERSEDED if is_older else None


def applied_before(connection: Connection, import_id: int, sha256: str, zip_code: str) -> AppliedBefore:
    """What was applied before, apart from this import."""
    return AppliedBefore(*_APPLIED_BEFORE.one(connection, id=import_id, hash=sha256, zip=zip_code))


def was_applied_on(connection: Connection, zip_code: str, day: date) -> bool:
    """Whether a scrape of this postal code and day was applied."""
    return bool(_WAS_APPLIED_ON.one(connection, zip=zip_code, start=_start_of(day), end=_start_of(day, 1))[0])


def count_is_accepted(file: File) -> bool:
    """Whether a person has asked again for a file whose number of records was not believed: it is so, after all."""
    return (file.status, file.error_code) == (FileStatus.PENDING, Code.IMPLAUSIBLE_COUNT)


def day_of(moment: datetime) -> date:
    """The calendar day of a scrape, as its envelope counts it."""
    return moment.astimezone(UTC).date()


def _start_of(day: date, later: int = 0) -> datetime:
    return datetime.combine(day + timedelta(days=later), time(), UTC)


_WAS_APPLIED_ON = Statement("""
    SELECT EXISTS (
      SELECT FROM therapist_service.import_tracking
      WHERE zip = :zip AND scrape_date >= :start AND scrape_date < :end AND status IN ('success', 'partial')
    )
""")

_APPLIED_BEFORE = Statement("""
    WITH applied AS NOT MATERIALIZED (
      SELECT id, file_hash, zip, scrape_date, therapist_count AS records FROM therapist_service.import_tracking
      WHERE status IN ('success', 'partial') AND id <> :id
    )
    SELECT EXISTS (SELECT FROM applied WHERE file_hash = :hash),
      (SELECT max(scrape_date) FROM applied WHERE zip = :zip),
      ARRAY(SELECT records FROM applied WHERE zip = :zip ORDER BY scrape_date DESC, id DESC LIMIT 3)
""")
