"""What the ledger keeps of scrape files: their key, what was applied before, and which versions are outdated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.alerts.outbox import raise_problem, resolve_problem
from shared.core.clock import now
from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.imports.ledger import RETRYABLE, file_fingerprint
from shared.imports.source import File, Found
from shared.words.codes import Code
from shared.words.statuses import AlertKind, FileStatus
from therapist_service.imports.envelope import Envelope
from therapist_service.imports.mapping import MAPPING_VERSION
from therapist_service.imports.scrape_files import ScrapeFile
from therapist_service.models import kernel

_files = kernel.import_tracking


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


def know_again(connection: Connection, found: Sequence[Found[ScrapeFile]]) -> None:
    """Files that were registered without their time of change, as earlier versions of the program did, get it now:
    otherwise what a person has discarded would be new."""
    versions = [{"path": one.item.path, "key": one.key, "version": one.item.version} for one in found]
    _KNOW_AGAIN(connection, found=json_text(versions))


def tell_of_folders(connection: Connection, unreadable: Sequence[str]) -> None:
    """One mail for each dated folder that may not be read, and another one once it may."""
    alerts = kernel.alert_outbox.c
    open_problems = sa.select(alerts.fingerprint).where(
        alerts.code == Code.FOLDER_UNREADABLE, alerts.kind == AlertKind.PROBLEM, alerts.resolved_at.is_(None)
    )
    troubled = [f"{kernel.service_name}-import:folder:{name}" for name in unreadable]
    for fingerprint in set(connection.execute(open_problems).scalars()) - set(troubled):
        resolve_problem(connection, kernel, fingerprint)
    for fingerprint in troubled:
        raise_problem(connection, kernel, code=Code.FOLDER_UNREADABLE, fingerprint=fingerprint)


def supersede_older_versions(connection: Connection, found: Sequence[Found[ScrapeFile]]) -> None:
    """A file that was replaced under its name can no longer be read: what waited for it waits for nothing."""
    columns = _files.c
    paths = sa.literal([one.item.path for one in found], sa.ARRAY(sa.Text))
    keys = sa.literal([one.key for one in found], sa.ARRAY(sa.Text))
    replaced = connection.execute(
        sa.update(_files)
        .where(columns.status.in_(RETRYABLE), columns.file_name == sa.any_(paths), columns.source_key != sa.all_(keys))
        .values(status=FileStatus.SKIPPED, error_code=Code.SUPERSEDED, next_attempt_at=None, processed_at=now())
        .returning(columns.id)
    ).scalars()
    for import_id in list(replaced):
        resolve_problem(connection, kernel, file_fingerprint(kernel, import_id))


@dataclass(frozen=True, slots=True)
class AppliedBefore:
    """What was applied before of a postal code, beside a scrape of it: the last files' record counts, latest first.

    `is_superseded`: by a later day's file, or a later one of the same day. `is_duplicate`: these very bytes were
    applied last, or on the same scrape day under another name.
    """

    is_superseded: bool
    is_duplicate: bool
    usual_counts: Sequence[int]
    leaves_out: bool
    """Whether there is anybody whom imports leave out."""

    def why_needless(self) -> Code | None:
        """`superseded` or `duplicate_content` where an applied file makes this one needless."""
        if self.is_superseded:
            return Code.SUPERSEDED
        return Code.DUPLICATE_CONTENT if self.is_duplicate else None

    @property
    def last_count(self) -> int:
        return self.usual_counts[0] if self.usual_counts else 0


def applied_before(connection: Connection, files: Mapping[int, tuple[str, Envelope]]) -> dict[int, AppliedBefore]:
    """What was applied before each of these files, of which the hash is given, apart from these.

    From here to the end of the transaction nobody is erased: who is to be, is known to whatever comes after.
    """
    _LOCK_OUT_ERASURES(connection)
    given = [
        (envelope.scrape_moment if envelope.states_moment else None, envelope.zip, envelope.scrape_day, sha256)
        for sha256, envelope in files.values()
    ]
    stated, zips, days, hashes = (list(column) for column in zip(*given, strict=True))
    found = _APPLIED_BEFORE(connection, ids=list(files), stated=stated, zips=zips, days=days, hashes=hashes)
    return {row[0]: AppliedBefore(*row[1:]) for row in found}


def was_applied_on(connection: Connection, zip_code: str, day: date) -> bool:
    """Whether a scrape of this postal code and day was applied."""
    return bool(_WAS_APPLIED_ON.one(connection, zip=zip_code, day=day)[0])


def known_by(sha256: str, envelope: Envelope) -> dict[str, object]:
    """What the ledger notes of a scrape that was read."""
    stated = envelope.scrape_moment if envelope.states_moment else None
    return {"file_hash": sha256, "scrape_day": envelope.scrape_day, "scrape_date": stated}


def is_accepted(file: File) -> bool:
    """Whether a person has asked again for a file that was not believed: it is so, after all."""
    return file.status == FileStatus.PENDING and file.error_code in (Code.IMPLAUSIBLE_COUNT, Code.IMPLAUSIBLE_CHANGE)


def day_of(moment: datetime) -> date:
    """The calendar day of a moment, as scrapes count it."""
    return moment.astimezone(UTC).date()


def begin_day(connection: Connection, day: date) -> None:
    """Remembers how many active therapists each postal code's file had before anything of the day was applied."""
    _BEGIN_DAY(connection, day=day)


