"""The database's part of an erasure: what is removed, what is only blanked, and which files are the person's."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from patient_service.imports.file_names import parse_name
from patient_service.imports.tombstones import bury, digests_of, patient_digest
from patient_service.merges import merged_into
from patient_service.models import erasures, import_corrections, kernel, patient_consents
from patient_service.use_cases import delete_patient, lock_patients
from shared.alerts.outbox import resolve_problem
from shared.core.clock import now
from shared.events.outbox import write_events
from shared.events.queue import forget_events
from shared.imports.ledger import RETRYABLE, file_fingerprint
from shared.people.announcements import deleted
from shared.words.codes import Code
from shared.words.statuses import Action, FileStatus, ReviewChoice, ReviewState

OUT_OF_REACH = (
    "kafka_retention: earlier events stay on the topic until its retention ends; a patient.deleted event was published",
    "storage_soft_delete: a deleted object can be restored by the bucket's owner for up to 7 days",
    "database_backups: backups made before hold the data until they expire; run the erasure again after a restore",
)

_tracking = kernel.import_tracking


class Certificate(TypedDict):
    """What an erasure removed, found outside the database, and left; `files` are the ledger's numbers."""

    patient_id: int
    erased_at: str
    erased_by: str
    removed: dict[str, int]
    found: dict[str, int]
    files: list[int]
    not_reached: list[str]
    out_of_reach: list[str]
    completed_at: NotRequired[str | None]


def erase_rows(connection: Connection, patient_id: int, actor: str) -> int:
    """Removes or blanks every row about the person and keeps the certificate and the tombstones.

    Returns the erasure's id. Raises `NotFound`.
    """
    patient = lock_patients(connection, [patient_id])[patient_id]
    of_patient = sa.select(patient_consents).where(patient_consents.c.patient_id == patient_id)
    consents = connection.execute(of_patient).mappings().all()
    files = _files_of(connection, patient_id, consents)
    ids = [row["id"] for row in files]
    removed = {"patient": 1, **_remove_rows(connection, patient_id, ids)}
    delete_patient(connection, patient_id, actor)
    _blank_files(connection, ids)
    erasure_id = _certify(connection, patient_id, actor, removed, files)
    digests = {patient_digest(connection, patient_id, patient.created_at)}
    for consent in consents:
        digests |= set(digests_of(connection, consent["registration_token"], consent["file_hash"]))
    bury(connection, erasure_id, digests)
    return erasure_id


def _certify(
    connection: Connection, patient_id: int, actor: str, removed: dict[str, int], files: Sequence[RowMapping]
) -> int:
    """Puts the erasure on record, unfinished: a crash before the copies are gone leaves that to the next pass."""
    moment = now()
    certificate: Certificate = {
        "patient_id": patient_id,
        "erased_at": moment.isoformat(),
        "erased_by": actor,
        "removed": removed,
        "found": {
            "local_copies": sum(row["local_path"] is not None for row in files),
            "cloud_objects": sum(row["source_deleted_at"] is None for row in files),
        },
        "files": [row["id"] for row in files],
        "not_reached": ["everything outside the database: not tried yet"],
        "out_of_reach": list(OUT_OF_REACH),
    }
    row = {"patient_id": patient_id, "erased_by": actor, "erased_at": moment, "certificate": certificate}
    return int(connection.execute(sa.insert(erasures).values(row).returning(erasures.c.id)).scalar_one())


def _files_of(connection: Connection, patient_id: int, consents: Sequence[RowMapping]) -> Sequence[RowMapping]:
    """The ledger rows of the person's files: imported ones, the same bytes under other names, and broken ones."""
    outcomes = kernel.import_outcomes
    of_outcomes = sa.select(outcomes.c.import_id).where(outcomes.c.entity_id == patient_id)
    statement = sa.select(_tracking).where(
        sa.or_(
            _tracking.c.id.in_([row["import_id"] for row in consents]),
            _tracking.c.id.in_(of_outcomes),
            _tracking.c.file_hash.in_([row["file_hash"] for row in consents]),
            _tracking.c.id.in_(_broken_files_of(connection, consents)),
        )
    )
    return connection.execute(statement.order_by(_tracking.c.id).with_for_update()).mappings().all()


def _broken_files_of(connection: Connection, consents: Sequence[RowMapping]) -> list[int]:
    """Files that could not be imported and whose name carries a token of the person.

    Where name and content contradict each other, the content may be somebody else's: those stay for a person to judge.
    """
    tokens = {row["registration_token"].casefold() for row in consents if row["registration_token"]}
    statement = sa.select(_tracking.c.id, _tracking.c.file_name).where(
        _tracking.c.status.in_((FileStatus.FAILED, FileStatus.DISCARDED)),
        _tracking.c.file_name.is_not(None),
        _tracking.c.error_code.is_distinct_from(Code.TOKEN_MISMATCH),
    )
    found = connection.execute(statement)
    return [row.id for row in found if (parse_name(row.file_name).token or "").casefold() in tokens]


