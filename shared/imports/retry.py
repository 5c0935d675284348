"""When a transient failure is tried again, and how often."""

import random
from dataclasses import dataclass, field

LONGEST_DELAY_SECONDS = 6 * 3600.0
_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class RetryRule:
    """After the `max_attempts`-th attempt a file waits for a person; until then the delay doubles from `base_seconds`.

    The defaults make about 16 hours in all.
    """

    max_attempts: int = 8
    base_seconds: float = 600.0
    jitter: random.Random = field(default_factory=random.SystemRandom)

    def delay_after(self, attempts: int) -> float | None:
        """Seconds until the next attempt after so many; None where there is none."""
        if attempts >= self.max_attempts:
            return None
        return delay_seconds(attempts, self.base_seconds, self.jitter.uniform(-1.0, 1.0))


def delay_seconds(attempts: int, base_seconds: float, jitter: float) -> float:
    """Seconds after the `attempts`-th failure in a row (from 1): base·2ⁿ⁻¹, spread by ±20 %, at most six hours.

    `jitter` in [-1, 1] places it within the spread; files that failed together then do not all come back together.
    """
    # The exponent is capped, because 2**1000 would overflow long before the minimum could act.
    delay = base_seconds * 2.0 ** min(attempts - 1, 40)
    return min(delay * (1 + _SPREAD * jitter), LONGEST_DELAY_SECONDS)
