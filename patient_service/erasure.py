"""Erasing a person (Art. 17 GDPR): every copy that we reach, with a certificate of what was removed and what remains.

The database part is one transaction; local copies, objects in the bucket and the list of tombstones follow, and every
pass tries again what could not be reached until the certificate is complete. A restored backup brings erased people
back: the next pass recognises them by their tombstones and tells a person, who erases them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

from patient_service.erasure_rows import Certificate, erase_rows
from patient_service.imports.bucket import Bucket
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.tombstones import returned_patients, synchronise
from patient_service.models import erasures, kernel
from shared.alerts.outbox import is_open, raise_problem, resolve_problem
from shared.core.clock import now
from shared.core.errors import TransientError
from shared.core.logs import get_logger
from shared.database.engine import transaction
from shared.imports import ledger
from shared.words.codes import Code

log = get_logger(__name__)

_RETURNED = "patient-import:erased-person-restored"
_UNREACHED = {
    "local_copies": "local_copies: could not be removed; every pass tries again",
    "cloud_objects": "cloud_objects: the bucket was not reachable; every pass tries again",
    "tombstones": "tombstones: the list beside the local copies could not be written; every pass tries again",
}


@dataclass(frozen=True, slots=True)
class Erasure:
    """What it takes to erase."""

    engine: Engine
    bucket: Bucket
    copies: LocalCopies

    def erase(self, patient_id: int, actor: str) -> Certificate:
        """Erases the patient and returns the certificate. Raises `NotFound`, or `DatabaseUnavailable`."""
        with transaction(self.engine) as connection:
            erasure_id = erase_rows(connection, patient_id, actor)
        log.info("patient_erased", entity_id=patient_id)
        with transaction(self.engine) as connection:
            return self._finish(connection, erasure_id)

    def returned(self) -> list[int]:
        """The patients whose erasure a restored backup has undone. Raises `DiskUnavailable`, `DatabaseUnavailable`."""
        with transaction(self.engine) as connection:
            synchronise(connection, self.copies)
            return returned_patients(connection)

    def erase_again(self, patient_ids: Sequence[int], actor: str) -> list[Certificate]:
        """Erases those people and closes the alert; returns their certificates."""
        certificates = [self.erase(patient_id, actor) for patient_id in patient_ids]
        with transaction(self.engine) as connection:
            self._report_returned(connection)
        return certificates

    def follow_up(self, connection: Connection) -> None:
        """What every pass does: finishes open erasures, and notices where a restored backup has undone one.

        Raises `DiskUnavailable`.
        """
        unfinished = sa.select(erasures.c.id).where(
            sa.func.jsonb_array_length(erasures.c.certificate["not_reached"]) > 0
        )
        for erasure_id in connection.execute(unfinished.with_for_update(skip_locked=True)).scalars().all():
            self._finish(connection, erasure_id)
        self._remove_refused_copies(connection)
        if synchronise(connection, self.copies) or is_open(connection, kernel, _RETURNED):
            self._report_returned(connection)

    def _finish(self, connection: Connection, erasure_id: int) -> Certificate:
        """Removes what lies outside the database, and writes into the certificate how far that went."""
        statement = sa.select(erasures.c.certificate).where(erasures.c.id == erasure_id).with_for_update()
        certificate: Certificate = connection.execute(statement).scalar_one()
        files = _files(connection, certificate["files"])
        left = {
            "local_copies": sum(not self._remove_copy(connection, row) for row in files if row["local_path"]),
            "cloud_objects": sum(not self._remove_object(connection, row) for row in files if _in_bucket(row)),
            "tombstones": 0 if self._keep_tombstones(connection) else 1,
        }
        found = certificate["found"]
        certificate["removed"] |= {kind: number - left[kind] for kind, number in found.items()}
        certificate["not_reached"] = [_UNREACHED[kind] for kind, number in left.items() if number]
        certificate["completed_at"] = None if certificate["not_reached"] else now().isoformat()
        connection.execute(sa.update(erasures).where(erasures.c.id == erasure_id).values(certificate=certificate))
        return certificate

    def _remove_copy(self, connection: Connection, row: RowMapping) -> bool:
        try:
            self.copies.remove(row["local_path"])
        except TransientError as error:
            log.warning("copy_not_removed", import_id=row["id"], code=error.code)
            return False
        ledger.note(connection, kernel, row["id"], local_path=None)
        return True

    def _remove_object(self, connection: Connection, row: RowMapping) -> bool:
        try:
            self.bucket.delete(row["file_name"], int(row["file_version"]))
        except TransientError as error:
            log.warning("object_not_removed", import_id=row["id"], code=error.code)
            return False
        ledger.note(connection, kernel, row["id"], source_deleted_at=now(), file_name=None)
        return True

    def _keep_tombstones(self, connection: Connection) -> bool:
        try:
            synchronise(connection, self.copies)
        except TransientError as error:
            log.warning("tombstones_not_kept", code=error.code)
            return False
        return True

    def _remove_refused_copies(self, connection: Connection) -> None:
        """The registration of an erased person that came again was copied before it was recognised."""
        tracking = kernel.import_tracking
        refused = sa.select(tracking).where(
            tracking.c.error_code == Code.ERASED_REGISTRATION, tracking.c.local_path.is_not(None)
        )
        for row in connection.execute(refused).mappings().all():
            self._remove_copy(connection, row)

    def _report_returned(self, connection: Connection) -> None:
        returned = returned_patients(connection)
        if returned:
            log.error("erased_people_restored", number=len(returned))
            detail = {"number": len(returned)}
            raise_problem(connection, kernel, code=Code.ERASED_PERSON_RESTORED, fingerprint=_RETURNED, detail=detail)
        else:
            resolve_problem(connection, kernel, _RETURNED)


def _files(connection: Connection, import_ids: Sequence[int]) -> Sequence[RowMapping]:
    tracking = kernel.import_tracking
    statement = sa.select(tracking).where(tracking.c.id.in_(import_ids)).order_by(tracking.c.id)
    return connection.execute(statement).mappings().all()


def _in_bucket(row: RowMapping) -> bool:
    return row["source_deleted_at"] is None and row["file_name"] is not None
