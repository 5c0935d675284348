"""When a transient failure is tried again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.imports.retry import LONGEST_DELAY_SECONDS, RetryRule, delay_seconds


@pytest.mark.parametrize(
    ("attempts", "base", "jitter", "delay"),
    [
        (1, 600, 0, 600),
        (2, 600, 0, 1200),
        (5, 600, 0, 9600),
        (1, 600, 1, 720),
        (1, 600, -1, 480),
        (3, 600, 0.5, 2640),
        (7, 600, 0, 21600),
        (7, 600, -1, 21600),
        (6, 600, 1, 21600),
        (10_000, 600, -1, 21600),
        (10_000, 0, 1, 0),
        (41, 1e-9, 0, 1e-9 * 2**40),
        (42, 1e-9, 0, 1e-9 * 2**40),
    ],
)
def test_the_delay_doubles_is_spread_and_has_an_end(attempts, base, jitter, delay):
    assert delay_seconds(attempts, base, jitter) == pytest.approx(delay)


@given(st.integers(1, 100), st.integers(0, 10**6), st.floats(-1, 1))
def test_a_delay_stays_within_its_spread_and_below_six_hours(attempts, base, jitter):
    exact = base * 2 ** (attempts - 1)
    delay = delay_seconds(attempts, base, jitter)
    assert 0 <= delay <= LONGEST_DELAY_SECONDS
    assert min(exact * 0.8, LONGEST_DELAY_SECONDS) <= delay * 1.0001 + 1e-9


@given(st.integers(1, 100), st.integers(0, 10**6), st.floats(-1, 1))
def test_the_next_delay_is_never_shorter(attempts, base, jitter):
    assert delay_seconds(attempts, base, jitter) <= delay_seconds(attempts + 1, base, jitter)


def test_eight_attempts_take_about_sixteen_hours():
    assert 12 <= sum(delay_seconds(n, 600, 0) for n in range(1, 8)) / 3600 <= 18


class Extreme(random.Random):
    """Draws the lowest or the highest number there is."""

    def __init__(self, which):
        super().__init__()
        self.which = which

    def uniform(self, a, b):
        return (a, b)[self.which]


@pytest.mark.parametrize(
    ("rule", "attempts", "delay"),
    [
        (RetryRule(jitter=Extreme(0)), 1, 480),
        (RetryRule(jitter=Extreme(1)), 1, 720),
        (RetryRule(jitter=Extreme(1)), 3, 2880),
        (RetryRule(jitter=Extreme(0)), 7, 21600),
        (RetryRule(base_seconds=0, jitter=Extreme(1)), 7, 0),
        (RetryRule(), 8, None),
        (RetryRule(), 9, None),
        (RetryRule(max_attempts=1), 1, None),
        (RetryRule(max_attempts=2, base_seconds=10, jitter=Extreme(1)), 1, 12),
    ],
)
def test_after_the_last_attempt_there_is_none(rule, attempts, delay):
    assert rule.delay_after(attempts) == (None if delay is None else pytest.approx(delay))
