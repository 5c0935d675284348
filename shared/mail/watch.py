"""The watch: notices what nobody would tell, because it is silence. It looks with each turn of the mailer, which some
process has as long as any lives, and raises and resolves alerts by what the checks of health say.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from shared.alerts.outbox import raise_problem, resolve_problem, watched
from shared.core.clock import now
from shared.database.tables import KernelTables
from shared.state.health import Expectations, import_health
from shared.state.reading import read_snapshot
from shared.state.snapshot import Snapshot
from shared.words.codes import Code

RAISED_AFTER = timedelta(minutes=2)
"""So long something has to last before it is an alert: a start or a takeover looks like silence for a moment."""

SILENCE = frozenset(
    {
        Code.NO_LEADER,
        Code.NO_RELAY,
        Code.NO_MAILER,
        Code.NO_CONTACT_READER,
        Code.NO_PASS,
        Code.NO_SCRAPE,
        Code.DELETE_PENDING_LONG,
        Code.EVENTS_WAITING,
        Code.ALERTS_WAITING,
    }
)
"""The checks' codes that are alerts here. Of a pass that fails, and of a file, the import itself tells."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing looked at: `code` says what is wrong with it, None that it is well. `detail` goes into a mail."""

    fingerprint: str
    code: str | None
    detail: Mapping[str, object] = field(default_factory=dict)


Look = Callable[[Connection], Iterable[Sight]]


def sights_of_health(snapshot: Snapshot, expected: Expectations) -> Iterator[Sight]:
    """One sight per check of health; events that wait are told once, by the problem of brokers that are away."""
    for check in import_health(snapshot, expected):
        is_told = check.code == Code.EVENTS_WAITING and snapshot.is_broker_told
        is_alert = not check.ok and check.code in SILENCE and not is_told
        yield Sight(watched(check.name), check.code if is_alert else None)


class Watch:
    """Watches one service's import. `others` are looks of the service's own."""

    def __init__(
        self,
        kernel: KernelTables,
        expected: Expectations,
        others: Iterable[Look] = (),
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._kernel = kernel
        self._expected = expected
        self._others = tuple(others)
        self._clock = clock
        # Only how long it lasts as this process saw it: another one that takes over is patient anew.
        self._wrong_since: dict[str, datetime] = {}

    def look(self, connection: Connection) -> None:
        """Looks at everything once; raises what has lasted for `RAISED_AFTER`, and resolves what is well again."""
        health = sights_of_health(read_snapshot(connection, self._kernel), self._expected)
        for sight in [*health, *(sight for look in self._others for sight in look(connection))]:
            if sight.code is None:
                self._wrong_since.pop(sight.fingerprint, None)
                resolve_problem(connection, self._kernel, sight.fingerprint)
            elif self._lasts(sight.fingerprint):
                raise_problem(
                    connection, self._kernel, code=sight.code, fingerprint=sight.fingerprint, detail=sight.detail
                )

    def _lasts(self, fingerprint: str) -> bool:
        since = self._wrong_since.setdefault(fingerprint, self._clock())
        return self._clock() - since >= RAISED_AFTER
