"""A connection on which nobody waits for ever, however long a statement may take.

The system notices a server that is gone. It does not notice one that is frozen while its machine is not, nor that half
of an answer was lost on its way. A limit of time would notice, and cut off what rightly takes long. So whoever has
waited for some seconds asks over another connection whether the server is still at it.
"""

import time
from collections.abc import Generator
from typing import ClassVar, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from psycopg.waiting import Ready, Wait

R = TypeVar("R")

_LOOKS = 2
"""An answer may be under way while somebody looks: only what the second look finds as well is lost."""
_INTERVAL = 0.1
_LOOK_SECONDS = 5.0
_STATE = "SELECT state FROM pg_stat_activity WHERE pid = %s"


class PatientConnection(psycopg.Connection[TupleRow]):
    """Raises `OperationalError`, and is closed, where the server does not answer and is not at work on the answer."""

    server_process: int | None = None
    """The process of the server that answers here; behind a pooler not the one that the protocol names."""
    look_seconds: ClassVar[float] = _LOOK_SECONDS
    """So long an answer is waited for before somebody looks."""

    def wait(self, gen: PQGen[R], interval: float = _INTERVAL, timeout: float | None = None) -> R:
        """What every operation of the driver waits with."""
        return super().wait(gen if timeout is not None else self._watched(gen), interval, timeout)

    def _watched(self, gen: PQGen[R]) -> Generator[Wait, Ready | int, R]:
        looks, began = 0, time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if time.monotonic() - began > self.look_seconds:
                    looks = 0 if self._is_at_work() else looks + 1
                    if looks == _LOOKS:
                        self.close()
                        raise psycopg.OperationalError("the server has fallen silent")
                    began = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as ended:
            found: R = ended.value
            return found

    def _is_at_work(self) -> bool:
        address = make_conninfo(self.info.dsn, password=self.info.password)
        try:
            with _HurriedConnection.connect(address, autocommit=True) as other:
                row = other.execute(_STATE, [self.server_process]).fetchone()
        except psycopg.Error as error:
            # A server that takes nobody more in, say, is there and may well be at work.
            return "FATAL" in str(error)
        return self.server_process is None or (row is not None and not str(row[0]).startswith("idle"))


class _HurriedConnection(psycopg.Connection[TupleRow]):
    """Takes silence for an answer."""

    def wait(self, gen: PQGen[R], interval: float = _INTERVAL, timeout: float | None = None) -> R:
        return super().wait(gen, interval, timeout or _LOOK_SECONDS)
