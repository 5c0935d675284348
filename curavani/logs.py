"""Where the log of a command goes."""

import os
import sys
from typing import TextIO, cast

from shared.core.errors import SettingsError
from shared.core.logs import configure_logging
from shared.core.settings import LogSettings, read_settings


def log_to_stderr(**bound: str) -> None:
    """Sends the log to stderr, away from the data: lines for programs, but on a terminal warnings for people.

    What is wrong with the log's own settings is told by the command that reads its settings, with all the rest.
    """
    for_people = {"LOG_LEVEL": "WARNING", "LOG_FORMAT": "console"} if sys.stderr.isatty() else {}
    try:
        settings = read_settings({**for_people, **os.environ}, LogSettings)[LogSettings]
    except SettingsError:
        settings = LogSettings.model_validate({})
    configure_logging(settings, cast("TextIO", _Stderr()), **bound)


class _Stderr:
    """Whatever `sys.stderr` is at the moment: a progress bar replaces it, so that lines appear above the bar."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()
