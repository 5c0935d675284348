"""The bucket as a source of registrations: what one pass does with it, step by step as the engine asks for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from patient_service.erasure import Erasure
from patient_service.imports import bucket_ledger
from patient_service.imports.bucket import Bucket, StoredObject
from patient_service.imports.file_names import ignored_reason
from patient_service.imports.file_processor import FileProcessor, RegistrationFile
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.patient_importer import Policy, import_registration
from patient_service.imports.registration import Registration, parse_registration
from patient_service.models import kernel
from patient_service.retention import remove_old_copies
from shared.core.errors import TransientError
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection
from shared.imports import ledger
from shared.imports.passes import PassReport
from shared.imports.source import Claim, File, Found, Settlement, SourceGone
from shared.metrics.process import Stage, unmeasured

log = get_logger(__name__)

Content = tuple[RegistrationFile, Registration]
"""A registration's bytes, safe in a local copy, and what they say."""


@dataclass(frozen=True, slots=True)
class RegistrationSource:
    """Lists the bucket; downloads, keeps a copy, parses; imports; deletes exactly the generation that was read."""

    bucket: Bucket
    copies: LocalCopies
    erasure: Erasure
    processor: FileProcessor
    policy: Policy
    copy_days: int | None = None
    stage: Stage = unmeasured

    kernel = kernel
    releases = True

    def prepare(self, connection: Connection) -> None:
        self.copies.ensure_root(copies_expected=bucket_ledger.copies_exist(connection))
        self.erasure.follow_up(connection)
        remove_old_copies(connection, self.copies, self.copy_days)

    def discover(self, report: PassReport) -> list[Found[StoredObject]]:
        """Every object that may be a registration, oldest first."""
        with self.stage("list"):
            listed = self.bucket.list_objects()
        reasons = [ignored_reason(stored.name) for stored in listed]
        for reason in filter(None, reasons):
            report.ignore(reason)
        return [
            bucket_ledger.found(self.bucket.name, stored)
            for stored, reason in zip(listed, reasons, strict=True)
            if reason is None
        ]

    def reconcile(self, connection: Connection, found: Sequence[Found[StoredObject]]) -> list[File]:
        return bucket_ledger.vanished(connection, self.bucket.name, [one.key for one in found])

    def batches(self, due: list[Claim[StoredObject]]) -> Iterator[Sequence[Claim[StoredObject]]]:
        """One registration at a time: each is safe, or tried again, before the next one is touched."""
        return ([claim] for claim in due)

    def open(self, locked: LockedConnection, claim: Claim[StoredObject]) -> Content:
        file = self._fetch(claim)
        with locked.single_statements() as connection:
            # On record even if the content is refused: the copy is what a person looks at then.
            ledger.note(
                connection,
                kernel,
                claim.file.id,
                local_path=file.local_path,
                file_hash=file.sha256,
                copy_removed_at=None,
            )
        with self.stage("parse"):
            return file, parse_registration(file.data, claim.file.file_name or "")

    def apply(self, connection: Connection, file: File, content: Content) -> Settlement:
        return import_registration(connection, file.id, *content, self.policy)

    def size(self, _content: Content) -> int:
        return 1

    def owes_release(self, file: File) -> bool:
        return bucket_ledger.owes_delete(file)

    def release(self, locked: LockedConnection, claim: Claim[StoredObject]) -> bool:
        file = claim.file
        try:
            with self.stage("delete"):
                self.bucket.delete(str(file.file_name), int(file.file_version or 0))
        except TransientError as error:
            log.warning("source_delete_pending", import_id=file.id, code=error.code)
            return False
        with locked.single_statements() as connection:
            bucket_ledger.note_deleted(connection, file)
        return True

    def finish(self, connection: Connection) -> None:
        bucket_ledger.report_disk(connection)

    def _fetch(self, claim: Claim[StoredObject]) -> RegistrationFile:
        """From the bucket, or from the copy of an earlier attempt alone where the object has left it since."""
        if claim.item is not None:
            return self.processor.fetch(claim.item)
        kept = claim.file.own["local_path"]
        file = self.processor.from_copy(str(kept)) if kept else None
        if file is None:
            raise SourceGone
        return file
