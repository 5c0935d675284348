"""The loop that carries one piece of background work, and that no exception can end."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.engine import Engine

from shared.core.errors import CuravaniError, DatabaseNotMigrated, DatabaseUnavailable, LockHeld, TransientError
from shared.core.logs import get_logger
from shared.database.engine import transaction
from shared.database.locks import LockedConnection, LockName, end_holder, hold
from shared.database.revision import require_revision
from shared.database.tables import KernelTables
from shared.words.statuses import WorkerState
from shared.workers.heartbeats import Heartbeats, is_silent

log = get_logger(__name__)

STANDBY_SECONDS = 3.0
"""Between two looks of a standby at the lock: bounds the takeover after the holder's death."""
_SLICE_SECONDS = 0.5

JobTurn = Callable[[LockedConnection, Callable[[], bool]], float]
"""One turn of the work; told how to know that it should stop. Returns the seconds until the next turn."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that at most one process does at a time. A notification on `channel` begins the next turn early.

    `away` is told why, in every process and every few seconds, as long as the database cannot be used.
    """

    worker: str
    channel: str
    turn: JobTurn
    away: Callable[[DatabaseUnavailable], None] | None = None


class Leader:
    """Leads a job while it holds the job's lock, and stands by while another process does.

    A standby ends the session of a holder that has fallen silent: one that is frozen, whose machine still keeps its
    connection, would hold the lock for ever. Should it wake, it can no longer commit.
    """

    def __init__(self, engine: Engine, kernel: KernelTables, job: Job, heartbeats: Heartbeats) -> None:
        self._engine = engine
        self._kernel = kernel
        self._lock = LockName(kernel.schema, job.worker)
        self._job = job
        self._heartbeats = heartbeats
        self._interrupted_by: str | None = None

    def run(self, stopping: threading.Event) -> None:
        """Runs until `stopping`; a turn in hand is finished first.

        What keeps it from leading and from standing by is logged when it begins or becomes something else, not with
        every look.
        """
        structlog.contextvars.bind_contextvars(component=self._job.worker)
        while not stopping.is_set():
            try:
                self._lead_or_stand_by(stopping)
            except (TransientError, DatabaseNotMigrated) as error:
                self._note_interruption(error)
                self._heartbeats.set(self._job.worker, WorkerState.STANDBY)
                if isinstance(error, DatabaseUnavailable) and self._job.away is not None:
                    self._job.away(error)
            except Exception:
                log.exception("worker_crashed", worker=self._job.worker)
                self._heartbeats.set(self._job.worker, WorkerState.STANDBY)
            stopping.wait(STANDBY_SECONDS)
        self._heartbeats.set(self._job.worker, WorkerState.STOPPED)

    def _lead_or_stand_by(self, stopping: threading.Event) -> None:
        try:
            with hold(self._engine, self._lock) as locked:
                self._lead(locked, stopping)
        except LockHeld as held:
            self._heartbeats.set(self._job.worker, WorkerState.STANDBY)
            self._stand_by(held.holder)

    def _stand_by(self, process: str) -> None:
        with transaction(self._engine) as connection:
            require_revision(connection)
            is_silenced = is_silent(connection, self._kernel, self._job.worker, process) and end_holder(
                connection, self._lock, process
            )
        if is_silenced:
            log.warning("silent_holder_ended", worker=self._job.worker, holder=process)
        if self._interrupted_by is not None:
            log.info("worker_stands_by", worker=self._job.worker)
        self._interrupted_by = None

    def _note_interruption(self, error: CuravaniError) -> None:
        if error.code != self._interrupted_by:
            log.warning("worker_interrupted", worker=self._job.worker, code=error.code, reason=error.detail)
        self._interrupted_by = error.code

    def _lead(self, locked: LockedConnection, stopping: threading.Event) -> None:
        # A program that came before its schema waits for it, rather than failing halfway through a file.
        with locked.transaction() as connection:
            require_revision(connection)
        self._interrupted_by = None
        log.info("worker_leads", worker=self._job.worker)
        self._heartbeats.set(self._job.worker, WorkerState.LEADING)
        locked.listen(self._job.channel)
        while not stopping.is_set():
            locked.require_same_session()
            remaining = self._job.turn(locked, stopping.is_set)
            # In slices, because a wait for notifications does not see `stopping`.
            while remaining > 0 and not stopping.is_set():
                if locked.wait(min(remaining, _SLICE_SECONDS)):
                    break
                remaining -= _SLICE_SECONDS
