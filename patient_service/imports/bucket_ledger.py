"""What the ledger keeps of objects in a bucket: their key, and what follows where an object is not there any more."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from patient_service.imports.bucket import StoredObject
from patient_service.imports.digest_keys import keys_of
from patient_service.imports.local_copies import LocalCopies, stem_of
from patient_service.models import kernel
from shared.alerts.outbox import is_open, raise_problem, resolve_problem
from shared.core.clock import now
from shared.core.errors import DiskUnavailable
from shared.database.digest_keys import Keys
from shared.imports import ledger
from shared.imports.source import File, Found, SourceGone
from shared.words.codes import Code
from shared.words.statuses import FileStatus

_IMPORTED = (FileStatus.SUCCESS, FileStatus.SKIPPED)
_DISK = "patient-import:disk"
_UNKNOWN_COPIES = "patient-import:copy-unknown"
_SETTLED = timedelta(days=1)
"""A younger copy may be that of an import in hand, on another machine."""
UNKNOWN_COPY = "unknown copy/"
"""Begins the key of a copy's entry; no bucket is called so."""
_UNUSABLE = "patient-import:unusable-name:"
_files = kernel.import_tracking
_SOURCE_TO_GO = sa.or_(
    sa.and_(_files.c.status == FileStatus.DISCARDED, _files.c.delete_source),
    _files.c.error_code == Code.ERASED_REGISTRATION,
)
"""Its source is to vanish although it was not imported; an erased person's name is kept no longer than that."""


def source_key(keys: Keys, bucket: str, stored: StoredObject) -> str:
    """The ledger's key of one generation of an object; its name, which is a person's, cannot be guessed from it."""
    return f"{bucket}/{stored.generation}/{keys.digest_of_name(stored.name)}"


def found(keys: Keys, bucket: str, stored: StoredObject) -> Found[StoredObject]:
    """The generation as the engine takes it."""
    columns = {
        "bucket": bucket,
        "file_name": stored.name,
        "file_version": str(stored.generation),
        "file_size": stored.size,
        "uploaded_at": stored.created,
    }
    return Found(source_key(keys, bucket, stored), stored, columns)


def copies_exist(connection: Connection) -> bool:
    """Whether any local copy was ever written, so that its folder has to be there."""
    unwritten = _files.c.error_code.is_not_distinct_from(DiskUnavailable.code)
    return bool(connection.execute(sa.select(sa.exists().where(_files.c.local_path.is_not(None), ~unwritten))).scalar())


def owes_delete(file: File) -> bool:
    """Whether the object of a listed file has to leave the bucket."""
    return file.status in _IMPORTED or bool(file.status == FileStatus.DISCARDED and file.own["delete_source"])


def listed_again(connection: Connection, keys: Sequence[str]) -> list[File]:
    """Files whose object was gone, as storage said, and is listed after all."""
    gone = _files.c.source_deleted_at.is_not(None)
    return ledger.files_where(connection, kernel, gone, _has_key(keys))


def revive(connection: Connection, files: Sequence[File], names: Mapping[str, str]) -> None:
    """Takes back that the objects of these files are gone; `names` are the objects', by key.

    One that was never imported must not pass for done. That of an erased person bears its name again: its delete needs
    it.
    """
    for file in files:
        was_denied = (file.status, file.error_code) == (FileStatus.SKIPPED, SourceGone.code)
        anew = {"status": FileStatus.PENDING, "error_code": None} if was_denied else {}
        # An erasure that has taken the file since has the last word on it.
        unchanged = _files.c.error_code.is_not_distinct_from(file.error_code)
        values = {"source_deleted_at": None, "file_name": names[file.source_key], **anew}
        connection.execute(sa.update(_files).where(_files.c.id == file.id, unchanged).values(values))


def vanished(connection: Connection, bucket: str, keys: Sequence[str]) -> list[File]:
    """Files that are not listed any more and wait for an import: their copy may still be there.

    A source to be deleted that is no longer listed was deleted after all: the answer got lost, or a person did. It is
    noted as gone.
    """
    expects_something = sa.or_(_files.c.status.not_in((FileStatus.FAILED, FileStatus.DISCARDED)), _SOURCE_TO_GO)
    not_listed = ~_has_key(keys)
    open_ended = (_files.c.bucket == bucket, _files.c.source_deleted_at.is_(None), expects_something, not_listed)
    missing = ledger.files_where(connection, kernel, *open_ended)
    _note_vanished_sources(connection, [file.id for file in missing])
    return [file for file in missing if file.status in ledger.WAITING]


