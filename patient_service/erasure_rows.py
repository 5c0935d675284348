"""The database's part of an erasure: what is removed, what is only blanked, and which files are the person's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from patient_service.certificates import Certificate
from patient_service.imports.bucket_ledger import number_copies, unknown_copies
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.registration import LONGEST_TOKEN
from patient_service.imports.tombstones import bury, digests_of, name_token_digests, patient_digest, person_digests
from patient_service.imports.traces import Sought, Trace, read_said, trace
from patient_service.merges import merged_into
from patient_service.models import erasures, import_corrections, kernel, patient_consents, patienten
from patient_service.patient import Patient
from patient_service.use_cases import delete_patient
from shared.alerts.outbox import resolve_problem
from shared.core.clock import now
from shared.events.outbox import write_events
from shared.events.queue import forget_events
from shared.imports.ledger import RETRYABLE, file_fingerprint
from shared.imports.source import SourceGone
from shared.people.announcements import deleted
from shared.reviews.reviews import forget
from shared.text.keys import name_words
from shared.words.codes import Code
from shared.words.statuses import Action, FileStatus, ReviewState

OUT_OF_REACH = (
    "kafka_retention: earlier events stay on the topic until its retention ends; a patient.deleted event was published",
    "storage_soft_delete: a deleted object can be restored by the bucket's owner for up to 7 days",
    "database_backups: backups made before hold the data until they expire; run the erasure again after a restore",
)

_files = kernel.import_tracking


@dataclass(frozen=True, slots=True)
class Traces:
    """What there is of a person: who is sought, their consents, their files for certain, and the doubtful ones."""

    sought: Sought
    consents: Sequence[RowMapping]
    certain: Sequence[RowMapping]
    doubtful: Sequence[int]
    copies: Sequence[str]
    """Paths of copies that no file of the ledger knows and that are the person's."""
    doubtful_copies: Sequence[str]
    """Paths of those that may be the person's."""
    duplicates: Sequence[int]
    """Patients whom an open review takes for the same person."""
    tokens: frozenset[str]
    """Of all their registrations, those that failed as well."""

    @property
    def files(self) -> list[int]:
        """The numbers of the files for certain."""
        return [row["id"] for row in self.certain]


def find_traces(connection: Connection, patient: Patient, copies: LocalCopies) -> Traces:
    """Everything of the person in ledger and copies. Raises `DiskUnavailable` where a copy cannot be read."""
    of_patient = sa.select(patient_consents).where(patient_consents.c.patient_id == patient.id)
    consents = connection.execute(of_patient).mappings().all()
    tokens = frozenset(row["registration_token"] for row in consents if row["registration_token"])
    words = frozenset(name_words(f"{patient.vorname} {patient.nachname}"))
    sought = Sought(tokens, patient.name_key, patient.email_key, words)
    imported = _imported(connection, patient.id, consents)
    found = [(row, _trace_of(sought, row, copies)) for row in _never_imported(connection)]
    certain = {row["id"]: row for row in imported} | {row["id"]: row for row, how in found if how is Trace.CERTAIN}
    doubtful = [row["id"] for row, how in found if how is Trace.DOUBTFUL and row["id"] not in certain]
    unknown = {path: _trace_of_copy(sought, path, copies) for path in unknown_copies(connection, copies, now())}
    of_failed = [_token_of(row, copies) for row, how in found if how is Trace.CERTAIN]
    return Traces(
        sought=sought,
        consents=consents,
        certain=[certain[number] for number in sorted(certain)],
        doubtful=doubtful,
        copies=[path for path, how in unknown.items() if how is Trace.CERTAIN],
        doubtful_copies=[path for path, how in unknown.items() if how is Trace.DOUBTFUL],
        duplicates=_possible_duplicates(connection, patient.id),
        tokens=tokens | set(filter(None, of_failed)),
    )


