"""The faults of the storage emulator: what goes wrong, for which operation and how often."""

import threading
from dataclasses import dataclass
from typing import Final

STALL_SECONDS: Final = 120.0
OPERATIONS: Final = frozenset({"list", "download", "get", "update", "delete", "upload", "bucket", "any"})
KINDS: Final = frozenset({"reset", "stall", "truncate", "wrong_bytes", "after", "hold"})


@dataclass(slots=True)
class Fault:
    """One fault. `left` counts down; None is without end."""

    operation: str
    kind: int | str
    left: int | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Met:
    """What one request meets: a fault's kind, and when the faults were cleared."""

    kind: int | str
    cleared: threading.Event

    def stall(self) -> None:
        """Waits until the faults are cleared, or for as long as no client of ours does."""
        self.cleared.wait(STALL_SECONDS)


class Faults:
    """The faults in force, the oldest first; safe for use by several threads.

    Kinds: a status code as the answer; `reset` of the connection before anything is done; `stall` without an answer
    (of a download: in the middle of it); `truncate`, an answer cut off half way; `wrong_bytes`, an answer with a byte
    changed but the right hash; `after`, the operation is done and the connection reset, so that its answer is lost;
    `hold`, the answer of a request comes once the faults are cleared.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._cleared = threading.Event()
        self.taken = 0
        """How many requests met a fault."""

    def add(self, operation: str, kind: int | str, times: int | None = 1, name: str | None = None) -> None:
        """Puts a fault in force, for all objects where `name` is None. Raises ValueError for one there is not."""
        known = 400 <= kind <= 599 if isinstance(kind, int) else kind in KINDS
        if operation not in OPERATIONS or not known or (times is not None and times < 1):
            raise ValueError(f"no such fault: {operation} {kind} {times}")
        with self._lock:
            self._faults.append(Fault(operation, kind, times, name))

    def add_from(self, description: object) -> None:
        """Puts a fault in force that is described as JSON, with the arguments of `add`. Raises ValueError."""
        if not isinstance(description, dict):
            raise ValueError("a fault is an object with operation, kind, times and name")  # noqa: TRY004
        try:
            self.add(**description)
        except TypeError as error:
            raise ValueError(str(error)) from None

    def clear(self) -> None:
        """Ends all faults. The requests that are stalled lose their connection."""
        with self._lock:
            self._faults.clear()
            self._cleared.set()
            self._cleared = threading.Event()

    def take(self, operation: str, name: str | None) -> Met | None:
        """The fault that this request meets, which counts it; None where all goes well.

        Whoever sees the count can clear the faults from then on, however far the request has come.
        """
        with self._lock:
            for fault in self._faults:
                if fault.operation in ("any", operation) and fault.name in (None, name):
                    self.taken += 1
                    if fault.left is not None:
                        fault.left -= 1
                        if fault.left == 0:
                            self._faults.remove(fault)
                    return Met(fault.kind, self._cleared)
        return None
