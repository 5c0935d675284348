"""A pass on the terminal: how far it is, at what rate, how long it takes yet, and ending it by Ctrl-C in good order."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from curavani.cli.output import talk
from shared.imports.passes import Progress as Done

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


@contextmanager
def progress_bar(name: str) -> Iterator[Callable[[Done], None]]:
    """A bar on stderr, if that is a terminal; the block gets the function that moves it on."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{name} import", total=None, rate="")
        started, records = monotonic(), 0

        def move_on(done: Done) -> None:
            nonlocal records
            records += done.records
            rate = records / max(monotonic() - started, 0.001)
            progress.update(task, completed=done.done, total=done.due, rate=f"{rate:,.0f} records/s")

        yield move_on
