"""How long the website's form may be silent before chance does not explain it."""

from datetime import UTC, datetime, timedelta

import pytest

from patient_service.imports.silence import FEWEST, WINDOW, longest_silence

LAST = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONG_AGO = LAST - timedelta(weeks=20)


def arrivals(number, *, without=()):
    every = WINDOW / number
    moments = [LAST - every * step for step in reversed(range(number))]
    return [moment for index, moment in enumerate(moments) if index not in without]


@pytest.mark.parametrize(("number", "days"), [(16, 16.3), (56, 5.9), (280, 1.5)])
def test_longer_gaps_come_less_than_once_a_year(number, days):
    limit = longest_silence(arrivals(number), LONG_AGO)
    assert limit / timedelta(days=1) == pytest.approx(days, abs=0.1)


def test_a_day_is_never_too_long():
    assert longest_silence(arrivals(5600), LONG_AGO) == timedelta(days=1)


def test_what_was_seen_without_a_fault_is_no_alarm():
    limit = longest_silence(arrivals(280, without=range(100, 125)), LONG_AGO)
    assert limit / timedelta(days=1) == pytest.approx(26 / 5 * 1.5, abs=0.1)


@pytest.mark.parametrize("first", [LAST - WINDOW + timedelta(seconds=1), LAST])
def test_a_young_system_says_nothing(first):
    assert longest_silence(arrivals(280), first) is None


def test_a_sparse_system_says_nothing():
    assert longest_silence(arrivals(FEWEST - 1), LONG_AGO) is None
    assert longest_silence(arrivals(FEWEST), LAST - WINDOW) is not None
