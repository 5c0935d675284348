"""The page of all metrics, `docs/metrics.md`, made from their catalogue."""

from collections.abc import Iterable

from shared.metrics import catalogue
from shared.metrics.catalogue import ATTEMPT_OUTCOMES, STAGE_NAMES, Metric
from shared.words.statuses import FileStatus, RecordOutcome, ReviewKind, Work

_HEADER = """# Metrics

`GET /metrics` of each service, in Prometheus' text form or OpenMetrics, without a token: there are numbers in it and
nothing else. Every metric carries the label `service` (`patient-service` or `therapist-service`). Alert rules stand in
`deploy/prometheus`, a dashboard in `deploy/grafana`.

"""

_STATE = """## From the database
Read at each scrape, so that every worker of every replica says the same, and a restart changes nothing: take one of
them (`max by (service)`), never their sum. Where the database does not answer, only `curavani_database_up 0` is left.

"""

_PROBES = """## From the process that answers
What it finds when it asks what it depends on, at most every few seconds.

"""

_PROCESS = """## Counted by the processes
All workers of a service that `curavani serve` runs add up to one number; it begins anew with the service. A pass of
`curavani imports run` is a process of its own: it shows in the numbers from the database, not here.

"""


def metrics_page() -> str:
    """The page's text."""
    parts = (
        (_STATE, catalogue.OF_THE_DATABASE),
        (_PROBES, catalogue.OF_THE_PROBES),
        (_PROCESS, catalogue.OF_THE_PROCESS),
    )
    return _HEADER + "".join(head + _table(metrics) + "\n" for head, metrics in parts) + _words()


def _table(metrics: Iterable[Metric]) -> str:
    rows = [f"| `{metric.name}` | {metric.kind} | {_labels(metric)} | {metric.help} |" for metric in metrics]
    return "\n".join(["| metric | kind | labels | |", "|---|---|---|---|", *rows]) + "\n"


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels) or "–"


def _words() -> str:
    words = {
        "status of `curavani_import_files`": FileStatus,
        "outcome of `curavani_import_records_total`": RecordOutcome,
        "outcome of `curavani_import_attempts_total`": ATTEMPT_OUTCOMES,
        "stage, patient service": STAGE_NAMES["patient"],
        "stage, therapist service": STAGE_NAMES["therapist"],
        "kind": ReviewKind,
        "worker": Work,
    }
    rows = [f"| {label} | {', '.join(f'`{word}`' for word in listed)} |" for label, listed in words.items()]
    return "\n".join(["## Words that labels take", "| label | |", "|---|---|", *rows]) + "\n"
