"""What a service needs from outside, and asking it how it is: one code for health, metrics and `curavani doctor`."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from shared.core.errors import CuravaniError
from shared.core.logs import get_logger
from shared.words.codes import Code

log = get_logger(__name__)

KEEP_SECONDS = 2.0
"""So long an answer is good: whoever asks health in a loop does not load mail server and storage."""
ANSWER_SECONDS = 5.0
"""So long a page waits for all of them together."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be well. `code` says what is not, or why it does not count; a check that is `ok` may carry
    one, too. `number` and `seconds` say how many, and for how long, `reason` what more is known of the trouble.
    """

    name: str
    ok: bool
    code: str | None = None
    number: int | None = None
    seconds: int | None = None
    reason: str | None = None

    def as_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if name != "name" and value is not None}


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something outside. `probe` raises a `CuravaniError` where it does not answer; None where it is not configured.

    `silent` is the code where no answer comes at all, `advice` says what to set where it is not configured.
    """

    name: str
    probe: Callable[[], None] | None
    silent: str = CuravaniError.code
    advice: str = ""


def ask(dependency: Dependency) -> Check:
    """How it is, however long that takes."""
    if dependency.probe is None:
        return Check(dependency.name, ok=True, code=Code.NOT_CONFIGURED)
    try:
        dependency.probe()
    except CuravaniError as error:
        return Check(dependency.name, ok=False, code=error.code, reason=error.detail)
    except Exception:
        # A fault in a probe must not take down the page that tells of it.
        log.exception("probe_crashed", reason=dependency.name)
        return Check(dependency.name, ok=False, code=CuravaniError.code)
    return Check(dependency.name, ok=True)


class Probes:
    """The dependencies of one process, asked side by side and at most every `KEEP_SECONDS`; who has not answered within
    `seconds` counts as away."""

    def __init__(self, dependencies: Sequence[Dependency], *, seconds: float = ANSWER_SECONDS) -> None:
        self._questions = [_Question(dependency) for dependency in dependencies]
        self._seconds = seconds
        self._lock = threading.Lock()
        self._asked_at = -KEEP_SECONDS

    def checks(self) -> list[Check]:
        """How each is; returns in time, whatever they do."""
        with self._lock:
            if time.monotonic() - self._asked_at >= KEEP_SECONDS:
                self._ask()
            return [question.answer for question in self._questions]

    def _ask(self) -> None:
        for question in self._questions:
            question.begin()
        deadline = time.monotonic() + self._seconds
        for question in self._questions:
            question.await_answer(max(0.0, deadline - time.monotonic()))
        self._asked_at = time.monotonic()


class _Question:
    """One dependency, asked by a thread of its own, since a library may wait longer than anybody who asks."""

    def __init__(self, dependency: Dependency) -> None:
        self._dependency = dependency
        self._thread: threading.Thread | None = None
        self._given: Check | None = None
        self.answer = Check(dependency.name, ok=True)

    def begin(self) -> None:
        """Asks, unless the last question is still open."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._given = None
        self._thread = threading.Thread(target=self._ask, name=f"probe-{self._dependency.name}", daemon=True)
        self._thread.start()

    def await_answer(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)
        self.answer = self._given or Check(self._dependency.name, ok=False, code=self._dependency.silent)

    def _ask(self) -> None:
        self._given = ask(self._dependency)
