"""Putting a failed registration right: a person sends the document as it should have come, and it is imported.

The copy stays as it came, each changed value is kept beside what it was, and the evidence is never touched: nobody here
can give a consent for somebody else.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.engine import Connection, Engine, RowMapping

from patient_service.imports.envelope import unwrap
from patient_service.imports.file_processor import RegistrationFile
from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.patient_importer import Policy, import_registration
from patient_service.imports.person_locks import lock_person
from patient_service.imports.registration import (
    FORM_NAMES,
    Registration,
    Upload,
    parse_registration,
    registration_by_hand,
)
from patient_service.models import import_corrections, kernel
from patient_service.patient import SELF_REPORTED
from shared.core.errors import CopyGone, Finding, NotAllowedError, RejectedError
from shared.database.copy import copy_rows
from shared.database.engine import transaction
from shared.imports import ledger
from shared.imports.endings import Endings
from shared.imports.mend import begin_correction
from shared.imports.retry import RetryRule
from shared.text.strict_json import escaped, is_storable
from shared.words.codes import Code
from shared.words.statuses import Action, FileStatus

_RULE = "corrected"
_BY_HAND = "entered_by_hand"
_EVIDENCE = ("consent_metadata", "registration_token", "registration_timestamp")
_NOT_CORRECTABLE = (Code.FILE_TOO_LARGE, Code.ERASED_REGISTRATION, Code.TOKEN_MISMATCH, Code.SIGNATURE_INVALID)
_ABSENT = object()
"""Stands for a value where there is none: JSON has a null of its own."""


@dataclass(frozen=True, slots=True)
class Change:
    """A place in the registration (a JSON pointer), what stood there and what stands there now; None: nothing."""

    pointer: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Corrections:
    """Failed registrations in the hands of people."""

    engine: Engine
    copies: LocalCopies
    policy: Policy

    def content_of(self, import_id: int) -> bytes:
        """The file as it came. Raises `NotFound`, `CopyGone` or `DiskUnavailable`."""
        with transaction(self.engine) as connection:
            row = ledger.find(connection, kernel, import_id)
        return self._content(row)

    def check(self, document: Mapping[str, object], row: RowMapping) -> Sequence[Finding]:
        """What keeps this document from being imported in the place of the row's file; nothing, where nothing does."""
        try:
            _registration(document, row)
        except RejectedError as error:
            return error.findings or (Finding("", error.code),)
        return ()

    def correct(self, import_id: int, document: Mapping[str, object], reason: str, actor: str) -> None:
        """Imports the document in the file's place, under its number, and keeps what was changed, why and by whom.

        Raises `NotFound`; `NotAllowedError` where the file has not failed or is not to be corrected; `CopyGone`;
        `RejectedError` with the findings that a file of this content had. Then nothing is changed.
        """
        with transaction(self.engine) as connection:
            row = ledger.find(connection, kernel, import_id)
        _require_correctable(row)
        content = self._content(row)
        changes = list(changes_of(content, document))
        registration = _registration(document, row)
        file = RegistrationFile(content, row["file_hash"], row["local_path"])
        with transaction(self.engine) as connection:
            lock_person(connection, registration.person.name_key, registration.person.email_key, [registration.token])
            begin_correction(connection, kernel, import_id, actor, reason)
            settlement = import_registration(connection, import_id, file, registration, self.policy, rule=_RULE)
            _keep(connection, import_id, changes, reason, actor)
            endings = Endings(kernel, RetryRule())
            endings.settle(connection, import_id, settlement)
            endings.heal(connection, import_id)

    def copy_of(self, row: RowMapping) -> bytes | None:
        """The kept copy of the row's file; None where there is none. Raises `DiskUnavailable`."""
        return self.copies.read(row["local_path"]) if row["local_path"] else None

    def check_entry(self, values: Mapping[str, object], row: RowMapping) -> Sequence[Finding]:
        """What keeps these values from being entered for the row's file; nothing, where nothing does."""
        try:
            registration_by_hand(values, None, _upload(row))
        except RejectedError as error:
            return error.findings
        return ()

    def enter(self, import_id: int, values: Mapping[str, object], reason: str, actor: str) -> None:
        """Takes in what a person entered for a failed file, with the consent that its copy holds, if that can be read.

        The person is found as by any registration: a known one gets what was entered. A file without a copy is
        discarded and stays in the bucket. Raises as `correct`.
        """
        with transaction(self.engine) as connection:
            row = ledger.find(connection, kernel, import_id)
        _require_failed(row)
        if not can_be_entered(row):
            raise NotAllowedError(f"File {kernel.number(import_id)} is of an erased person", Code.NOT_CORRECTABLE)
        content = self.copy_of(row)
        document = _document_or_none(content)
        registration = registration_by_hand(values, document, _upload(row))
        file = RegistrationFile(content or b"", row["file_hash"] or "", row["local_path"] or "")
        with transaction(self.engine) as connection:
            lock_person(connection, registration.person.name_key, registration.person.email_key, [registration.token])
            begin_correction(connection, kernel, import_id, actor, reason, action=Action.ENTER)
            policy = replace(self.policy, update_known=True)
            settlement = import_registration(connection, import_id, file, registration, policy, rule=_BY_HAND)
            if content is None:
                settlement = replace(settlement, status=FileStatus.DISCARDED, noted={"discard_reason": reason})
            _keep(connection, import_id, list(_entered(document, values)), reason, actor)
            endings = Endings(kernel, RetryRule())
            endings.settle(connection, import_id, settlement)
            endings.heal(connection, import_id)

    def _content(self, row: RowMapping) -> bytes:
        content = self.copy_of(row)
        if content is None:
            raise CopyGone
        return content


