"""Erasing a person (Art. 17 GDPR): every copy that we reach, with a certificate of what was removed and what remains.

The database part is one transaction; files and the bucket follow, and are tried again until they are gone. Tombstones
(keyed hashes) are kept in the database and beside the local copies, so that neither the same registration sent again
nor a restored backup brings the person back unnoticed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, Engine, RowMapping

from patient_service.imports.bucket import Bucket
from patient_service.imports.bucket_ledger import ERASED
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.tombstones import digests_of, patient_digest
from patient_service.models import erasures, kernel, patient_consents, tombstones
from patient_service.use_cases import delete_patient, lock_patients
from shared.clock import now
from shared.database.engine import transaction
from shared.errors import TransientError
from shared.events.queue import forget_events
from shared.logs import get_logger

log = get_logger(__name__)

OUT_OF_REACH = (
    "kafka_retention: earlier events stay on the topic until its retention ends; a patient.deleted event was published",
    "storage_soft_delete: a deleted object can be restored by the bucket's owner for up to 7 days",
    "database_backups: backups made before hold the data until they expire; run the erasure again after a restore",
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What it takes to erase."""

    engine: Engine
    bucket: Bucket
    copies: LocalCopies

    def erase(self, patient_id: int, actor: str) -> dict[str, Any]:
        """Erases the patient and returns the certificate. Raises `NotFound`, or `DatabaseUnavailable`."""
        with transaction(self.engine) as connection:
            erasure_id, files = _erase_rows(connection, patient_id, actor)
        log.info("patient_erased", entity_id=patient_id)
        return self._finish(erasure_id, files)

    def _finish(self, erasure_id: int, files: Sequence[RowMapping]) -> dict[str, Any]:
        """Removes what lies outside the database and writes it into the certificate."""
        copies = [self._remove_copy(row) for row in files if row["local_path"]]
        objects = [self._remove_object(row) for row in files if row["source_deleted_at"] is None]
        with transaction(self.engine) as connection:
            tracking = kernel.import_tracking
            gone = [
                row["id"] for row, removed in zip((r for r in files if r["local_path"]), copies, strict=True) if removed
            ]
            connection.execute(sa.update(tracking).where(tracking.c.id.in_(gone)).values(local_path=None))
            unreachable = [
                *(["local_copies: could not be removed; try again"] if not all(copies) else []),
                *(["cloud_objects: the bucket was not reachable; every pass tries again"] if not all(objects) else []),
            ]
            certificate = connection.execute(
                sa.select(erasures.c.certificate).where(erasures.c.id == erasure_id)
            ).scalar_one()
            certificate["removed"] |= {"local_copies": sum(copies), "cloud_objects": sum(objects)}
            certificate["not_reached"] = unreachable
            connection.execute(sa.update(erasures).where(erasures.c.id == erasure_id).values(certificate=certificate))
            self._keep_tombstones(connection, erasure_id)
        return dict(certificate)

    def _remove_copy(self, row: RowMapping) -> bool:
        try:
            self.copies.remove(row["local_path"])
        except TransientError as error:
            log.warning("copy_not_removed", import_id=row["id"], code=error.code)
            return False
        return True

    def _remove_object(self, row: RowMapping) -> bool:
        try:
            self.bucket.delete(row["file_name"], int(row["file_version"]))
        except TransientError as error:
            log.warning("object_not_removed", import_id=row["id"], code=error.code)
            return False
        tracking = kernel.import_tracking
        with transaction(self.engine) as connection:
            gone = {"source_deleted_at": now(), "file_name": None}
            connection.execute(sa.update(tracking).where(tracking.c.id == row["id"]).values(gone))
        return True

    def _keep_tombstones(self, connection: Connection, erasure_id: int) -> None:
        rows = connection.execute(sa.select(tombstones).where(tombstones.c.erasure_id == erasure_id)).mappings()
        self.copies.keep_tombstones([f"{row['kind']} {row['digest']}" for row in rows])


