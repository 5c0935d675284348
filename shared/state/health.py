"""What it takes for an import to be well: somebody leads it, passes finish, nothing waits too long.

Health, the watch that raises alerts, the digest, the overview and `curavani doctor` read the same checks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.core.dependencies import Check
from shared.state.snapshot import Snapshot
from shared.words.codes import Code
from shared.words.statuses import FileStatus, Work

DELETE_PENDING_LIMIT = timedelta(hours=24)
"""Storage may refuse deletes for a night; after a day somebody has to look at the rights."""
EVENTS_WAITING_LIMIT = timedelta(minutes=15)
"""A restart of the brokers takes minutes."""
ALERTS_WAITING_LIMIT = timedelta(hours=1)
"""The mailer tries again within the hour; greylisting takes minutes."""
SCRAPE_LIMIT = timedelta(days=10)
"""Scrapes come weekly; three days are for a holiday."""
HUNG_AFTER = timedelta(minutes=30)
"""A pass that settles no file for so long has no claim to be still at work; the largest file takes minutes."""
START_UP = timedelta(minutes=2)
"""How long a fresh installation may be without a first pass."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What may be expected of one service's import, by its settings."""

    enabled: bool
    interval_seconds: int
    sends_events: bool = True
    sends_mail: bool = True
    expects_scrapes: bool = False
    reads_contacts: bool = False

    @property
    def works(self) -> Sequence[Work]:
        """The background work that some process of the service has to have in hand."""
        imports = [Work.IMPORT] if self.enabled else []
        contacts = [Work.CONTACTS] if self.reads_contacts else []
        return [*imports, Work.RELAY, Work.MAILER, *contacts]


def import_health(snapshot: Snapshot, expected: Expectations) -> Sequence[Check]:
    """Every check of one service's import.

    Failed files, parked events, copies without an entry and open reviews are a person's work, not a sick service: they
    are counted, and `ok`.
    """
    checks = [
        _failed_files(snapshot),
        _deletes(snapshot),
        _events(snapshot, expected),
        Check("events_parked", ok=True, code=Code.EVENTS_PARKED if snapshot.parked else None, number=snapshot.parked),
        _alerts(snapshot, expected),
        *_unknown_copies(snapshot),
    ]
    leaders = list(_leaders(snapshot, expected))
    if not expected.enabled:
        return [Check("import", ok=True, code=Code.DISABLED), *leaders, *checks]
    scrapes = [_scrapes(snapshot)] if expected.expects_scrapes else []
    return [*leaders, _freshness(snapshot, expected.interval_seconds), *scrapes, *checks]


LEADERS: Mapping[Work, tuple[str, Code]] = {
    Work.IMPORT: ("leader", Code.NO_LEADER),
    Work.RELAY: ("relay_leader", Code.NO_RELAY),
    Work.MAILER: ("mailer_leader", Code.NO_MAILER),
    Work.CONTACTS: ("contacts_leader", Code.NO_CONTACT_READER),
}


def _leaders(snapshot: Snapshot, expected: Expectations) -> Iterator[Check]:
    for work in expected.works:
        name, code = LEADERS[work]
        is_led = snapshot.has_leader(work)
        yield Check(name, ok=is_led, code=None if is_led else code)


def _freshness(snapshot: Snapshot, interval_seconds: int) -> Check:
    """A pass has to finish in twice the interval, and the latest one has to have got through."""
    latest = snapshot.last_pass
    if latest is None:
        late = snapshot.age(snapshot.installed_at) > max(START_UP.total_seconds(), 2 * interval_seconds)
        return Check("last_pass", ok=not late, code=Code.NO_PASS if late else Code.NO_PASS_YET)
    age = snapshot.age(latest.finished_at)
    if latest.error_code:
        return Check("last_pass", ok=False, code=latest.error_code, seconds=int(age))
    late = age > 2 * interval_seconds and not _is_at_work(snapshot)
    return Check("last_pass", ok=not late, code=Code.NO_PASS if late else None, seconds=int(age))


def _is_at_work(snapshot: Snapshot) -> bool:
    """Whether a pass is in hand that settles files."""
    began = snapshot.running_since
    if began is None:
        return False
    last_settled = max((file.processed_at for file in snapshot.recent), default=began)
    return snapshot.at - max(began, last_settled) < HUNG_AFTER


def _scrapes(snapshot: Snapshot) -> Check:
    since = snapshot.waiting_for_scrape_since
    late = _is_older(snapshot, since, SCRAPE_LIMIT)
    return Check("new_scrape", ok=not late, code=Code.NO_SCRAPE if late else None, seconds=int(snapshot.age(since)))


def _failed_files(snapshot: Snapshot) -> Check:
    number = snapshot.files.get(FileStatus.FAILED, 0)
    return Check("failed_files", ok=True, code=Code.FILES_FAILED if number else None, number=number)


def _unknown_copies(snapshot: Snapshot) -> Sequence[Check]:
    number = snapshot.unknown_copies
    return [Check("unknown_copies", ok=True, code=Code.COPY_UNKNOWN, number=number)] if number else []


def _deletes(snapshot: Snapshot) -> Check:
    """Imported registrations should leave the bucket."""
    late = _is_older(snapshot, snapshot.deletes.oldest, DELETE_PENDING_LIMIT)
    code = Code.DELETE_PENDING_LONG if late else None
    return Check("deletes_pending", ok=not late, code=code, number=snapshot.deletes.number)


def _events(snapshot: Snapshot, expected: Expectations) -> Check:
    events = snapshot.events
    late = expected.sends_events and _is_older(snapshot, events.oldest, EVENTS_WAITING_LIMIT)
    code = Code.EVENTS_WAITING if late else None if expected.sends_events else Code.NOT_CONFIGURED
    seconds = int(snapshot.age(events.oldest))
    return Check("events_waiting", ok=not late, code=code, number=events.number, seconds=seconds)


def _alerts(snapshot: Snapshot, expected: Expectations) -> Check:
    alerts = snapshot.alerts
    late = expected.sends_mail and _is_older(snapshot, alerts.oldest, ALERTS_WAITING_LIMIT)
    code = Code.ALERTS_WAITING if late else None if expected.sends_mail else Code.NOT_CONFIGURED
    seconds = int(snapshot.age(alerts.oldest))
    return Check("alerts_waiting", ok=not late, code=code, number=alerts.number, seconds=seconds)


def _is_older(snapshot: Snapshot, moment: datetime | None, limit: timedelta) -> bool:
    return snapshot.age(moment) > limit.total_seconds()
