"""`make bench`: every measurement, each as a table of its own. `python -m benchmarks NAME…` runs only those.

Some take too long for every day, or are part of another one, and run only when they are named.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks import commands, console, registrations, relay, therapists
from benchmarks.tables import Row, print_table
from shared.core.logs import configure_logging
from shared.core.settings import LogSettings

BENCHMARKS: dict[str, Callable[[], Sequence[Row]]] = {
    "registrations": registrations.run,
    "therapists": therapists.run,
    "relay": relay.run,
    "commands": commands.run,
    "console": console.run,
}
LONG: dict[str, Callable[[], Sequence[Row]]] = {
    "large-file": therapists.run_large_file,
    "known-files": therapists.run_known_files,
    **{name: partial(therapists.run_shape, name) for name in therapists.SHAPES},
}


def main(wanted: Sequence[str]) -> None:
    configure_logging(LogSettings.model_validate({"LOG_LEVEL": "ERROR"}), stream=sys.stderr)
    for name in wanted or BENCHMARKS:
        print_table(name, (BENCHMARKS | LONG)[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
