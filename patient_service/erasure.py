"""Erasing a person (Art. 17 GDPR): every copy that we reach, with a certificate of what was removed and what remains.

The database part is one transaction, with the locks of the person in hand that the import takes, too. Local copies,
objects in the bucket and the list of tombstones follow, each outside of any transaction, and every pass tries again
what could not be reached. What may be the person's and may be somebody else's is named in the certificate, which is
complete only once a person has answered. A restored backup brings erased people back: the next pass recognises
them by their tombstones and tells a person, who erases them again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

from patient_service.certificates import Certificate, DoubtAnswers, complete
from patient_service.certificates import is_open as is_left_open
from patient_service.erasure_rows import (
    Traces,
    erase_rows,
    files_numbered,
    find_traces,
    found_outside,
    in_bucket,
    take_files,
)
from patient_service.imports.bucket import Bucket
from patient_service.imports.digest_keys import settle_keys
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.person_locks import lock_person
from patient_service.imports.tombstones import returned_patients, synchronise
from patient_service.models import erasures, kernel, patient_consents, patienten
from patient_service.patient import Patient
from patient_service.use_cases import get_patient, lock_patients
from shared.alerts.outbox import is_open, raise_problem, resolve_problem
from shared.core.clock import now
from shared.core.errors import CuravaniError, Finding, NotFound, TransientError, TryAgain
from shared.core.logs import get_logger
from shared.database.engine import transaction
from shared.fields.validation import InvalidInput
from shared.imports import ledger
from shared.words.codes import Code

log = get_logger(__name__)

_RETURNED = "patient-import:erased-person-restored"
_UNREACHED = {
    "local_copies": "local_copies: could not be removed; every pass tries again",
    "cloud_objects": "cloud_objects: the bucket was not reachable; every pass tries again",
    "tombstones": "tombstones: the list beside the local copies could not be written; every pass tries again",
}


class PersonBusy(TransientError):
    """An import has the person in hand for longer than an erasure waits; nothing was done."""

    code = Code.PERSON_BUSY


class _PersonChanged(CuravaniError):
    """What was locked is not who it is any more: an import came in between."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What it takes to erase."""

    engine: Engine
    bucket: Bucket
    copies: LocalCopies
    patience_seconds: int = 30
    """So long an import may keep the person's locks."""

    def erase(self, patient_id: int, actor: str, answers: DoubtAnswers | None = None) -> Certificate:
        """Erases the patient and returns the certificate.

        The answers are to doubts of this erasure, or of the latest one where the patient is gone already. Raises
        `NotFound`, `InvalidInput` for what is in no doubt, `PersonBusy`, `DiskUnavailable` or `DatabaseUnavailable`;
        then nothing was done.
        """
        until = monotonic() + self.patience_seconds
        erasure_id = None
        while erasure_id is None:
            try:
                with _transaction_until(self.engine, until) as connection:
                    erasure_id = self._erase_rows(connection, patient_id, actor, answers)
            except (_PersonChanged, TryAgain):
                if monotonic() > until:
                    raise PersonBusy from None
        log.info("patient_erased", entity_id=patient_id)
        return self._finish(erasure_id)

    def _erase_rows(self, connection: Connection, patient_id: int, actor: str, answers: DoubtAnswers | None) -> int:
        """The database's part, in the caller's transaction; returns the erasure's id."""
        settle_keys(connection)
        if _exists(connection, patient_id):
            patient = _lock(connection, patient_id)
            erasure_id = erase_rows(connection, patient, find_traces(connection, patient, self.copies), actor)
        else:
            erasure_id = _unanswered(connection, patient_id)
        if answers is not None:
            _answer(connection, erasure_id, actor, answers)
        return erasure_id

    def preview(self, patient_id: int) -> Traces:
        """What an erasure would find, touching nothing. Raises `NotFound`, `DiskUnavailable`."""
        with transaction(self.engine) as connection:
            return find_traces(connection, get_patient(connection, patient_id), self.copies)

    def returned(self) -> list[int]:
        """The patients whose erasure a restored backup has undone. Raises `DiskUnavailable`, `DatabaseUnavailable`."""
        with transaction(self.engine) as connection:
            synchronise(connection, self.copies)
            return returned_patients(connection)

    def erase_again(self, patient_ids: Sequence[int], actor: str) -> list[Certificate]:
        """Erases those people and closes the alert; returns their certificates."""
        certificates = [self.erase(patient_id, actor) for patient_id in patient_ids]
        with transaction(self.engine) as connection:
            _report_returned(connection)
        return certificates

    def follow_up(self) -> None:
        """What every pass does: finishes open erasures, and notices where a restored backup has undone one.

        Raises `DiskUnavailable`.
        """
        with transaction(self.engine) as connection:
            settle_keys(connection)
            unfinished = connection.execute(_UNFINISHED).scalars().all()
            refused = connection.execute(_REFUSED).mappings().all()
        for erasure_id in unfinished:
            self._finish(erasure_id)
        for row in refused:
            self._remove_copy(row)
        with transaction(self.engine) as connection:
            if synchronise(connection, self.copies) or is_open(connection, kernel, _RETURNED):
                _report_returned(connection)

    def _finish(self, erasure_id: int) -> Certificate:
        """Removes what lies outside the database, and writes into the certificate how far that went."""
        with transaction(self.engine) as connection:
            certificate = _certificate(connection, erasure_id)
            files = files_numbered(connection, certificate["files"])
        for row in files:
            self._remove_copy(row)
            if in_bucket(row):
                self._remove_object(row)
        left = [path for path in certificate["copies"] if not self._is_gone(path)]
        is_listed = self._keep_tombstones()
        with transaction(self.engine) as connection:
            return _written(connection, erasure_id, left, is_listed=is_listed)

    def _is_gone(self, path: str) -> bool:
        try:
            self.copies.remove(path)
        except TransientError as error:
            log.warning("copy_not_removed", code=error.code)
            return False
        return True

    def _remove_copy(self, row: RowMapping) -> None:
        """Every copy of the file: the noted one, and where an earlier version of the program would have put one."""
        paths = {row["local_path"]} if row["local_path"] else set()
        if row["file_name"] and row["bucket"] and row["file_version"]:
            paths.add(self.copies.path_for(row["bucket"], row["file_name"], int(row["file_version"])))
        try:
            for path in paths:
                self.copies.remove(path)
        except TransientError as error:
            log.warning("copy_not_removed", import_id=row["id"], code=error.code)
            return
        with transaction(self.engine) as connection:
            ledger.note(connection, kernel, row["id"], local_path=None)

    def _remove_object(self, row: RowMapping) -> None:
        try:
            self.bucket.delete(row["file_name"], int(row["file_version"]))
        except TransientError as error:
            log.warning("object_not_removed", import_id=row["id"], code=error.code)
            return
        with transaction(self.engine) as connection:
            ledger.note(connection, kernel, row["id"], source_deleted_at=now(), file_name=None)

    def _keep_tombstones(self) -> bool:
        try:
            with transaction(self.engine) as connection:
                synchronise(connection, self.copies)
        except TransientError as error:
            log.warning("tombstones_not_kept", code=error.code)
            return False
        return True


