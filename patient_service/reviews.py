"""Deciding on possible duplicates among patients: the same person after all, or two."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.merges import merged_values, record_merge
from patient_service.models import kernel, patient_consents, patienten
from patient_service.patient import PATIENT
from patient_service.restrictions import require_free
from patient_service.review_subjects import candidates_of
from patient_service.use_cases import delete_patient, lock_patients, update_patients
from shared.core.errors import Finding, NotFound
from shared.fields.validation import InvalidInput
from shared.reviews.reviews import close, lock_open
from shared.reviews.values import Resolution, Review, Was, Written
from shared.words.codes import Code
from shared.words.statuses import ReviewChoice


def resolve_review(connection: Connection, review_id: int, resolution: Resolution) -> Review:
    """Carries out what was chosen and closes the review, in the caller's transaction.

    `merge` writes what the newer record says of itself into the older one, or only into what is empty there where the
    newer record's registration is the older one. What staff wrote in the newer record goes where the older one is
    empty. Its consents move there, and it is removed. `separate` leaves both. Raises `NotFound`, `NotAllowedError` for
    a resolved one, `InvalidInput` for a choice that is not to be had.
    """
    review = lock_open(connection, kernel, review_id, resolution.choice)
    if resolution.choice != ReviewChoice.MERGE:
        return close(connection, kernel, review, resolution)
    if review.entity_id is None:
        raise NotFound("Patient not found")
    written = _merge(connection, review.entity_id, _target(connection, review, resolution), resolution.actor)
    return close(connection, kernel, review, resolution, written)


def _target(connection: Connection, review: Review, resolution: Resolution) -> int:
    wanted = candidates_of(review)
    existing = set(connection.execute(sa.select(patienten.c.id).where(patienten.c.id.in_(wanted))).scalars())
    candidates = [number for number in wanted if number in existing]
    if resolution.into is not None and resolution.into in candidates:
        return resolution.into
    if resolution.into is None and len(candidates) == 1:
        return candidates[0]
    numbers = ", ".join(map(str, candidates)) or "none is left"
    raise InvalidInput(f"Say which patient to merge into: {numbers}", [Finding("/into", Code.MISSING)])


def _merge(connection: Connection, newer: int, older: int, actor: str) -> Written:
    patients = lock_patients(connection, [newer, older])
    require_free(connection, patients)
    update_patients(connection, {older: merged_values(connection, patients[newer], patients[older])}, actor)
    _move_consents(connection, newer, older)
    _move_references(connection, newer, older)
    record_merge(connection, newer, older, actor)
    delete_patient(connection, newer, actor)
    were = [Was(number, {name: vars(patients[number])[name] for name in PATIENT.content}) for number in (newer, older)]
    return Written(merged=older, were=tuple(were))


def _move_consents(connection: Connection, newer: int, older: int) -> None:
    """The evidence is append-only: it is written again under the other patient, unchanged, before the first goes."""
    names = [column.name for column in patient_consents.c if column.name not in ("id", "patient_id")]
    source = sa.select(sa.literal(older), *[patient_consents.c[name] for name in names])
    connection.execute(
        sa.insert(patient_consents).from_select(
            ["patient_id", *names], source.where(patient_consents.c.patient_id == newer)
        )
    )
    connection.execute(sa.select(sa.func.set_config("curavani.removing_consents", "on", True)))
    connection.execute(sa.delete(patient_consents).where(patient_consents.c.patient_id == newer))
    connection.execute(sa.select(sa.func.set_config("curavani.removing_consents", "off", True)))


def _move_references(connection: Connection, newer: int, older: int) -> None:
    """History and files go with the person; an erasure of the older patient has to find them, too."""
    outcomes, reviews, changes = kernel.import_outcomes, kernel.reviews, kernel.field_changes
    connection.execute(sa.update(changes).where(changes.c.entity_id == newer).values(entity_id=older))
    connection.execute(sa.update(outcomes).where(outcomes.c.entity_id == newer).values(entity_id=older))
    connection.execute(sa.update(reviews).where(reviews.c.entity_id == newer).values(entity_id=older))
    connection.execute(sa.update(reviews).where(reviews.c.other_id == newer).values(other_id=older))