def report_disk(connection: Connection) -> None:
    """Tells people of a disk that takes no copies, at once and not after the last attempt, and when it does again."""
    waiting = sa.exists().where(_files.c.status == FileStatus.RETRYING, _files.c.error_code == DiskUnavailable.code)
    if connection.execute(sa.select(waiting)).scalar():
        raise_problem(connection, kernel, code=DiskUnavailable.code, fingerprint=_DISK)
    else:
        resolve_problem(connection, kernel, _DISK)


def report_unusable_names(connection: Connection, generations: Sequence[int]) -> None:
    """Tells people of objects whose names cannot be stored, once of each, and forgets those that are gone.

    They are no files of the ledger, which could not hold their names.
    """
    found = {f"{_UNUSABLE}{generation}": generation for generation in generations}
    for fingerprint, generation in found.items():
        detail = {"generation": str(generation)}
        raise_problem(connection, kernel, code=Code.UNUSABLE_NAME, fingerprint=fingerprint, detail=detail)
    alerts = kernel.alert_outbox.c
    told = sa.select(alerts.fingerprint).where(alerts.code == Code.UNUSABLE_NAME, alerts.resolved_at.is_(None))
    for fingerprint in set(connection.execute(told).scalars()) - set(found):
        resolve_problem(connection, kernel, fingerprint)


def unknown_copies(connection: Connection, copies: LocalCopies, before: datetime) -> list[str]:
    """The paths of copies, written before then, that no file of the ledger knows. Raises `DiskUnavailable`.

    A process that died before its file's row was committed, or a restored database, leaves such ones.
    """
    old = copies.older_than(before)
    if not old:
        return []
    rows = connection.execute(
        sa.select(_files.c.local_path, _files.c.bucket, _files.c.file_name, _files.c.file_version)
    )
    known = set()
    for row in rows:
        if row.local_path:
            known.add(stem_of(row.local_path))
        if row.bucket and row.file_name and row.file_version:
            known.add(stem_of(copies.path_for(row.bucket, row.file_name, int(row.file_version))))
    return [path for path in old if stem_of(path) not in known]


def number_copies(connection: Connection, paths: Sequence[str]) -> list[int]:
    """Gives each of these copies, which no file knows, an entry with a number, so that people can look at it and decide
    whose it is. It is never imported.
    """
    keys = keys_of(connection)
    numbers = []
    for path in paths:
        entry = {
            "source_key": f"{UNKNOWN_COPY}{keys.digest_of_name(stem_of(path))}",
            "local_path": path,
            "status": FileStatus.DISCARDED,
            "error_code": Code.COPY_UNKNOWN,
            "source_deleted_at": now(),
            "processed_at": now(),
        }
        statement = insert(_files).values(entry)
        # Two erasures may both be in doubt about it.
        statement = statement.on_conflict_do_update(index_elements=["source_key"], set_={"local_path": path})
        numbers.append(connection.execute(statement.returning(_files.c.id)).scalar_one())
    return numbers


def report_unknown_copies(connection: Connection, copies: LocalCopies) -> None:
    """Tells people of copies of nobody knows whom, and when there are none any more.

    To read the whole folder takes the longer the more copies there are: it is done once a day, and as long as there is
    something to tell.
    """
    if _has_looked_today(connection) and not is_open(connection, kernel, _UNKNOWN_COPIES):
        return
    try:
        number = len(unknown_copies(connection, copies, now() - _SETTLED))
    except DiskUnavailable:
        return  # told as the disk's trouble
    if number:
        raise_problem(
            connection, kernel, code=Code.COPY_UNKNOWN, fingerprint=_UNKNOWN_COPIES, detail={"number": number}
        )
    else:
        resolve_problem(connection, kernel, _UNKNOWN_COPIES)


def _has_looked_today(connection: Connection) -> bool:
    passes = kernel.import_passes.c
    today = passes.finished_at >= sa.func.date_trunc("day", sa.func.now())
    return bool(connection.execute(sa.select(sa.exists().where(today, passes.error_code.is_(None)))).scalar())


def note_deleted(connection: Connection, file: File) -> None:
    """The source is gone, as it should be; with it what an erasure still needed the name for."""
    needless = {"file_name": None} if file.error_code == Code.ERASED_REGISTRATION else {}
    ledger.note(connection, kernel, file.id, source_deleted_at=now(), **needless)


def _note_vanished_sources(connection: Connection, ids: Sequence[int]) -> None:
    if ids:
        done = sa.or_(_files.c.status.in_(_IMPORTED), _SOURCE_TO_GO)
        name = sa.case((_files.c.error_code == Code.ERASED_REGISTRATION, None), else_=_files.c.file_name)
        connection.execute(
            sa.update(_files).where(_files.c.id.in_(ids), done).values(source_deleted_at=now(), file_name=name)
        )


def _has_key(keys: Sequence[str]) -> sa.ColumnElement[bool]:
    return _files.c.source_key == sa.any_(sa.literal(list(keys), sa.ARRAY(sa.Text)))
