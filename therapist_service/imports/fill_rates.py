"""How full the scrapes of each day were, kept per postal code, and what of that is worth an alert."""

from collections import Counter
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.mail.watch import Sight
from shared.words.codes import Code
from therapist_service.imports.drift import EARLIER_DAYS, Fill, drops
from therapist_service.imports.envelope import Envelope
from therapist_service.models import scrape_fill
from therapist_service.therapist import MAPPED_FIELDS, THERAPIST


def keep_fills(connection: Connection, scrapes: Sequence[tuple[Envelope, Fill]]) -> None:
    """Keeps how full each scrape was; a second one of the same postal code and day takes the first one's place."""
    if scrapes:
        _KEEP(
            connection,
            days=[envelope.scrape_day for envelope, _ in scrapes],
            zips=[envelope.zip for envelope, _ in scrapes],
            records=[fill.records for _, fill in scrapes],
            filled=[json_text(dict(fill.filled)) for _, fill in scrapes],
        )


_KEEP = Statement("""
    INSERT INTO therapist_service.scrape_fill (scrape_day, zip, records, filled)
    SELECT * FROM unnest(
      CAST(:days AS date[]), CAST(:zips AS text[]), CAST(:records AS int[]), CAST(:filled AS jsonb[])
    )
    ON CONFLICT (scrape_day, zip) DO UPDATE SET records = excluded.records, filled = excluded.filled
""")


def fills_by_day(connection: Connection) -> list[Fill]:
    """The latest day's scrapes together, then those of earlier days, each only of the postal codes of the latest."""
    table = scrape_fill.c
    days = sa.select(table.scrape_day).distinct().order_by(table.scrape_day.desc()).limit(EARLIER_DAYS + 1)
    listed = list(connection.execute(days).scalars())
    if not listed:
        return []
    same_places = sa.select(table.zip).where(table.scrape_day == listed[0])
    statement = sa.select(table.scrape_day, table.records, table.filled).where(
        table.scrape_day.in_(listed), table.zip.in_(same_places)
    )
    records: Counter[object] = Counter()
    filled: dict[object, Counter[str]] = {day: Counter() for day in listed}
    for day, number, counts in connection.execute(statement):
        records[day] += number
        filled[day].update(counts)
    return [Fill(records[day], filled[day]) for day in listed]


def look_at_fill_rates(connection: Connection) -> Iterable[Sight]:
    """One sight per field, wrong where it is filled far less than usual."""
    latest, *earlier = fills_by_day(connection) or [Fill(0, {})]
    dropped = drops(latest, earlier)
    for name in MAPPED_FIELDS:
        drop = dropped.get(name)
        detail = {"field": name, "label": THERAPIST.labels[name], "usual": drop.usual, "now": drop.now} if drop else {}
        yield Sight(f"fill_rate:{name}", Code.FILL_RATE_DROPPED if drop else None, detail)