def reopen(connection: Connection, import_ids: Sequence[int]) -> None:
    """Objects of erased people that were gone are listed again: until they are, their certificates are not complete."""
    for import_id in import_ids:
        taken = sa.select(erasures.c.id).where(erasures.c.certificate["files"].contains([import_id]))
        for erasure_id in connection.execute(taken).scalars().all():
            certificate = _certificate(connection, erasure_id)
            certificate["found"]["cloud_objects"] += 1
            certificate["not_reached"].append(_UNREACHED["cloud_objects"])
            certificate["completed_at"] = None
            _keep(connection, erasure_id, certificate)


_files = kernel.import_tracking
_UNFINISHED = sa.select(erasures.c.id).where(
    sa.or_(
        sa.func.jsonb_array_length(erasures.c.certificate["not_reached"]) > 0,
        sa.func.jsonb_array_length(erasures.c.certificate["possible_duplicates"]) > 0,
    )
)
# The registration of an erased person that came again was copied before it was recognised.
_REFUSED = sa.select(_files).where(_files.c.error_code == Code.ERASED_REGISTRATION, _files.c.local_path.is_not(None))


@contextmanager
def _transaction_until(engine: Engine, until: float) -> Iterator[Connection]:
    """A transaction that waits for locks, but not beyond the moment of the monotonic clock."""
    milliseconds = max(1, round((until - monotonic()) * 1000))
    try:
        with transaction(engine) as connection:
            connection.execute(sa.text(f"SET LOCAL lock_timeout = {milliseconds}"))
            yield connection
    except (sa.exc.OperationalError, psycopg.errors.LockNotAvailable) as error:
        cause = error.orig if isinstance(error, sa.exc.OperationalError) else error
        if not isinstance(cause, psycopg.errors.LockNotAvailable):
            raise
        raise PersonBusy from None


def _lock(connection: Connection, patient_id: int) -> Patient:
    """The patient, with the locks of the import first, as it takes them; the row last. Raises `_PersonChanged`."""
    seen = get_patient(connection, patient_id)
    of_patient = sa.select(patient_consents.c.registration_token).where(patient_consents.c.patient_id == patient_id)
    tokens = connection.execute(of_patient).scalars().all()
    lock_person(connection, seen.name_key, seen.email_key, tokens)
    patient = lock_patients(connection, [patient_id])[patient_id]
    is_same = (patient.name_key, patient.email_key) == (seen.name_key, seen.email_key)
    if not is_same or connection.execute(of_patient).scalars().all() != tokens:
        raise _PersonChanged
    return patient


