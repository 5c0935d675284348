"""How far the pass in hand is: files, rate and time left, the same for console and command line."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.state.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class RunningPass:
    """The pass in hand, and what of it is done after so many seconds. Records are those of files that were applied."""

    started_at: datetime
    seconds: float
    done: int
    due: int
    records: int

    @property
    def left(self) -> timedelta | None:
        """How long the rest takes at the rate so far; None as long as nobody can say."""
        return timedelta(seconds=self.seconds / self.done * (self.due - self.done)) if self.done else None

    @property
    def records_per_minute(self) -> float:
        return self.records / max(self.seconds, 1.0) * 60


def running_pass(snapshot: Snapshot) -> RunningPass | None:
    """The pass in hand, whichever process runs it. Its progress is read from the ledger, where every file of a pass
    stands as waiting before the first is imported."""
    began, done = snapshot.running_since, snapshot.in_pass
    if began is None:
        return None
    return RunningPass(began, snapshot.age(began), done.files, done.files + snapshot.due, sum(done.records.values()))