def erase_rows(connection: Connection, patient: Patient, traces: Traces, actor: str) -> int:
    """Removes or blanks every row about the person and keeps the certificate and the tombstones.

    Returns the erasure's id.
    """
    numbered = number_copies(connection, traces.doubtful_copies)
    traces = replace(traces, doubtful=sorted({*traces.doubtful, *numbered}))
    removed = {"patient": 1, **_remove_rows(connection, patient.id, traces.files)}
    delete_patient(connection, patient.id, actor)
    erasure_id = _certify(connection, actor, patient.id, traces, removed)
    digests = {patient_digest(connection, patient.id, patient.created_at)}
    digests |= set(person_digests(connection, patient.name_key, patient.email_key))
    for consent in traces.consents:
        digests |= set(digests_of(connection, consent["registration_token"], consent["file_hash"]))
    for token in traces.tokens:
        digests |= {*digests_of(connection, token, None), *name_token_digests(connection, token)}
    bury(connection, erasure_id, digests)
    take_files(connection, erasure_id, traces.certain)
    return erasure_id


def take_files(connection: Connection, erasure_id: int, files: Sequence[RowMapping]) -> None:
    """Blanks files of the person, so that nothing of them is imported again; their copies and objects are to follow."""
    digests: set[tuple[str, str]] = set()
    for row in files:
        if row["file_hash"]:
            # A file that was never imported has no token on record; its bytes are known.
            digests |= set(digests_of(connection, None, row["file_hash"]))
    bury(connection, erasure_id, digests)
    ids = [row["id"] for row in files]
    findings = kernel.import_findings
    _delete(connection, findings, findings.c.import_id.in_(ids))
    blank_reasons(connection, kernel.operator_actions.c.import_id.in_(ids))
    _blank_files(connection, ids)


def _certify(connection: Connection, actor: str, patient_id: int, traces: Traces, removed: dict[str, int]) -> int:
    """Puts the erasure on record, unfinished: a crash before the copies are gone leaves that to the next pass."""
    moment = now()
    certificate: Certificate = {
        "patient_id": patient_id,
        "erased_at": moment.isoformat(),
        "erased_by": actor,
        "removed": removed,
        "found": found_outside(traces.certain),
        "files": traces.files,
        "copies": list(traces.copies),
        "doubtful": list(traces.doubtful),
        "possible_duplicates": list(traces.duplicates),
        "decisions": [],
        "not_reached": ["everything outside the database: not tried yet"],
        "out_of_reach": list(OUT_OF_REACH),
        "completed_at": None,
    }
    row = {"patient_id": patient_id, "erased_by": actor, "erased_at": moment, "certificate": certificate}
    return int(connection.execute(sa.insert(erasures).values(row).returning(erasures.c.id)).scalar_one())


def found_outside(files: Sequence[RowMapping]) -> dict[str, int]:
    """How many copies and objects the files have."""
    return {
        "local_copies": sum(row["local_path"] is not None for row in files),
        "cloud_objects": sum(in_bucket(row) for row in files),
    }


def in_bucket(row: RowMapping) -> bool:
    """Whether the file's object is still to be deleted, under the name that the ledger keeps for that."""
    return row["source_deleted_at"] is None and row["file_name"] is not None


def files_numbered(connection: Connection, import_ids: Sequence[int]) -> Sequence[RowMapping]:
    """The files' rows, locked, in the order of their numbers."""
    statement = sa.select(_files).where(_files.c.id.in_(import_ids)).order_by(_files.c.id).with_for_update()
    return connection.execute(statement).mappings().all()


def _imported(connection: Connection, patient_id: int, consents: Sequence[RowMapping]) -> Sequence[RowMapping]:
    """The rows of the person's imported files, and of the same bytes under other names."""
    outcomes = kernel.import_outcomes
    of_outcomes = sa.select(outcomes.c.import_id).where(outcomes.c.entity_id == patient_id)
    statement = sa.select(_files).where(
        sa.or_(
            _files.c.id.in_([row["import_id"] for row in consents]),
            _files.c.id.in_(of_outcomes),
            _files.c.file_hash.in_([row["file_hash"] for row in consents]),
        )
    )
    return connection.execute(statement.order_by(_files.c.id).with_for_update()).mappings().all()


def _never_imported(connection: Connection) -> Sequence[RowMapping]:
    """Files that nobody was made of, wherever they ended: whose they are, only their names and copies tell."""
    statement = sa.select(_files).where(
        sa.or_(_files.c.status.in_((*RETRYABLE, FileStatus.DISCARDED)), _files.c.error_code == SourceGone.code),
        sa.or_(_files.c.file_name.is_not(None), _files.c.error_code == Code.COPY_UNKNOWN),
        _files.c.error_code.is_distinct_from(Code.ERASED_REGISTRATION),
    )
    return connection.execute(statement.order_by(_files.c.id)).mappings().all()


