"""Passes of an import: one now, or one after the other in the background."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic

import structlog
from sqlalchemy.engine import Engine

from shared.alerts.outbox import raise_problem, resolve_problem
from shared.core.clock import now
from shared.core.errors import CuravaniError, DatabaseUnavailable, LockLost
from shared.core.logs import get_logger
from shared.database.locks import LockedConnection, LockName, hold
from shared.database.revision import require_revision
from shared.database.tables import KernelTables
from shared.history.keeping import Housekeeping
from shared.imports import ledger
from shared.imports.engine import Importer
from shared.imports.passes import PassReport, close_interrupted, finish_pass, start_pass
from shared.imports.source import Content, Item
from shared.words.codes import Code
from shared.words.statuses import PassTrigger, Work
from shared.workers.leader import Job

log = get_logger(__name__)

_RETRY_SECONDS = 60.0
"""After a pass that could not be completed; the interval may be an hour."""


@dataclass(frozen=True, slots=True)
class ImportMonitor(Generic[Item, Content]):
    """Runs the passes of one service's import and keeps a row of each."""

    engine: Engine
    kernel: KernelTables
    importer: Importer[Item, Content]
    interval_seconds: float
    watch: Callable[[str], None] = field(default=lambda _outcome: None)
    """Told how each attempt at a file ended."""
    clean: Housekeeping = field(default=lambda _connection: None)
    """Done at the end of each pass."""

    def job(self) -> Job:
        """The passes as background work: one per interval, at a file's retry time, and whenever somebody asks."""
        return Job(Work.IMPORT, self.kernel.channel("import"), self._turn)

    def run_once(self, actor: str, stopping: Callable[[], bool] = lambda: False) -> PassReport:
        """One pass now. Raises `LockHeld` where another process imports, and what the pass raises."""
        with hold(self.engine, LockName(self.kernel.schema, Work.IMPORT)) as locked:
            return self._pass(locked, PassTrigger.COMMAND, actor, stopping)

    def _turn(self, locked: LockedConnection, stopping: Callable[[], bool]) -> float:
        try:
            report = self._pass(locked, PassTrigger.SCHEDULE, "service", stopping)
        except (DatabaseUnavailable, LockLost):
            raise
        except CuravaniError:
            # On record by now, and somebody is told; the next pass may do better.
            return min(self.interval_seconds, _RETRY_SECONDS)
        return min(self._seconds_to_next(locked), report.look_again_seconds or self.interval_seconds)

    def _pass(
        self, locked: LockedConnection, trigger: PassTrigger, actor: str, stopping: Callable[[], bool]
    ) -> PassReport:
        report = PassReport(watch=self.watch)
        with locked.transaction() as connection:
            require_revision(connection)
            if close_interrupted(connection, self.kernel):
                raise_problem(connection, self.kernel, code=Code.INTERRUPTED, fingerprint=self._fingerprint)
            pass_id = start_pass(connection, self.kernel, trigger, actor)
        with structlog.contextvars.bound_contextvars(component="import", run_id=pass_id):
            try:
                self.importer.run_pass(locked, report, stopping)
            except (DatabaseUnavailable, LockLost):
                log.warning("pass_interrupted", code=Code.DATABASE_UNAVAILABLE)
                raise
            except CuravaniError as error:
                log.error("pass_failed", code=error.code)  # noqa: TRY400 - an outage is not a fault of the program
                self._finish(locked, pass_id, report, error.code)
                raise
            except Exception as error:
                log.exception("pass_crashed")
                self._finish(locked, pass_id, report, CuravaniError.code)
                raise CuravaniError from error
            self._finish(locked, pass_id, report, None)
            log.info("pass_finished", counts=dict(report.counts), ignored=dict(report.ignored))
        return report

    def _finish(self, locked: LockedConnection, pass_id: int, report: PassReport, code: str | None) -> None:
        with locked.transaction() as connection:
            due = now() + timedelta(seconds=self.interval_seconds)
            finish_pass(connection, self.kernel, pass_id, report, error_code=code, next_pass_at=due)
            self.clean(connection)
            if code is None:
                resolve_problem(connection, self.kernel, self._fingerprint)
            else:
                raise_problem(connection, self.kernel, code=code, fingerprint=self._fingerprint)

    @property
    def _fingerprint(self) -> str:
        """Names the alert about the import as a whole."""
        return f"{self.kernel.service_name}-import"

    def _seconds_to_next(self, locked: LockedConnection) -> float:
        with locked.transaction() as connection:
            due: datetime | None = ledger.next_due(connection, self.kernel)
        if due is None:
            return self.interval_seconds
        return min(self.interval_seconds, max((due - now()).total_seconds(), 1.0))