_WAS_APPLIED_ON = Statement("""
    SELECT EXISTS (
      SELECT FROM therapist_service.import_tracking
      WHERE zip = :zip AND scrape_day = :day AND status IN ('success', 'partial')
    )
""")

_KNOW_AGAIN = Statement("""
    UPDATE therapist_service.import_tracking AS file SET source_key = given.key, file_version = given.version
    FROM jsonb_to_recordset(CAST(:found AS jsonb)) AS given(path text, key text, version text)
    WHERE file.source_key = given.path || '|' || regexp_replace(given.version, ':[0-9]+$', '')
""")

# A statement of its own: the one that follows has to see whoever was erased while this one waited.
_LOCK_OUT_ERASURES = Statement("SELECT pg_advisory_xact_lock_shared(hashtextextended('curavani:therapist-erasure', 0))")

_APPLIED_BEFORE = Statement("""
    WITH applied AS NOT MATERIALIZED (
      SELECT id, file_name, file_hash, zip, scrape_day, scrape_date, processed_at, therapist_count AS records,
        status <> 'skipped' AS is_imported
      FROM therapist_service.import_tracking
      WHERE status IN ('success', 'partial') OR status = 'skipped' AND error_code = 'before_adoption'
    )
    SELECT given.id, EXISTS (
        SELECT FROM applied WHERE id <> given.id AND zip = given.zip AND (
          scrape_day > given.day OR scrape_day = given.day AND scrape_date > given.stated
        )
      ) AS is_superseded,
      coalesce(
        (
          SELECT file_hash = given.hash FROM applied WHERE id <> given.id AND zip = given.zip AND is_imported
          ORDER BY processed_at DESC, id DESC LIMIT 1
        ), false
      ) OR EXISTS (
        SELECT FROM applied WHERE file_hash = given.hash AND scrape_day = given.day AND is_imported
          AND file_name IS DISTINCT FROM (SELECT file_name FROM therapist_service.import_tracking WHERE id = given.id)
      ) AS is_duplicate,
      ARRAY(
        SELECT records FROM applied WHERE id <> given.id AND zip = given.zip
        ORDER BY scrape_day DESC, scrape_date DESC NULLS LAST, id DESC LIMIT 3
      ) AS usual_counts,
      EXISTS (SELECT FROM therapist_service.suppressions) AS leaves_out
    FROM unnest(
      CAST(:ids AS bigint[]), CAST(:zips AS text[]), CAST(:days AS date[]), CAST(:hashes AS text[]),
      CAST(:stated AS timestamptz[])
    ) AS given (id, zip, day, hash, stated)
""")

_BEGIN_DAY = Statement("""
    INSERT INTO therapist_service.scrape_days (scrape_day, active_before)
    SELECT :day, coalesce(jsonb_object_agg(source_zip, number), '{}') FROM (
      SELECT source_zip, count(*) AS number FROM therapist_service.therapeuten
      WHERE status = 'aktiv' AND source_zip IS NOT NULL
        AND NOT EXISTS (SELECT FROM therapist_service.scrape_days WHERE scrape_day = :day)
      GROUP BY source_zip
    ) AS active
    ON CONFLICT DO NOTHING
""")