def _trace_of(sought: Sought, row: RowMapping, copies: LocalCopies) -> Trace | None:
    data = copies.read(row["local_path"]) if row["local_path"] else None
    return trace(sought, row["file_name"] or "", data, mixed_up=row["error_code"] == Code.TOKEN_MISMATCH)


def _trace_of_copy(sought: Sought, path: str, copies: LocalCopies) -> Trace | None:
    return trace(sought, "", copies.read(path), mixed_up=False)


def _token_of(row: RowMapping, copies: LocalCopies) -> str | None:
    token = read_said((copies.read(row["local_path"]) if row["local_path"] else None) or b"").token
    return token if token and len(token) <= LONGEST_TOKEN else None


def _possible_duplicates(connection: Connection, patient_id: int) -> list[int]:
    """Patients whom an open review takes for the same person as this one."""
    reviews = kernel.reviews.c
    asked = sa.select(reviews.entity_id, reviews.other_id, reviews.detail).where(
        reviews.id.in_(_reviews_about(patient_id)), reviews.state == ReviewState.OPEN
    )
    numbers: set[int] = set()
    for row in connection.execute(asked):
        numbers |= {row.entity_id, row.other_id, *(row.detail.get("candidates") or [])}
    others = numbers - {patient_id, None}
    return sorted(connection.execute(sa.select(patienten.c.id).where(patienten.c.id.in_(others))).scalars())


def _remove_rows(connection: Connection, patient_id: int, import_ids: Sequence[int]) -> dict[str, int]:
    """How many rows of each kind were removed or blanked."""
    changes, findings = kernel.field_changes, kernel.import_findings
    return {
        "consents": _remove_consents(connection, patient_id),
        "field_changes": _delete(connection, changes, changes.c.entity_id == patient_id),
        # Before the reviews, which no longer name the person afterwards.
        "reasons": blank_reasons(connection, _actions_about(patient_id, import_ids)),
        "reviews": forget(connection, kernel, _reviews_about(patient_id)),
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


def _blank_outcomes(connection: Connection, patient_id: int) -> int:
    outcomes = kernel.import_outcomes
    statement = sa.update(outcomes).where(outcomes.c.entity_id == patient_id).values(entity_id=None)
    return connection.execute(statement).rowcount


def _actions_about(patient_id: int, import_ids: Sequence[int]) -> sa.ColumnElement[bool]:
    actions = kernel.operator_actions.c
    undone = sa.and_(actions.action == Action.UNDO, actions.review_id.in_(_reviews_about(patient_id)))
    return sa.or_(actions.import_id.in_(import_ids), actions.entity_id == patient_id, undone)


def blank_reasons(connection: Connection, about: sa.ColumnElement[bool]) -> int:
    """What people wrote down when they mended the person's files, or undid a decision, may name the person."""
    actions = kernel.operator_actions
    statement = sa.update(actions).where(about, actions.c.reason.is_not(None)).values(reason=None)
    return connection.execute(statement).rowcount


def _blank_files(connection: Connection, import_ids: Sequence[int]) -> None:
    """Takes the person's name out of the ledger; where the object is still in the bucket, its delete needs the name.

    What is not imported yet never will be.
    """
    unsettled = _files.c.status.in_(RETRYABLE)
    name = sa.case((_files.c.source_deleted_at.is_(None), _files.c.file_name), else_=None)
    connection.execute(
        sa.update(_files)
        .where(_files.c.id.in_(import_ids))
        .values(
            file_name=name,
            file_hash=None,
            discard_reason=None,
            error_code=Code.ERASED_REGISTRATION,
            next_attempt_at=None,
            status=sa.case((unsettled, FileStatus.DISCARDED), else_=_files.c.status),
            delete_source=True,
        )
    )
    for import_id in import_ids:
        resolve_problem(connection, kernel, file_fingerprint(kernel, import_id))


def _delete(connection: Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.delete(table).where(condition)).rowcount