def _erase_rows(connection: Connection, patient_id: int, actor: str) -> tuple[int, Sequence[RowMapping]]:
    """The database's part: returns the erasure's id and the ledger rows of the person's files."""
    patient = lock_patients(connection, [patient_id])[patient_id]
    consents = (
        connection.execute(sa.select(patient_consents).where(patient_consents.c.patient_id == patient_id))
        .mappings()
        .all()
    )
    files = _files_of(connection, patient_id, [row["import_id"] for row in consents])
    removed = {
        "consents": _remove_consents(connection, patient_id),
        "field_changes": _delete(connection, kernel.field_changes, kernel.field_changes.c.entity_id == patient_id),
        "reviews": _blank_reviews(connection, patient_id),
        "outcomes": _blank_outcomes(connection, patient_id),
        "findings": _delete(
            connection, kernel.import_findings, kernel.import_findings.c.import_id.in_([row["id"] for row in files])
        ),
        "events": forget_events(connection, kernel, [patient_id]),
    }
    delete_patient(connection, patient_id, actor)
    _blank_files(connection, files)
    moment = now()
    certificate = {
        "patient_id": patient_id,
        "erased_at": moment.isoformat(),
        "erased_by": actor,
        "removed": {"patient": 1, **removed},
        "not_reached": [],
        "out_of_reach": list(OUT_OF_REACH),
    }
    statement = sa.insert(erasures).values(
        patient_id=patient_id, erased_by=actor, erased_at=moment, certificate=certificate
    )
    erasure_id = connection.execute(statement.returning(erasures.c.id)).scalar_one()
    _bury(connection, erasure_id, patient, consents)
    return erasure_id, files


def _files_of(connection: Connection, patient_id: int, import_ids: Sequence[int]) -> Sequence[RowMapping]:
    tracking, outcomes = kernel.import_tracking, kernel.import_outcomes
    of_outcomes = sa.select(outcomes.c.import_id).where(outcomes.c.entity_id == patient_id)
    statement = sa.select(tracking).where(sa.or_(tracking.c.id.in_(import_ids), tracking.c.id.in_(of_outcomes)))
    return connection.execute(statement.with_for_update()).mappings().all()


def _remove_consents(connection: Connection, patient_id: int) -> int:
    # The table is append-only by a trigger; an erasure is the one lawful exception, for this transaction.
    connection.execute(sa.select(sa.func.set_config("curavani.removing_consents", "on", True)))
    return _delete(connection, patient_consents, patient_consents.c.patient_id == patient_id)


def _blank_reviews(connection: Connection, patient_id: int) -> int:
    reviews = kernel.reviews
    about = sa.or_(
        reviews.c.entity_id == patient_id,
        reviews.c.other_id == patient_id,
        reviews.c.detail["candidates"].contains([patient_id]),
    )
    mine = sa.select(reviews.c.id).where(about)
    moment = now()
    blanked = sa.update(reviews).where(reviews.c.id.in_(mine)).values(
        detail={}, entity_id=None, other_id=None, comment=None, state="resolved",
        choice=sa.func.coalesce(reviews.c.choice, "erased"),
        decided_at=sa.func.coalesce(reviews.c.decided_at, moment),
    )  # fmt: skip
    return connection.execute(blanked).rowcount


def _blank_outcomes(connection: Connection, patient_id: int) -> int:
    outcomes = kernel.import_outcomes
    statement = sa.update(outcomes).where(outcomes.c.entity_id == patient_id).values(entity_id=None)
    return connection.execute(statement).rowcount


def _blank_files(connection: Connection, files: Sequence[RowMapping]) -> None:
    """Takes the person's name out of the ledger; where the object is still in the bucket, its delete needs the name."""
    tracking = kernel.import_tracking
    ids = [row["id"] for row in files]
    name = sa.case((tracking.c.source_deleted_at.is_(None), tracking.c.file_name), else_=None)
    connection.execute(
        sa.update(tracking)
        .where(tracking.c.id.in_(ids))
        .values(file_name=name, file_hash=None, discard_reason=None, error_code=ERASED)
    )


def _bury(connection: Connection, erasure_id: int, patient: RowMapping, consents: Sequence[RowMapping]) -> None:
    digests = {patient_digest(connection, patient["id"], patient["created_at"])}
    for consent in consents:
        digests |= set(digests_of(connection, consent["registration_token"], consent["file_hash"]))
    rows = [{"kind": kind, "digest": digest, "erasure_id": erasure_id} for kind, digest in sorted(digests)]
    connection.execute(insert(tombstones).on_conflict_do_nothing(), rows)


def _delete(connection: Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.delete(table).where(condition)).rowcount
