"""The threads of the background work: started with the application, after any fork, and stopped in good order."""

import atexit
import os
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType

from sqlalchemy.engine import Engine

from shared.core.logs import get_logger
from shared.database.tables import KernelTables
from shared.workers.heartbeats import Heartbeats
from shared.workers.leader import Job, Leader

log = get_logger(__name__)

_STOP_SECONDS = 25.0
"""Less than gunicorn's graceful timeout, after which it kills."""


class BackgroundWorkers:
    """One thread per job and one for their heartbeats."""

    def __init__(self, engine: Engine, kernel: KernelTables, jobs: Callable[[], Sequence[Job]]) -> None:
        self._engine = engine
        self._kernel = kernel
        # Made in the process that runs them: clients of brokers do not survive a fork.
        self._make_jobs = jobs
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._heartbeats = Heartbeats(engine, kernel)

    def start(self) -> None:
        """Starts the threads now, or in each worker process where this one is about to fork them."""
        if _in_preloading_arbiter():
            os.register_at_fork(after_in_child=self._start_after_fork)
        else:
            self._start()

    def stop(self) -> None:
        """Asks the threads to end after the file or batch in hand, and waits for them."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_STOP_SECONDS)
        if self._threads:
            self._heartbeats.beat()
        self._threads = []

    @property
    def running(self) -> bool:
        """Whether every thread is alive; false where none was started in this process."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    def _start_after_fork(self) -> None:
        # Connections of the parent must not be used, nor closed, on this side.
        self._engine.dispose(close=False)
        self._start()

    def _start(self) -> None:
        if self._threads:
            return
        leaders = {
            f"curavani-{job.worker}": Leader(self._engine, self._kernel, job, self._heartbeats).run
            for job in self._make_jobs()
        }
        for name, run in {**leaders, "curavani-heartbeats": self._heartbeats.run}.items():
            thread = threading.Thread(target=run, args=(self._stopping,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        # Daemon threads would be cut off wherever they are when the interpreter ends.
        atexit.register(self.stop)
        log.info("workers_started", number=len(self._threads))


def _in_preloading_arbiter() -> bool:
    """Whether gunicorn loads the application in its arbiter (`--preload`), which forks the workers afterwards."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - inspect.stack would read every source file
    inside = set()
    while frame is not None:
        if frame.f_globals.get("__name__") == "gunicorn.arbiter":
            inside.add(frame.f_code.co_name)
        frame = frame.f_back
    return bool(inside) and "spawn_worker" not in inside
