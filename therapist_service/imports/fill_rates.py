"""How full the scrapes of each day were, kept per postal code, and what of that is worth an alert."""

from collections import Counter
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from shared.database.json_text import json_text
from shared.database.statements import Statement
from shared.mail.watch import Sight
from shared.words.codes import Code
from therapist_service.imports.drift import EARLIER_DAYS, Fill, drops
from therapist_service.imports.envelope import Envelope
from therapist_service.models import scrape_fill
from therapist_service.therapist import MAPPED_FIELDS


def keep_fill(connection: Connection, envelope: Envelope, fill: Fill) -> None:
    """Keeps how full this scrape was; a second one of the same postal code and day takes the first one's place."""
    filled = json_text(dict(fill.filled))
    _KEEP(connection, scrape_day=envelope.scrape_day, zip=envelope.zip, records=fill.records, filled=filled)


_given = insert(scrape_fill)
_KEEP = Statement(
    _given.on_conflict_do_update(
        index_elements=["scrape_day", "zip"],
        set_={"records": _given.excluded.records, "filled": _given.excluded.filled},
    )
)


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
        detail = {"field": name, "usual": drop.usual, "now": drop.now} if drop else {}
        yield Sight(f"fill_rate:{name}", Code.FILL_RATE_DROPPED if drop else None, detail)
