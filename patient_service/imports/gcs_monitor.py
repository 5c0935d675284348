"""The bucket as a source of registrations: what one pass does with it, step by step as the engine asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from patient_service.erasure import Erasure, reopen
from patient_service.imports import bucket_ledger
from patient_service.imports.bucket import Bucket, StoredObject
from patient_service.imports.digest_keys import settle_keys
from patient_service.imports.file_names import ignored_reason
from patient_service.imports.file_processor import FileProcessor, RegistrationFile
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.patient_importer import Policy, import_registration, is_of_erased_person
from patient_service.imports.registration import Registration, Upload, parse_registration
from patient_service.models import kernel
from patient_service.retention import remove_old_copies
from patient_service.use_cases import complete_keys
from shared.core.clock import now
from shared.core.errors import RejectedError, TransientError
from shared.core.logs import get_logger
from shared.database.digest_keys import Keys
from shared.database.locks import LockedConnection
from shared.imports import ledger
from shared.imports.passes import PassReport
from shared.imports.source import Claim, File, Found, Group, Settlement, SourceGone
from shared.metrics.process import Stage, unmeasured
from shared.words.codes import Code

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
    signature_key: bytes | None = None
    """With it, only signed registrations are imported."""
    stage: Stage = unmeasured
    _keys: list[Keys] = field(default_factory=list, init=False)
    _unusable: list[int] = field(default_factory=list, init=False)
    """The generations that this pass found under names that cannot be stored."""

    kernel = kernel
    releases = True

    def prepare(self, connection: Connection) -> None:
        self.copies.ensure_root(copies_expected=bucket_ledger.copies_exist(connection))
        remove_old_copies(connection, self.copies, self.copy_days)
        self._keys[:] = [settle_keys(connection)]
        complete_keys(connection)

    def discover(self, report: PassReport) -> list[Found[StoredObject]]:
        """Every object that may be a registration, in the order of upload; open erasures come before any import."""
        self.erasure.follow_up()
        with self.stage("list"):
            listed = self.bucket.list_objects()
        reasons = [ignored_reason(stored.name) for stored in listed]
        named = zip(listed, reasons, strict=True)
        self._unusable[:] = [stored.generation for stored, reason in named if reason == Code.UNUSABLE_NAME]
        for reason in filter(None, reasons):
            report.ignore(reason)
        return [
            bucket_ledger.found(self._keys[0], self.bucket.name, stored)
            for stored, reason in zip(listed, reasons, strict=True)
            if reason is None
        ]

    def reconcile(self, connection: Connection, found: Sequence[Found[StoredObject]]) -> list[File]:
        names = {one.key: one.item.name for one in found}
        again = bucket_ledger.listed_again(connection, list(names))
        reopen(connection, [file.id for file in again if file.error_code == Code.ERASED_REGISTRATION])
        bucket_ledger.revive(connection, again, names)
        return bucket_ledger.vanished(connection, self.bucket.name, list(names))

    def groups(self, due: list[Claim[StoredObject]]) -> list[Group[StoredObject]]:
        """One registration at a time: each is safe, or tried again, before the next one is touched."""
        return [Group([[claim] for claim in sorted(due, key=lambda claim: _upload(claim.file))])]

    def open(self, locked: LockedConnection, claim: Claim[StoredObject]) -> Content:
        file = self._fetch(locked, claim)
        with self.stage("parse"):
            name, upload = claim.file.file_name or "", _upload(claim.file)
            try:
                return file, parse_registration(file.data, name, upload, self.signature_key)
            except RejectedError as error:
                if error.code == Code.TOKEN_MISMATCH:
                    raise
                with locked.transaction() as connection:
                    if is_of_erased_person(connection, file, name, upload.at):
                        raise RejectedError(Code.ERASED_REGISTRATION) from None
                raise

    def apply(self, connection: Connection, opened: Sequence[tuple[File, Content]]) -> list[Settlement]:
        return [import_registration(connection, file.id, *content, self.policy) for file, content in opened]

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

    def conclude(self, _connection: Connection, _group: Group[StoredObject] | None) -> tuple[()]:
        return ()

    def finish(self, connection: Connection) -> None:
        bucket_ledger.report_disk(connection)
        bucket_ledger.report_unusable_names(connection, self._unusable)
        bucket_ledger.report_unknown_copies(connection, self.copies)

    def _fetch(self, locked: LockedConnection, claim: Claim[StoredObject]) -> RegistrationFile:
        """From the bucket, or from the copy of an earlier attempt alone where the object has left it since."""
        kept = claim.file.own["local_path"]
        noted_path = str(kept) if kept else None

        def note(file: RegistrationFile) -> None:
            values = {"local_path": file.local_path, "file_hash": file.sha256, "file_size": len(file.data)}
            with locked.single_statements() as connection:
                ledger.note(connection, kernel, claim.file.id, copy_removed_at=None, **values)

        if claim.item is not None:
            return self.processor.fetch(claim.item, noted_path, note)
        found = self.processor.from_copy(noted_path) if noted_path else None
        if found is None:
            raise SourceGone
        return found


def _upload(file: File) -> Upload:
    uploaded_at = file.own["uploaded_at"]
    return Upload(uploaded_at if isinstance(uploaded_at, datetime) else now(), int(file.file_version or 0))
