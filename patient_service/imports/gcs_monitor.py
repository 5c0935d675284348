"""One pass over the bucket. `run_pass` shows the whole run; what each step knows stands in its own module."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from sqlalchemy.engine import RowMapping

from patient_service.erasure import Erasure
from patient_service.imports import bucket_ledger
from patient_service.imports.bucket import Bucket, ObjectGone, StoredObject
from patient_service.imports.file_names import ignored_reason
from patient_service.imports.file_processor import FileProcessor, RegistrationFile
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.patient_importer import Policy, import_registration
from patient_service.imports.registration import parse_registration
from patient_service.models import kernel
from shared.alerts.outbox import resolve_problem
from shared.core.errors import RejectedError, TransientError
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection
from shared.imports import ledger
from shared.imports.ledger import Settlement
from shared.imports.passes import PassReport, Progress
from shared.metrics.process import Stage, unmeasured

log = get_logger(__name__)


@dataclass(slots=True)
class RegistrationImport:
    """The parts of a pass, put together once per process."""

    bucket: Bucket
    copies: LocalCopies
    erasure: Erasure
    processor: FileProcessor
    retry_rule: bucket_ledger.RetryRule
    policy: Policy
    stage: Stage = unmeasured
    watch: Callable[[Progress], None] = field(default=lambda _progress: None)
    _untold: set[int] = field(default_factory=set)
    """Files whose attempt the database was not there to take back."""

    def run_pass(self, locked: LockedConnection, report: PassReport, stopping: Callable[[], bool]) -> None:
        """Lists the bucket and brings every due registration to its end, oldest first, one at a time.

        Raises a service-wide `TransientError` where storage, disk or database as a whole are away: no file pays for it.
        """
        with locked.transaction() as connection:
            self.copies.ensure_root(copies_expected=bucket_ledger.copies_exist(connection))
            self.erasure.follow_up(connection)
        self._take_back(locked)
        listed = self._candidates(report)
        with locked.transaction() as connection:
            due = bucket_ledger.register_listing(connection, self.bucket.name, listed, report)
        for number, (row, stored) in enumerate(due, start=1):
            if stopping():
                return
            self._bring_to_its_end(locked, row, stored, report)
            self.watch(Progress(number, len(due)))
        with locked.transaction() as connection:
            bucket_ledger.report_disk(connection)

    def _candidates(self, report: PassReport) -> list[StoredObject]:
        candidates = []
        with self.stage("list"):
            listed = self.bucket.list_objects()
        for stored in listed:
            reason = ignored_reason(stored.name)
            if reason is None:
                candidates.append(stored)
            else:
                report.ignore(reason)
        return candidates

    def _bring_to_its_end(
        self, locked: LockedConnection, row: RowMapping, stored: StoredObject | None, report: PassReport
    ) -> None:
        if row["status"] in ledger.WAITING:
            status = self._end_of_attempt(locked, row, stored)
            report.count(status)
            if status not in bucket_ledger.IMPORTED:
                return
        if not self._delete_source(locked, row):
            report.count("delete_pending")

    def _end_of_attempt(self, locked: LockedConnection, row: RowMapping, stored: StoredObject | None) -> str:
        """The status that one attempt at one file ended with."""
        try:
            return self._attempt(locked, row, stored)
        except ledger.Withdrawn:
            return "discarded"

    def _attempt(self, locked: LockedConnection, row: RowMapping, stored: StoredObject | None) -> str:
        try:
            bucket_ledger.begin(locked, row["id"], self.retry_rule)
            settlement = self._import(locked, row, stored)
        except ledger.Withdrawn:
            raise
        except ObjectGone:
            return bucket_ledger.settle_gone(locked, row["id"])
        except RejectedError as error:
            return bucket_ledger.reject(locked, row["id"], error)
        except TransientError as error:
            if error.service_wide:
                self._untold.add(row["id"])
                with suppress(TransientError):
                    self._take_back(locked)
                raise
            return bucket_ledger.postpone_or_fail(locked, row["id"], error.code, self.retry_rule)
        except Exception:
            # A fault of the program costs this file its import, never the files behind it theirs.
            log.exception("file_crashed", import_id=row["id"])
            return bucket_ledger.fail(locked, row["id"], "internal_error")
        return settlement.status

    def _import(self, locked: LockedConnection, row: RowMapping, stored: StoredObject | None) -> Settlement:
        started = monotonic()
        file = self._fetch(row, stored)
        with locked.single_statements() as connection:
            # On record even if the content is refused: the copy is what a person looks at then.
            ledger.note_without_waiting(
                connection, kernel, row["id"], local_path=file.local_path, file_hash=file.sha256
            )
        with self.stage("parse"):
            registration = parse_registration(file.data, row["file_name"] or "")
        with self.stage("transaction"), locked.transaction() as connection:
            settlement = import_registration(connection, row["id"], file, registration, self.policy)
            duration = round((monotonic() - started) * 1000)
            ledger.settle(connection, kernel, row["id"], replace(settlement, duration_ms=duration))
            if row["attempts"]:
                resolve_problem(connection, kernel, bucket_ledger.fingerprint(row["id"]))
        log.info("file_imported", import_id=row["id"], status=settlement.status, duration_ms=duration)
        return settlement

    def _fetch(self, row: RowMapping, stored: StoredObject | None) -> RegistrationFile:
        if stored is not None:
            return self.processor.fetch(stored)
        kept = self.processor.from_copy(row["local_path"]) if row["local_path"] else None
        if kept is None:
            raise ObjectGone
        return kept

    def _take_back(self, locked: LockedConnection) -> None:
        """Uncounts attempts that failed because a service as a whole was away."""
        for import_id in tuple(self._untold):
            bucket_ledger.forget_attempt(locked, import_id)
            self._untold.discard(import_id)

    def _delete_source(self, locked: LockedConnection, row: RowMapping) -> bool:
        """Deletes exactly the generation that was read; False where it has to be tried again in a later pass."""
        try:
            with self.stage("delete"):
                self.bucket.delete(row["file_name"], int(row["file_version"]))
        except TransientError as error:
            log.warning("source_delete_pending", import_id=row["id"], code=error.code)
            return False
        bucket_ledger.note_source_deleted(locked, row)
        return True
