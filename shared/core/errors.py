"""The families of failure. The class of an exception decides what becomes of the work; its text is for people only.

- `TransientError`: the world is at fault, the same input may work later: try again.
- `RejectedError`: the input is at fault: keep it, report it, never retry by itself.
- anything else is a bug: the attempt crashes, the loop that ran it lives on and tells someone.

No exception of ours carries input values: codes, JSON pointers and ids only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from shared.words.codes import Code


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark about an input: where (`pointer`, RFC 6901, from the document's root) and what (`code`).

    `records` is of how many records it is said.
    """

    pointer: str
    code: Code
    record_index: int | None = None
    records: int = 1


class CuravaniError(Exception):
    """Base of all our exceptions; `code` is the word of a `shared.words.codes.Code`.

    `detail` says more of the same: another code, or what the other side calls it.
    """

    code: Code = Code.INTERNAL_ERROR

    def __init__(self, code: Code | None = None, *, detail: str | None = None) -> None:
        self.code = code or type(self).code
        self.detail = detail
        super().__init__(self.code)


class SettingsError(CuravaniError):
    """Settings are missing or malformed; `problems` names every variable with its fault, without its value."""

    code = Code.SETTINGS_INVALID

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__()
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "Settings are missing or malformed:\n" + "\n".join(f"  {problem}" for problem in self.problems)


class TransientError(CuravaniError):
    """Worth trying again later. `service_wide` failures cost no single file an attempt."""

    code = Code.TEMPORARILY_UNAVAILABLE
    service_wide = False


class DatabaseUnavailable(TransientError):
    """PostgreSQL cannot be reached, or dropped the connection before it confirmed the transaction in hand."""

    code = Code.DATABASE_UNAVAILABLE
    service_wide = True


class DatabaseReadOnly(DatabaseUnavailable):
    """PostgreSQL takes no writes, as after a failover to a standby."""

    code = Code.DATABASE_READ_ONLY


class RightMissing(TransientError):
    """PostgreSQL refuses one statement for want of a right: whoever gives it mends that, and other work goes on."""

    code = Code.DATABASE_FORBIDDEN


class DatabaseForbidden(DatabaseUnavailable):
    """PostgreSQL refuses the login, or a right that our statements need."""

    code = Code.DATABASE_FORBIDDEN


class PoolerInTransactionMode(DatabaseUnavailable):
    """A pooler between us and PostgreSQL changes sessions between transactions, so that no lock would hold."""

    code = Code.POOLER_IN_TRANSACTION_MODE


class DatabaseFull(DatabaseUnavailable):
    """PostgreSQL's disk has no room."""

    code = Code.DATABASE_FULL


class TryAgain(DatabaseUnavailable):
    """PostgreSQL undid the transaction for another one's sake (SQLSTATE class 40): the same one may work at once."""


class DatabaseNotMigrated(CuravaniError):
    """The schema is missing or older than this program needs: `curavani db upgrade` has to run first."""

    code = Code.DATABASE_NOT_MIGRATED


class DatabaseForeign(DatabaseNotMigrated):
    """The tables are another program's, or only partly ours: `curavani db adopt` says what can be done."""

    code = Code.DATABASE_FOREIGN


class SchemaBusy(TransientError):
    """A migration found a table in use for longer than it waits; nothing was changed."""

    code = Code.SCHEMA_BUSY


class StorageUnavailable(TransientError):
    """The bucket as a whole cannot be listed or reached."""

    code = Code.STORAGE_UNAVAILABLE
    service_wide = True


class ObjectUnavailable(TransientError):
    """One object cannot be read just now; the others may."""

    code = Code.STORAGE_UNAVAILABLE


class DownloadCorrupt(TransientError):
    """Length or CRC32C of the bytes received differ from what the bucket says."""

    code = Code.DOWNLOAD_CORRUPT


class DiskUnavailable(TransientError):
    """The local copy cannot be made durable: disk full, read-only, folder vanished or not permitted."""

    code = Code.DISK_UNAVAILABLE


class LockLost(TransientError):
    """The connection that held the lock is gone, and the right to go on with it; the transaction did not commit."""

    code = Code.LOCK_LOST
    service_wide = True


class LockHeld(CuravaniError):
    """Another process holds the lock; `holder` says which one, as host and process id."""

    code = Code.LOCK_HELD

    def __init__(self, holder: str) -> None:
        super().__init__()
        self.holder = holder


class RejectedError(CuravaniError):
    """The input cannot be accepted as it is. `findings` tell where and why, `noted` what the ledger keeps of it."""

    code = Code.VALIDATION_FAILED

    def __init__(
        self, code: Code, findings: Sequence[Finding] = (), noted: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        super().__init__(code)
        self.findings = tuple(findings)
        self.noted = noted


class NotFound(CuravaniError):
    """No row with this id. `message` is the sentence of the API for it."""

    code = Code.NOT_FOUND

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message


class NotAllowedError(CuravaniError):
    """The state of a file, review or event does not allow the action; `message` says which state it is in."""

    code = Code.NOT_ALLOWED

    def __init__(self, message: str, code: Code | None = None) -> None:
        super().__init__(code)
        self.message = message


class CopyGone(CuravaniError):
    """The file's content is not kept (any more), so nobody can look at it or correct it."""

    code = Code.COPY_GONE


class NotYet(CuravaniError):
    """The item is not ready, as a file that is still being written: this attempt does not count.

    `reason` is the word under which the pass counts it, `seconds` how soon another look is worth while.
    """

    code = Code.FILE_CHANGING

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__()
        self.reason = reason
        self.seconds = seconds
