"""Logging: JSON lines with a static event name and fields, and one redaction processor before every sink.

What may be logged is listed, everything else is dropped: a name that somebody logs by mistake never gets out. Records
of libraries keep their place and level only, because their texts carry addresses and object names; without their texts
the ones below WARNING tell nothing and are left out, except at level DEBUG. No value can begin a line of its own.
"""

import logging
import re
import sys
import traceback
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from shared.core.settings import LogSettings

ALLOWED_FIELDS = frozenset(
    {
        "event", "level", "logger", "timestamp", "component", "service", "process", "request_id", "run_id",
        "import_id", "entity_id", "event_id",
        "code", "status", "counts", "ignored", "attempts",
        "duration_ms", "method", "route", "http_status", "caller", "role",
        "holder", "worker", "number", "signal", "place", "error", "frames",
        "topic", "reason", "network", "exit_code",
    }
)  # fmt: skip
"""Every field that may be logged. All hold ids, counts, codes, or names of parts of the program."""

_LONGEST = 200
# Ends of lines as editors, terminals and log tools see them, escape sequences, marks that turn the direction of text,
# and halves of characters, which no stream can write.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
Logger = structlog.stdlib.BoundLogger


def get_logger(name: str) -> Logger:
    """The logger of a module."""
    return structlog.stdlib.get_logger(name)


def configure_logging(settings: LogSettings, stream: TextIO = sys.stdout, **bound: str) -> None:
    """Sends everything, libraries' records included, to `stream`. `bound` fields stand on every line."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    rendered: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, _only_the_place],
        processors=[_binding(bound), redact, structlog.stdlib.ProcessorFormatter.remove_processors_meta, rendered],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    if settings.level != "DEBUG":
        handler.addFilter(_tells_something)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    logging.captureWarnings(capture=True)


def redact(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Drops every field that is not listed, reduces exceptions to their types and places, cuts long texts."""
    exception = _exception(fields.pop("exc_info", None))
    kept = {name: _plain(value) for name, value in fields.items() if name in ALLOWED_FIELDS or name in _META}
    if exception is not None:
        kept["error"] = [type(link).__name__ for link in _chain(exception)]
        kept["frames"] = [_frame(frame) for frame in traceback.extract_tb(exception.__traceback__)]
    return kept


# What the formatter itself needs until it removes them.
_META = ("_record", "_from_structlog")


def _binding(bound: dict[str, str]) -> Processor:
    def bind(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
        return {**bound, **fields}

    return bind


def _only_the_place(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    record: logging.LogRecord = fields["_record"]
    return {**fields, "event": "library_message", "place": f"{record.module}:{record.lineno}"}


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict):
        return {_safe(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, logging.LogRecord):
        return value
    return _safe(str(value))


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text[:_LONGEST])


def _tells_something(record: logging.LogRecord) -> bool:
    # What comes from structlog is a dictionary until it is rendered.
    return isinstance(record.msg, dict) or record.levelno >= logging.WARNING


def _exception(exc_info: object) -> BaseException | None:
    if exc_info is True:
        exc_info = sys.exc_info()
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _chain(exception: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = exception
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links


def _frame(frame: traceback.FrameSummary) -> str:
    return f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}"
