"""Every metric by name, with its labels and what it says: `docs/metrics.md`, alert rules and dashboard rely on it.

Names follow Prometheus: base units in the name, `_total` for counters, times as Unix timestamps. Labels come from words
that the program knows, never from input, so their number is bounded; none of them can hold anybody's data.
"""

from dataclasses import dataclass
from typing import Literal

from shared.words.statuses import FileStatus

MetricKind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; each carries the label `service` before its own."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def all_labels(self) -> tuple[str, ...]:
        return ("service", *self.labels)


DATABASE_UP = Metric(
    "curavani_database_up", "gauge", "1 where the database answered this scrape; 0 leaves out the rest."
)
DEPENDENCY_UP = Metric(
    "curavani_dependency_up",
    "gauge",
    "1 where what the service needs answers. Absent: not configured.",
    ("dependency",),
)
DATABASE_TROUBLE = Metric(
    "curavani_database_trouble", "gauge", "1 under the code that says why the database cannot be used.", ("code",)
)
DEPENDENCY_TROUBLE = Metric(
    "curavani_dependency_trouble",
    "gauge",
    "1 under the code that says what is wrong with what the service needs. Absent: it answers.",
    ("dependency", "code"),
)
IMPORT_ENABLED = Metric("curavani_import_enabled", "gauge", "1 where the import is switched on.")
INTERVAL = Metric("curavani_import_interval_seconds", "gauge", "Seconds between two passes, as set.")
LAST_COMPLETION = Metric(
    "curavani_import_last_completion_timestamp_seconds",
    "gauge",
    "When a pass ended last, well or not; 0 before the first.",
)
LAST_SUCCESS = Metric(
    "curavani_import_last_success_timestamp_seconds", "gauge", "When a pass last got through; 0 before the first."
)
LAST_DURATION = Metric("curavani_import_last_pass_duration_seconds", "gauge", "How long the last pass that ended took.")
FILES = Metric("curavani_import_files", "gauge", "Files in the ledger, by what has become of them.", ("status",))
RECORDS = Metric("curavani_import_records_total", "counter", "Records of all files ever, by outcome.", ("outcome",))
OLDEST_PENDING = Metric(
    "curavani_import_oldest_pending_age_seconds",
    "gauge",
    "Age of the oldest file that waits for an attempt; 0 for none.",
)
DELETES_PENDING = Metric(
    "curavani_import_deletes_pending", "gauge", "Imported files whose object still has to leave the bucket."
)
OLDEST_DELETE = Metric(
    "curavani_import_oldest_delete_pending_age_seconds",
    "gauge",
    "Since when the oldest of these is imported; 0 for none.",
)
LAST_NEW_SCRAPE = Metric(
    "curavani_import_last_new_scrape_timestamp_seconds",
    "gauge",
    "When the latest scrape that was applied came in, or the first look for one. Therapist service only.",
)
EVENTS_WAITING = Metric(
    "curavani_events_waiting", "gauge", "Events that the brokers have not confirmed, without parked ones."
)
EVENTS_AGE = Metric("curavani_events_oldest_waiting_age_seconds", "gauge", "Age of the oldest of these; 0 for none.")
EVENTS_PARKED = Metric("curavani_events_parked", "gauge", "Events that the brokers refuse; they wait for a person.")
ALERTS_WAITING = Metric(
    "curavani_alerts_waiting",
    "gauge",
    "Alerts that the mail server has not taken, without the one that says just that.",
)
ALERTS_AGE = Metric("curavani_alerts_oldest_waiting_age_seconds", "gauge", "Age of the oldest of these; 0 for none.")
PROBLEMS = Metric("curavani_problems_open", "gauge", "Problems that people were or will be told of, and that last.")
REVIEWS = Metric("curavani_reviews_open", "gauge", "Reviews that wait for a person, by kind.", ("kind",))
LOCK_HELD = Metric(
    "curavani_worker_lock_held", "gauge", "1 where some process holds the lock of this work.", ("worker",)
)
LED = Metric(
    "curavani_worker_led",
    "gauge",
    "1 where some process does this work; absent where nobody has to.",
    ("worker",),
)
WORKERS = Metric(
    "curavani_worker_processes", "gauge", "Processes with a fresh heartbeat, by work and state.", ("worker", "state")
)

ATTEMPTS = Metric(
    "curavani_import_attempts_total",
    "counter",
    "Attempts at files by this service's processes, by how they ended.",
    ("outcome",),
)
STAGES = Metric(
    "curavani_import_stage_duration_seconds",
    "histogram",
    "Duration of each stage of a pass or of one file.",
    ("stage",),
)
CONTACT_EVENTS = Metric(
    "curavani_communication_events_total",
    "counter",
    "Events of the communication service that were read, by what became of them. Patient service only.",
    ("outcome",),
)
REQUESTS = Metric(
    "curavani_http_requests_total",
    "counter",
    "Requests answered, by route (its rule, not its path).",
    ("method", "route", "status"),
)
REQUEST_DURATION = Metric(
    "curavani_http_request_duration_seconds", "histogram", "Duration of requests, by route.", ("method", "route")
)
REFUSALS = Metric(
    "curavani_refused_callers_total",
    "counter",
    "Callers refused: a wrong token, none, a header that is none, too small a role, too many tries.",
    ("reason",),
)

OF_THE_DATABASE: tuple[Metric, ...] = (
    DATABASE_UP, DATABASE_TROUBLE, IMPORT_ENABLED, INTERVAL, LAST_COMPLETION, LAST_SUCCESS, LAST_DURATION,
    FILES, RECORDS, OLDEST_PENDING, DELETES_PENDING, OLDEST_DELETE, LAST_NEW_SCRAPE,
    EVENTS_WAITING, EVENTS_AGE, EVENTS_PARKED, ALERTS_WAITING, ALERTS_AGE, PROBLEMS, REVIEWS,
    LOCK_HELD, LED, WORKERS,
)  # fmt: skip
"""Read from the database at each scrape: every worker of every replica gives the same answer."""

OF_THE_PROBES: tuple[Metric, ...] = (DEPENDENCY_UP, DEPENDENCY_TROUBLE)
"""What the answering process finds when it asks its dependencies."""

OF_THE_PROCESS: tuple[Metric, ...] = (ATTEMPTS, STAGES, CONTACT_EVENTS, REQUESTS, REQUEST_DURATION, REFUSALS)
"""Counted by the workers of one service, added up over them, and begun anew with it."""

ALL = (*OF_THE_DATABASE, *OF_THE_PROBES, *OF_THE_PROCESS)

STAGE_NAMES = {
    "patient": ("list", "download", "copy", "parse", "transaction", "delete"),
    "therapist": ("discover", "read", "transaction"),
}
"""The stages of each import, in their order."""

REFUSAL_REASONS = ("token", "missing", "header", "role", "patience")

ATTEMPT_OUTCOMES = (
    *(FileStatus.SUCCESS, FileStatus.PARTIAL, FileStatus.SKIPPED, FileStatus.RETRYING, FileStatus.FAILED),
    *("gone", "delete_pending"),
)
"""How an attempt ends. `delete_pending`: the import is done, the object could not be deleted."""
