"""A pass on the terminal: how far it is, at what rate, how long it takes yet, and ending it by Ctrl-C in good order."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from curavani.cli.output import talk
from shared.imports.passes import FileDone

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STEP = 1000
"""Records that an import writes together."""
_FAST = 10
"""Records a second; of fewer, those of a minute say more."""


class Stop:
    """Whether somebody asked for an end. The first signal lets the file in hand be finished, a second one does not."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def asked(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as shells have it; 0 where nobody asked."""
        return 128 + self.signal if self.signal is not None else 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
        talk("Stopping after the file in hand. Again to stop at once; that file then starts anew with the next run.")


@contextmanager
def stopping_by_signal() -> Iterator[Stop]:
    """Takes SIGINT and SIGTERM as a wish to stop while the block runs."""
    stop = Stop()
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Bar:
    """How far a pass is: files, records a second, and in a large file how many of its records."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(f"{name} import", total=None, rate="", part="")
        self._started = monotonic()
        self._records = 0

    def file_done(self, done: FileDone) -> None:
        """Moves the bar on by a file."""
        self.show(done.number, done.due, self._records + done.records)

    def show(self, done: int, due: int, records: int) -> None:
        """Moves the bar to so many files, and the records in them."""
        self._records = records
        self._progress.update(self._task, completed=done, total=due, rate=self._rate(0), part="")

    def records_done(self, done: int, of: int) -> None:
        """Tells how far the file in hand is, if that is more than one step."""
        if of > done or done > _STEP:
            part = f"record {done:,} of {of:,}, "
            self._progress.update(self._task, rate=self._rate(done), part=part)

    def _rate(self, in_hand: int) -> str:
        rate = (self._records + in_hand) / max(monotonic() - self._started, 0.001)
        return f"{rate:,.0f} records/s" if rate >= _FAST else f"{rate * 60:,.0f} records/min"


@contextmanager
def progress_bar(name: str) -> Iterator[Bar]:
    """A bar on stderr, if that is a terminal; nothing is shown otherwise."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[part]}{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress, name)
