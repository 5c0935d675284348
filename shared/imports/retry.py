"""When a transient failure is tried again."""

LONGEST_DELAY_SECONDS = 6 * 3600.0
_SPREAD = 0.2


def delay_seconds(attempts: int, base_seconds: float, jitter: float) -> float:
    """Seconds after the `attempts`-th failure in a row (from 1): base·2ⁿ⁻¹, spread by ±20 %, at most six hours.

    `jitter` in [-1, 1] places it within the spread; files that failed together then do not all come back together.
    """
    # The exponent is capped, because 2**1000 would overflow long before the minimum could act.
    delay = base_seconds * 2.0 ** min(attempts - 1, 40)
    return min(delay * (1 + _SPREAD * jitter), LONGEST_DELAY_SECONDS)
