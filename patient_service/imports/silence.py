"""Silence of the website's form: no registration for longer than chance explains.

Registrations come independently of each other, so the gaps between them follow from their number alone: at a rate of
r a day, r · 365 gaps begin in a year, and each lasts longer than t days with the probability exp(-r · t). Gaps longer
than t = ln(r · 365) / r come less than once a year. People sleep and go on holiday, which that leaves out: what the
last eight weeks have seen without any fault is no alarm either, nor is a single day.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy.engine import Connection

from patient_service.imports.bucket_ledger import UNKNOWN_COPY
from shared.alerts.outbox import watched
from shared.database.statements import Statement
from shared.mail.watch import Sight
from shared.words.codes import Code

WINDOW = timedelta(weeks=8)
FEWEST = 16
"""Two a week; of fewer no rate can be told."""
SHORTEST = timedelta(days=1)
_DAYS_A_YEAR = 365


def longest_silence(arrivals: Sequence[datetime], first_ever: datetime) -> timedelta | None:
    """How long the form may be silent after the last of `arrivals`: those of the eight weeks up to it, in order.

    None where nothing can be said: the system is younger than that, or too few come.
    """
    if len(arrivals) < FEWEST or arrivals[-1] - first_ever < WINDOW:
        return None
    rate = len(arrivals) / (WINDOW / timedelta(days=1))
    by_chance = timedelta(days=math.log(rate * _DAYS_A_YEAR) / rate)
    usual = max(later - earlier for earlier, later in pairwise(arrivals))
    return max(by_chance, usual * 1.5, SHORTEST)


def look(connection: Connection) -> Iterator[Sight]:
    """Whether the form is silent for too long; a time in which nobody could look into the bucket does not count."""
    row = _ARRIVALS.one(connection, window=WINDOW)
    limit = longest_silence(row.arrivals, row.first_ever) if row.arrivals else None
    is_silent = limit is not None and row.looked_at is not None and row.looked_at - row.arrivals[-1] > limit
    yield Sight(watched("registrations"), Code.NO_REGISTRATION if is_silent else None)


_ARRIVALS = Statement(f"""
    WITH came AS (
      SELECT coalesce(uploaded_at, first_seen_at) AS at FROM patient_service.import_tracking
      WHERE NOT starts_with(source_key, '{UNKNOWN_COPY}')
    )
    SELECT ARRAY(SELECT at FROM came WHERE at >= (SELECT max(at) FROM came) - CAST(:window AS interval) ORDER BY at)
             AS arrivals,
           (SELECT min(at) FROM came) AS first_ever,
           (SELECT max(started_at) FROM patient_service.import_passes
             WHERE finished_at IS NOT NULL AND error_code IS NULL) AS looked_at
""")
