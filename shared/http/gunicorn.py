"""gunicorn's configuration: how many threads and how long it waits, and its own log lines in our form.

`curavani serve` runs it with `--config python:shared.http.gunicorn`, a bound socket and the service's name.
"""

import logging
import os
import shutil
import sys
import threading
from typing import Any

from gunicorn.glogging import Logger

from shared.core.logs import configure_logging, get_logger
from shared.core.settings import LogSettings, read_settings
from shared.metrics.process import FOLDER_VARIABLE

worker_class = "shared.http.worker.BufferingWorker"
threads = 8
timeout = 60
"""Seconds without a sign of life of a worker's main loop, which long requests do not block."""
graceful_timeout = 30
"""Seconds for requests and the file in hand after SIGTERM; container tools have to wait longer than that."""
max_requests = 0
"""Workers are not renewed: one that carries the import would hand it over for nothing."""
control_socket_disable = True
"""Nobody steers it but by signals, and the home folder may be read-only."""

log = get_logger("gunicorn")

_EVENTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Starting gunicorn", "server_starting", ()),
    ("Listening at", "server_listens", ()),
    ("Booting worker with pid", "worker_process_started", ("process",)),
    ("Worker exiting (pid", "worker_process_ends", ("process",)),
    ("Worker (pid:%s) exited with code", "worker_process_ended", ("process", "exit_code")),
    ("Worker (pid:%s) was sent", "worker_process_killed", ("process", "signal")),
    ("WORKER TIMEOUT", "worker_process_hangs", ("process",)),
    ("Handling signal", "signal_received", ("signal",)),
    ("Quick shutdown requested", "server_stops_at_once", ()),
    ("Shutting down", "server_stopped", ()),
)
"""gunicorn's messages that people look for, by how their templates begin, as events of ours with their arguments."""


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no type information
    """Sends gunicorn's records through our logging: known ones as events, of the others only the place."""

    def setup(self, cfg: Any) -> None:
        """Replaces gunicorn's handlers; requests are logged by the application."""
        settings = read_settings(os.environ, LogSettings)[LogSettings]
        configure_logging(settings, service=cfg.proc_name)
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.setLevel(settings.level)
        self.error_log.propagate = True
        self.error_log.filters[:] = [_as_event]
        self.access_log.disabled = True


logger_class = ServerLog


def post_worker_init(_worker: object) -> None:
    """Lets nothing print a traceback, whose last line may quote a row or an address."""
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def on_exit(_server: object) -> None:
    """Removes what the workers counted."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _as_event(record: logging.LogRecord) -> bool:
    """Tells a known message as an event of ours instead; False keeps the record itself out of the log."""
    template = str(record.msg)
    for beginning, event, names in _EVENTS:
        if template.startswith(beginning):
            arguments = record.args if isinstance(record.args, tuple) else ()
            log.log(record.levelno, event, **dict(zip(names, arguments, strict=False)))
            return False
    return True


def _log_uncaught(_kind: object, error: BaseException | None, _trace: object) -> None:
    log.critical("uncaught_exception", exc_info=error)