def _exists(connection: Connection, patient_id: int) -> bool:
    return bool(connection.execute(sa.select(sa.exists().where(patienten.c.id == patient_id))).scalar())


def _unanswered(connection: Connection, patient_id: int) -> int:
    """The latest erasure of the patient, if anything of it is left to answer. Raises `NotFound`."""
    latest = (
        sa.select(erasures.c.id, erasures.c.certificate)
        .where(erasures.c.patient_id == patient_id)
        .order_by(erasures.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    row = connection.execute(latest).one_or_none()
    if row is None or not (row.certificate.get("doubtful") or row.certificate.get("possible_duplicates")):
        raise NotFound("Patient not found")
    return int(row.id)


def _answer(connection: Connection, erasure_id: int, actor: str, answers: DoubtAnswers) -> None:
    """Takes doubtful files as the person's, or leaves them and the patients in doubt to whom they belong."""
    also, keep, others = set(answers.also), set(answers.keep), set(answers.others)
    certificate = _certificate(connection, erasure_id)
    doubtful, duplicates = certificate["doubtful"], certificate["possible_duplicates"]
    unknown = ((also | keep) - set(doubtful)) | (others - set(duplicates)) | (also & keep)
    if unknown:
        numbers = ", ".join(map(str, sorted(unknown)))
        raise InvalidInput(f"Not in doubt, or answered twice: {numbers}", [Finding("/doubtful", Code.INVALID_VALUE)])
    taken = files_numbered(connection, sorted(also))
    take_files(connection, erasure_id, taken)
    for kind, number in found_outside(taken).items():
        certificate["found"][kind] += number
    given = {"also": also, "keep": keep, "others": others}
    certificate["decisions"] += [
        {"number": number, "choice": choice, "by": actor, "at": now().isoformat()}
        for choice, numbers in given.items()
        for number in sorted(numbers)
    ]
    certificate["files"] = sorted({*certificate["files"], *also})
    certificate["doubtful"] = [number for number in doubtful if number not in also | keep]
    certificate["possible_duplicates"] = [number for number in duplicates if number not in others]
    if also:
        certificate["not_reached"] = ["doubtful files: not tried yet"]
    _keep(connection, erasure_id, certificate)


def _certificate(connection: Connection, erasure_id: int) -> Certificate:
    """The certificate, locked."""
    statement = sa.select(erasures).where(erasures.c.id == erasure_id).with_for_update()
    return complete(connection.execute(statement).mappings().one())


def _written(connection: Connection, erasure_id: int, copies: list[str], *, is_listed: bool) -> Certificate:
    """The certificate, brought in line with what is left by now; `copies` are the paths of unknown ones."""
    certificate = _certificate(connection, erasure_id)
    gone = len(certificate["copies"]) - len(copies)
    certificate["removed"]["unknown_copies"] = certificate["removed"].get("unknown_copies", 0) + gone
    certificate["copies"] = copies
    files = files_numbered(connection, certificate["files"])
    left = {
        "local_copies": sum(row["local_path"] is not None for row in files),
        "cloud_objects": sum(in_bucket(row) for row in files),
        "tombstones": 0 if is_listed else 1,
    }
    certificate["removed"] |= {kind: number - left[kind] for kind, number in certificate["found"].items()}
    left["local_copies"] += len(copies)
    certificate["not_reached"] = [_UNREACHED[kind] for kind, number in left.items() if number]
    duplicates = certificate["possible_duplicates"]
    still = sa.select(patienten.c.id).where(patienten.c.id.in_(duplicates)).order_by(patienten.c.id)
    certificate["possible_duplicates"] = list(connection.execute(still).scalars())
    certificate["completed_at"] = None if is_left_open(certificate) else now().isoformat()
    _keep(connection, erasure_id, certificate)
    return certificate


def _keep(connection: Connection, erasure_id: int, certificate: Certificate) -> None:
    connection.execute(sa.update(erasures).where(erasures.c.id == erasure_id).values(certificate=certificate))


def _report_returned(connection: Connection) -> None:
    returned = returned_patients(connection)
    if returned:
        log.error("erased_people_restored", number=len(returned))
        detail = {"number": len(returned)}
        raise_problem(connection, kernel, code=Code.ERASED_PERSON_RESTORED, fingerprint=_RETURNED, detail=detail)
    else:
        resolve_problem(connection, kernel, _RETURNED)