def _remove_rows(connection: Connection, patient_id: int, import_ids: Sequence[int]) -> dict[str, int]:
    """How many rows of each kind were removed or blanked."""
    changes, findings = kernel.field_changes, kernel.import_findings
    return {
        "consents": _remove_consents(connection, patient_id),
        "field_changes": _delete(connection, changes, changes.c.entity_id == patient_id),
        # Before the reviews, which no longer name the person afterwards.
        "reasons": _blank_reasons(connection, patient_id, import_ids),
        "reviews": _blank_reviews(connection, patient_id),
        "outcomes": _blank_outcomes(connection, patient_id),
        "corrections": _delete(connection, import_corrections, import_corrections.c.import_id.in_(import_ids)),
        "findings": _delete(connection, findings, findings.c.import_id.in_(import_ids)),
        "events": _forget_events(connection, patient_id),
    }


def _forget_events(connection: Connection, patient_id: int) -> int:
    """Removes the events of the person, and of the records that were merged into theirs.

    That those are gone may not have been sent yet, and is told again.
    """
    merged = merged_into(connection, patient_id)
    forgotten = forget_events(connection, kernel, [patient_id, *merged])
    write_events(connection, kernel, [deleted(kernel, number) for number in merged])
    return forgotten


def _remove_consents(connection: Connection, patient_id: int) -> int:
    # The table is append-only by a trigger; an erasure is the one lawful exception, for this transaction.
    connection.execute(sa.select(sa.func.set_config("curavani.removing_consents", "on", True)))
    return _delete(connection, patient_consents, patient_consents.c.patient_id == patient_id)


def _reviews_about(patient_id: int) -> sa.Select[tuple[int]]:
    reviews = kernel.reviews.c
    about = sa.or_(
        reviews.entity_id == patient_id,
        reviews.other_id == patient_id,
        reviews.detail["candidates"].contains([patient_id]),
    )
    return sa.select(reviews.id).where(about)


def _blank_reviews(connection: Connection, patient_id: int) -> int:
    reviews = kernel.reviews
    moment = now()
    blanked = sa.update(reviews).where(reviews.c.id.in_(_reviews_about(patient_id))).values(
        detail={}, entity_id=None, other_id=None, comment=None, state=ReviewState.RESOLVED,
        choice=sa.func.coalesce(reviews.c.choice, ReviewChoice.ERASED),
        decided_at=sa.func.coalesce(reviews.c.decided_at, moment),
    )  # fmt: skip
    return connection.execute(blanked).rowcount


def _blank_outcomes(connection: Connection, patient_id: int) -> int:
    outcomes = kernel.import_outcomes
    statement = sa.update(outcomes).where(outcomes.c.entity_id == patient_id).values(entity_id=None)
    return connection.execute(statement).rowcount


def _blank_reasons(connection: Connection, patient_id: int, import_ids: Sequence[int]) -> int:
    """What people wrote down when they mended the person's files, or undid a decision, may name the person."""
    actions = kernel.operator_actions
    undone = sa.and_(actions.c.action == Action.UNDO, actions.c.review_id.in_(_reviews_about(patient_id)))
    about = sa.or_(actions.c.import_id.in_(import_ids), actions.c.entity_id == patient_id, undone)
    statement = sa.update(actions).where(about, actions.c.reason.is_not(None)).values(reason=None)
    return connection.execute(statement).rowcount


def _blank_files(connection: Connection, import_ids: Sequence[int]) -> None:
    """Takes the person's name out of the ledger; where the object is still in the bucket, its delete needs the name.

    What is not imported yet never will be.
    """
    unsettled = _tracking.c.status.in_(RETRYABLE)
    name = sa.case((_tracking.c.source_deleted_at.is_(None), _tracking.c.file_name), else_=None)
    connection.execute(
        sa.update(_tracking)
        .where(_tracking.c.id.in_(import_ids))
        .values(
            file_name=name,
            file_hash=None,
            discard_reason=None,
            error_code=Code.ERASED_REGISTRATION,
            next_attempt_at=None,
            status=sa.case((unsettled, FileStatus.DISCARDED), else_=_tracking.c.status),
            delete_source=True,
        )
    )
    for import_id in import_ids:
        resolve_problem(connection, kernel, file_fingerprint(kernel, import_id))


def _delete(connection: Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.delete(table).where(condition)).rowcount
