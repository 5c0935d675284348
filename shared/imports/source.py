"""What the engine asks of a source: how to discover, open, apply and release, and which failures there are.

A source knows its own system and its own columns of the ledger. It does not know attempts, retries, statuses, alerts or
passes: those are the engine's, and the same for every source.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, Protocol, TypeVar

from sqlalchemy.engine import Connection

from shared.core.errors import CuravaniError
from shared.database.locks import LockedConnection
from shared.database.tables import KernelTables
from shared.imports.passes import PassReport
from shared.words.codes import Code
from shared.words.statuses import FileStatus

Item = TypeVar("Item")
"""The source's own handle of something to import: an object in a bucket, a file in a folder."""
Content = TypeVar("Content")
"""What opening an item gives."""


@dataclass(frozen=True, slots=True)
class Found(Generic[Item]):
    """Something that may be imported. `key` names this version of it for ever; `columns` are its row in the ledger."""

    key: str
    item: Item
    columns: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class File:
    """One version of something to import, as the ledger has it; `own` are the columns that only its source keeps.

    `interruptions` counts how often in a row a pass was cut off at it.
    """

    id: int
    source_key: str
    file_name: str | None
    file_version: str | None
    status: FileStatus
    attempts: int
    next_attempt_at: datetime | None
    error_code: str | None
    source_deleted_at: datetime | None
    interruptions: int
    own: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Claim(Generic[Item]):
    """A file that is due, with the source's handle; None where the source does not have it any more."""

    file: File
    item: Item | None


@dataclass(frozen=True, slots=True)
class Group(Generic[Item]):
    """Due files that are concluded together, in batches that are applied in one transaction each.

    `day` is what they have in common, where the source goes day by day.
    """

    batches: Iterable[Sequence[Claim[Item]]]
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a file ended: its status, the code if there is one, its counts per record outcome, how long it took.

    `noted` are further columns of the ledger that are known by then. Where it is not `final`, some of its records are
    counted as held until the source concludes the file's group.
    """

    status: FileStatus
    error_code: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    noted: Mapping[str, object] = field(default_factory=dict)
    final: bool = True
    duration_ms: int | None = None


class SourceGone(CuravaniError):
    """The item left the source before it was read, and nothing is left of it: there is nothing to import."""

    code = Code.SOURCE_GONE


class Source(Protocol[Item, Content]):
    """Where files come from. Other failures than those named here are faults of the program, and the file's alone.

    Each method may raise a service-wide `TransientError`: then the pass ends, and no file pays for it.
    """

    @property
    def kernel(self) -> KernelTables:
        """The tables of the service."""

    def prepare(self, connection: Connection) -> None:
        """What has to be done or known before each pass."""

    def discover(self, report: PassReport) -> list[Found[Item]]:
        """All that may be imported; what is left alone is told to the report by its reason. Never a part of it."""

    def reconcile(self, connection: Connection, found: Sequence[Found[Item]]) -> list[File]:
        """Squares the ledger with what is there; returns files that wait for an attempt and are not there any more."""

    def groups(self, due: list[Claim[Item]]) -> Iterable[Group[Item]]:
        """The due files in their order."""

    def open(self, locked: LockedConnection, claim: Claim[Item]) -> Content:
        """Reads and checks the item. Raises `SourceGone`, `NotYet`, `RejectedError` or `TransientError`."""

    def apply(self, connection: Connection, opened: Sequence[tuple[File, Content]]) -> list[Settlement]:
        """Imports the files of a batch in the caller's transaction, each after those before it; returns how each ended.

        Raises `RejectedError` for one of them: then nothing is committed.
        """

    def size(self, content: Content) -> int:
        """How many records it has."""

    @property
    def releases(self) -> bool:
        """Whether items leave the source once they are imported."""

    def owes_release(self, file: File) -> bool:
        """Whether the item of a file that is done with, and is listed, is still to be taken out of the source."""

    def release(self, locked: LockedConnection, claim: Claim[Item]) -> bool:
        """Takes the item out of the source; False where a later pass has to try again."""

    def conclude(self, connection: Connection, group: Group[Item] | None) -> Iterable[FileStatus]:
        """Decides what only the end of a group shows; None stands for all that is left at the end of the pass.

        Returns the status of each file whose settlement was not final and is now, in whichever pass it was applied.
        """

    def finish(self, connection: Connection) -> None:
        """What is worth telling at the end of a pass."""
