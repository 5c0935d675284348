"""Signs of life of the background work, in `worker_heartbeats`: who leads, who stands by, and since when."""

import threading
from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, Engine

from shared.core.clock import set_clock
from shared.core.errors import CuravaniError
from shared.core.logs import get_logger
from shared.database.engine import transaction
from shared.database.locks import identity
from shared.database.tables import KernelTables
from shared.words.statuses import WorkerState

log = get_logger(__name__)

BEAT_SECONDS = 5.0
STALE_AFTER = timedelta(seconds=20)
"""A leader without a beat for so long is presumed dead. With a standby's next look and its takeover, a frozen one is
replaced within 30 seconds.
"""
_FORGET_AFTER = timedelta(days=2)


class Heartbeats:
    """The states of this process's workers, written every few seconds by a thread of its own.

    Beats go over another connection than the work, so that a long transaction looks alive.
    """

    def __init__(self, engine: Engine, kernel: KernelTables) -> None:
        self._engine = engine
        self._kernel = kernel
        self._states: dict[str, WorkerState] = {}
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._failed_by: str | None = None

    def set(self, worker: str, state: WorkerState) -> None:
        """Notes the state; it is written with the next beat, which comes at once if the state is another one."""
        with self._lock:
            if self._states.get(worker) == state:
                return
            self._states[worker] = state
        self._changed.set()

    def run(self, stopping: threading.Event) -> None:
        """Beats until `stopping`, then once more with what has stopped."""
        while not stopping.is_set():
            self.beat()
            self._changed.wait(BEAT_SECONDS)
            self._changed.clear()

    def beat(self) -> None:
        """Writes the states once. A database that is away is what health tells anyway; the log has it once."""
        with self._lock:
            states = dict(self._states)
        if not states:
            return
        try:
            with transaction(self._engine) as connection:
                self._write(connection, states)
            self._failed_by = None
        except CuravaniError as error:
            if error.code != self._failed_by:
                log.warning("heartbeat_failed", code=error.code)
            self._failed_by = error.code
        except Exception:
            # A leader without heartbeats looks dead to everybody, so nothing may end this thread.
            log.exception("heartbeat_crashed")

    def _write(self, connection: Connection, states: Mapping[str, WorkerState]) -> None:
        table = self._kernel.worker_heartbeats
        beat = insert(table).values(
            [{"worker": worker, "process": identity(), "state": state} for worker, state in states.items()]
        )
        connection.execute(
            beat.on_conflict_do_update(
                index_elements=["worker", "process"], set_={"state": beat.excluded.state, "beat_at": sa.func.now()}
            )
        )
        connection.execute(sa.delete(table).where(table.c.beat_at < sa.func.now() - _FORGET_AFTER))
        set_clock(connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one())


def is_silent(connection: Connection, kernel: KernelTables, worker: str, process: str) -> bool:
    """Whether the process once gave signs of life of this work, and has given none for `STALE_AFTER`.

    By the database's clock alone: those of two machines may differ by more than that.
    """
    beats = kernel.worker_heartbeats.c
    stale = beats.beat_at < sa.func.now() - STALE_AFTER
    silent = sa.exists().where(beats.worker == worker, beats.process == process, stale)
    return bool(connection.execute(sa.select(silent)).scalar())
