"""How one service's import stands at one moment, as plain values: what everything that tells of it is made from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind, Work, WorkerState
from shared.workers.heartbeats import STALE_AFTER

_PROCESS = re.compile(r".+:\d+")
"""What a process of ours calls itself: `shared.database.locks.identity`."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many of something wait, and since when the oldest does."""

    number: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Files dealt with since some moment: all, those applied (with their records, by outcome) and those failed."""

    files: int = 0
    applied: int = 0
    failed: int = 0
    records: Mapping[RecordOutcome, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FinishedPass:
    """A pass that ended. `error_code` says why it did not get through, `counts` its files by what became of them."""

    started_at: datetime
    finished_at: datetime
    next_pass_at: datetime | None = None
    error_code: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecentFile:
    """A file that was dealt with, without its name."""

    id: int
    status: FileStatus
    error_code: str | None
    processed_at: datetime
    records: int


@dataclass(frozen=True, slots=True)
class Failure:
    """The code of a file's or a pass's failure, and when it was."""

    code: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life that a process gave of one work."""

    work: Work
    process: str
    state: WorkerState
    started_at: datetime
    beat_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One service's import. All times are of one clock, the database's, and every age is counted from `at`.

    As long as nothing else is said it is an installation that has seen nothing yet.
    """

    at: datetime
    first_pass_at: datetime | None = None
    last_pass: FinishedPass | None = None
    """The latest pass that ended, well or not."""
    last_success_at: datetime | None = None
    """When a pass last got through."""
    unfinished_since: datetime | None = None
    """When the newest pass began, if it has not ended: it runs, or its process died."""
    in_pass: Tally = Tally()
    """Since then."""
    files: Mapping[FileStatus, int] = field(default_factory=dict)
    records: Mapping[RecordOutcome, int] = field(default_factory=dict)
    """Records of all files ever."""
    due: int = 0
    """Files whose attempt need not wait any longer."""
    waiting_since: datetime | None = None
    """When the oldest file that waits for an attempt came in."""
    new_scrape_at: datetime | None = None
    """When the latest file that was applied came in; one known under another name, or outdated, is not new."""
    today: Tally = Tally()
    """Since midnight in Germany."""
    last_day: Tally = Tally()
    """In the last 24 hours."""
    recent: Sequence[RecentFile] = ()
    """The files dealt with last, the latest first."""
    last_failure: Failure | None = None
    deletes: Backlog = Backlog()
    """Files that are done with, or discarded together with their source, whose object still lies in the bucket."""
    events: Backlog = Backlog()
    """Events that the brokers have not confirmed, without parked ones; with those that stand behind a parked one."""
    parked: int = 0
    unknown_copies: int = 0
    """Local copies that no entry knows, by what the latest pass has told."""
    alerts: Backlog = Backlog()
    """Alerts that the mail server has not taken, without the one that says just this: it would keep itself alive."""
    problems: int = 0
    """Problems that last."""
    is_broker_told: bool = False
    """Whether one of them is that the brokers are away."""
    open_reviews: Mapping[ReviewKind, int] = field(default_factory=dict)
    heartbeats: Sequence[Heartbeat] = ()
    lock_holders: Mapping[Work, str] = field(default_factory=dict)
    """The process that holds the lock of each work that some process has in hand."""

    def age(self, since: datetime | None) -> float:
        """Seconds from then to this moment; 0 for None, and for what a transaction that began later wrote."""
        return max(0.0, (self.at - since).total_seconds()) if since else 0.0

    def alive(self) -> Iterator[Heartbeat]:
        """The heartbeats that are fresh."""
        return (beat for beat in self.heartbeats if self.at - beat.beat_at < STALE_AFTER)

    @property
    def is_led_by_a_service(self) -> bool:
        """Whether a process that lives says that it leads the import."""
        return any(_leads(beat, Work.IMPORT) for beat in self.alive())

    def leaders(self, work: Work) -> set[str]:
        """The processes that said last that they lead this work; their death is not known here."""
        return {beat.process for beat in self.heartbeats if _leads(beat, work)}

    def has_leader(self, work: Work) -> bool:
        """Whether somebody does the work: a service, or a command, which gives no heartbeats. Somebody else who has
        its lock does not.
        """
        holder = self.lock_holders.get(work, "")
        is_led_by_a_command = bool(_PROCESS.fullmatch(holder)) and holder not in self.leaders(work)
        return is_led_by_a_command or any(_leads(beat, work) for beat in self.alive())

    @property
    def is_led(self) -> bool:
        """Whether somebody leads the import."""
        return self.has_leader(Work.IMPORT)

    @property
    def is_started(self) -> bool:
        """Whether a process was seen that did not stop in good order since."""
        return any(beat.state is not WorkerState.STOPPED for beat in self.heartbeats)

    @property
    def running_since(self) -> datetime | None:
        """When the pass in hand began; None where none is, or where the process that began it is dead."""
        return self.unfinished_since if self.is_led else None

    @property
    def installed_at(self) -> datetime | None:
        """When a process first tried to import."""
        moments = [self.first_pass_at, *(beat.started_at for beat in self.heartbeats)]
        return min((moment for moment in moments if moment), default=None)

    @property
    def waiting_for_scrape_since(self) -> datetime | None:
        """When the latest new scrape came in; where none has yet, since when somebody looks for one."""
        return self.new_scrape_at or self.installed_at


def _leads(beat: Heartbeat, work: Work) -> bool:
    return beat.work is work and beat.state is WorkerState.LEADING