def changes_of(content: bytes, document: Mapping[str, object]) -> Iterator[Change]:
    """Each place at which the document differs from the file.

    Of a file that nobody can read, the whole document is the change. Raises `RejectedError` (`evidence_changed`) where
    consent, token or time differ from the file's.
    """
    try:
        found = unwrap(content, None)
    except RejectedError:
        yield Change("", None, _as_text(document))
        return
    original, corrected = found.document, read_document(_as_bytes(document))
    touched = [name for name in _EVIDENCE if not _same(original.get(name, _ABSENT), corrected.get(name, _ABSENT))]
    if touched:
        raise RejectedError(Code.EVIDENCE_CHANGED, [Finding(f"/{name}", Code.EVIDENCE_CHANGED) for name in touched])
    yield from _differences(original, corrected, found.pointer)


def read_document(content: bytes) -> Mapping[str, object]:
    """The registration in a file, without what it may be wrapped in. Raises `RejectedError` where it cannot be read."""
    return unwrap(content, None).document


def is_correctable(row: RowMapping) -> bool:
    """Whether a file that failed like this may be corrected: not what may be somebody else's, or an erased person's."""
    return row["error_code"] not in _NOT_CORRECTABLE


def can_be_entered(row: RowMapping) -> bool:
    """Whether the person of a file that failed like this may be entered by hand: anybody but one who was erased."""
    return bool(row["error_code"] != Code.ERASED_REGISTRATION)


def _require_failed(row: RowMapping) -> None:
    if row["status"] != FileStatus.FAILED:
        raise NotAllowedError(f"File {kernel.number(row['id'])} is {row['status']} and cannot be corrected")


def _require_correctable(row: RowMapping) -> None:
    number = kernel.number(row["id"])
    _require_failed(row)
    if not is_correctable(row):
        message = f"File {number} failed with {row['error_code']} and cannot be corrected"
        raise NotAllowedError(message, Code.NOT_CORRECTABLE)


def _registration(document: Mapping[str, object], row: RowMapping) -> Registration:
    """The document as a file of this row says it; nobody signs a correction. Raises `RejectedError`."""
    return parse_registration(_as_bytes(document), row["file_name"] or "", _upload(row))


def _upload(row: RowMapping) -> Upload:
    return Upload(row["uploaded_at"] or row["first_seen_at"], int(row["file_version"] or 0))


def _document_or_none(content: bytes | None) -> Mapping[str, object] | None:
    try:
        return read_document(content) if content is not None else None
    except RejectedError:
        return None


def _entered(document: Mapping[str, object] | None, values: Mapping[str, object]) -> Iterator[Change]:
    """Where a file that can be read says something else of the person than was entered."""
    said = (document or {}).get("patient_data")
    if isinstance(said, dict):
        own = {FORM_NAMES.get(name, name): value for name, value in said.items()}
        known = {name: value for name, value in own.items() if name in SELF_REPORTED and value not in (None, "")}
        yield from _differences(known, dict(values), "/patient_data")


def _as_bytes(document: Mapping[str, object]) -> bytes:
    return json.dumps(document).encode()


def _differences(old: object, new: object, pointer: str) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{pointer}/{escaped(name)}")
    elif not _same(old, new):
        yield Change(pointer, _as_text(old), _as_text(new))


def _same(one: object, other: object) -> bool:
    """Whether both are the same JSON: in Python, 1 equals true and 1.0."""
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _as_text(value: object) -> str | None:
    if value is _ABSENT:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if is_storable(text) else json.dumps(value)


def _keep(connection: Connection, import_id: int, changes: list[Change], reason: str, actor: str) -> None:
    columns = ("import_id", "pointer", "old_value", "new_value", "reason", "corrected_by")
    rows = [(import_id, change.pointer, change.old, change.new, reason, actor) for change in changes]
    copy_rows(connection, import_corrections, columns, rows)
