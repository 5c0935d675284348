"""The tables that both services have in their own schema: ledger, history, reviews, outboxes, heartbeats.

Built once per schema by `kernel_tables`; whoever works on them gets the `KernelTables` handed in and knows no service.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, MetaData, Table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import SchemaItem

from shared.words.statuses import (
    Access,
    AlertKind,
    AttemptStatus,
    FileStatus,
    PassTrigger,
    RecordOutcome,
    ReviewKind,
    ReviewState,
    ServiceName,
    Work,
    WorkerState,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraint names are predictable, so that a migration can name what it changes."""

OUTCOME_COUNTS = tuple(f"{outcome}_count" for outcome in RecordOutcome)
"""The columns of the ledger that count a file's records by outcome; together they are all of its records."""


@dataclass(frozen=True)
class KernelTables:
    """One schema's kernel tables. `service_name` is also the word in the total: `patient_count`."""

    schema: str
    service_name: ServiceName
    import_tracking: Table
    own_columns: tuple[str, ...]
    import_attempts: Table
    import_outcomes: Table
    import_findings: Table
    import_passes: Table
    field_changes: Table
    reviews: Table
    operator_actions: Table
    event_outbox: Table
    alert_outbox: Table
    worker_heartbeats: Table
    access_log: Table
    sessions: Table
    refused_callers: Table

    @property
    def total_column(self) -> Column[int]:
        return self.import_tracking.c[f"{self.service_name}_count"]

    @property
    def releases_sources(self) -> bool:
        """Whether this service's source can be told to give up a file."""
        return "delete_source" in self.own_columns

    @property
    def prefix(self) -> str:
        """What people put before the numbers of this service's files and reviews, which each service counts anew."""
        return self.service_name[0].upper()

    def number(self, row_id: int | str) -> str:
        """A file's number as people say it: `P12`, `T7`."""
        return f"{self.prefix}{row_id}"

    def review_number(self, row_id: int | str) -> str:
        """A review's number as people say it: `PE12`, `TE7`, for "Entscheidung"."""
        return f"{self.prefix}E{row_id}"

    def channel(self, work: str) -> str:
        """The NOTIFY channel that wakes `work` (`import`, `events` or `alerts`) in every process."""
        return f"curavani_{self.schema}_{work}"


def kernel_tables(metadata: MetaData, *, service_name: ServiceName, of_source: Sequence[SchemaItem]) -> KernelTables:
    """Adds the kernel's tables to `metadata`, whose `schema` they take.

    `of_source` are the columns of the ledger, and their indexes, that only this service's source keeps.
    """
    return KernelTables(
        schema=str(metadata.schema),
        service_name=service_name,
        own_columns=tuple(column.name for column in of_source if isinstance(column, Column)),
        import_tracking=_import_tracking(metadata, service_name, of_source),
        import_attempts=_import_attempts(metadata),
        import_outcomes=_import_outcomes(metadata),
        import_findings=_import_findings(metadata),
        import_passes=_import_passes(metadata),
        field_changes=_field_changes(metadata),
        reviews=_reviews(metadata),
        operator_actions=_operator_actions(metadata),
        event_outbox=_event_outbox(metadata),
        alert_outbox=_alert_outbox(metadata),
        worker_heartbeats=_worker_heartbeats(metadata),
        access_log=_access_log(metadata),
        sessions=_sessions(metadata),
        refused_callers=_refused_callers(metadata),
    )


def timestamp(
    name: str, *, nullable: bool = True, server_default: sa.ColumnElement[datetime] | None = None
) -> Column[datetime]:
    """A point in time, with its zone."""
    return Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=server_default)


def created_at(name: str = "created_at") -> Column[datetime]:
    """The time of the row's transaction, by the database's clock."""
    return timestamp(name, nullable=False, server_default=sa.func.now())


def words(column: str, allowed: type[StrEnum], name: str) -> CheckConstraint:
    """Restricts a technical column to the words it may hold."""
    listed = ", ".join(f"'{word}'" for word in allowed)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


def _id() -> Column[int]:
    return Column("id", sa.BigInteger, sa.Identity(), primary_key=True)


def _count(name: str) -> Column[int]:
    return Column(name, sa.Integer, nullable=False, server_default="0")


def _import_id(*, nullable: bool = False) -> Column[int]:
    return Column("import_id", sa.BigInteger, ForeignKey("import_tracking.id"), nullable=nullable)


def _import_tracking(metadata: MetaData, service_name: ServiceName, of_source: Sequence[SchemaItem]) -> Table:
    total = f"{service_name}_count"
    return Table(
        "import_tracking",
        metadata,
        _id(),
        # Finds the row again without the name, which holds a person's name and is blanked by an erasure.
        Column("source_key", sa.Text, nullable=False, unique=True),
        Column("file_name", sa.Text),
        Column("file_version", sa.Text),
        Column("file_size", sa.BigInteger),
        Column("file_hash", sa.String(64)),
        Column("status", sa.Text, nullable=False, server_default=FileStatus.PENDING.value),
        _count("attempts"),
        # Attempts since the operator's last retry: the limit counts these.
        _count("round_attempts"),
        # So often in a row a pass was cut off at this file.
        _count("interruptions"),
        timestamp("next_attempt_at"),
        Column("error_code", sa.Text),
        Column("discard_reason", sa.Text),
        created_at("first_seen_at"),
        timestamp("processed_at"),
        Column("duration_ms", sa.Integer),
        timestamp("source_deleted_at"),
        _count(total),
        *[_count(name) for name in OUTCOME_COUNTS],
        words("status", FileStatus, "status"),
        CheckConstraint(f"{total} = " + " + ".join(OUTCOME_COUNTS), name="books_balance"),
        Index(None, "status", "next_attempt_at"),
        Index(None, "file_hash"),
        Index("ix_import_tracking_delete_pending", "id", postgresql_where=sa.text("source_deleted_at IS NULL")),
        Index(None, "processed_at"),
        Index(None, "first_seen_at"),
        *of_source,
    )


def _import_attempts(metadata: MetaData) -> Table:
    return Table(
        "import_attempts",
        metadata,
        Column("import_id", sa.BigInteger, ForeignKey("import_tracking.id"), primary_key=True),
        Column("number", sa.Integer, primary_key=True, autoincrement=False),
        timestamp("started_at", nullable=False, server_default=sa.func.clock_timestamp()),
        timestamp("ended_at"),
        Column("status", sa.Text, nullable=False, server_default=AttemptStatus.RUNNING.value),
        Column("code", sa.Text),
        words("status", AttemptStatus, "status"),
        CheckConstraint("(status = 'running') = (ended_at IS NULL)", name="ended"),
        # Those that a pass left without an end are looked for with every pass.
        Index("ix_import_attempts_running", "import_id", postgresql_where=sa.text("ended_at IS NULL")),
    )


def _import_outcomes(metadata: MetaData) -> Table:
    return Table(
        "import_outcomes",
        metadata,
        _id(),
        _import_id(),
        Column("record_index", sa.Integer, nullable=False),
        Column("entity_id", sa.BigInteger),
        Column("outcome", sa.Text, nullable=False),
        Column("code", sa.Text),
        # Which rule of identity or merging decided.
        Column("rule", sa.Text),
        words("outcome", RecordOutcome, "outcome"),
        Index(None, "import_id", "record_index"),
        Index(None, "entity_id"),
    )


def _import_findings(metadata: MetaData) -> Table:
    return Table(
        "import_findings",
        metadata,
        _id(),
        _import_id(),
        Column("record_index", sa.Integer),
        Column("pointer", sa.Text, nullable=False),
        Column("code", sa.Text, nullable=False),
        # Of how many records it is said: many remarks of one kind are kept as one.
        Column("records", sa.Integer, nullable=False, server_default=sa.text("1")),
        Index(None, "import_id"),
    )


def _import_passes(metadata: MetaData) -> Table:
    return Table(
        "import_passes",
        metadata,
        _id(),
        created_at("started_at"),
        timestamp("finished_at"),
        Column("trigger", sa.Text, nullable=False),
        Column("actor", sa.Text, nullable=False),
        # Files and records by what became of them, and what was ignored, by reason.
        Column("counts", JSONB, nullable=False, server_default="{}"),
        Column("ignored", JSONB, nullable=False, server_default="{}"),
        Column("error_code", sa.Text),
        timestamp("next_pass_at"),
        words("trigger", PassTrigger, "trigger"),
        Index(None, "started_at"),
    )


def _field_changes(metadata: MetaData) -> Table:
    return Table(
        "field_changes",
        metadata,
        _id(),
        Column("entity_id", sa.BigInteger, nullable=False),
        Column("field", sa.Text, nullable=False),
        Column("old_value", sa.Text),
        Column("new_value", sa.Text),
        Column("changed_by", sa.Text, nullable=False),
        created_at("changed_at"),
        Index(None, "entity_id", "id"),
        Index(None, "changed_by"),
    )


def _reviews(metadata: MetaData) -> Table:
    return Table(
        "reviews",
        metadata,
        _id(),
        Column("kind", sa.Text, nullable=False),
        Column("state", sa.Text, nullable=False, server_default=ReviewState.OPEN.value),
        Column("entity_id", sa.BigInteger),
        Column("other_id", sa.BigInteger),
        _import_id(nullable=True),
        Column("record_index", sa.Integer),
        # The same fingerprint opens no second review.
        Column("fingerprint", sa.Text),
        Column("detail", JSONB, nullable=False, server_default="{}"),
        Column("choice", sa.Text),
        Column("comment", sa.Text),
        Column("decided_by", sa.Text),
        timestamp("decided_at"),
        created_at(),
        words("kind", ReviewKind, "kind"),
        words("state", ReviewState, "state"),
        CheckConstraint("(state = 'resolved') = (decided_at IS NOT NULL)", name="decided"),
        Index(None, "state", "id"),
        Index(None, "entity_id"),
        Index(None, "import_id"),
        Index("ix_reviews_fingerprint", "fingerprint"),
    )


def _operator_actions(metadata: MetaData) -> Table:
    return Table(
        "operator_actions",
        metadata,
        _id(),
        Column("action", sa.Text, nullable=False),
        _import_id(nullable=True),
        Column("review_id", sa.BigInteger, ForeignKey("reviews.id")),
        Column("entity_id", sa.BigInteger),
        Column("actor", sa.Text, nullable=False),
        Column("reason", sa.Text),
        created_at("at"),
        Index(None, "import_id"),
        Index(None, "entity_id"),
    )


def _event_outbox(metadata: MetaData) -> Table:
    return Table(
        "event_outbox",
        metadata,
        _id(),
        Column("event_id", sa.Uuid, nullable=False, unique=True, server_default=sa.func.gen_random_uuid()),
        Column("event_type", sa.Text, nullable=False),
        Column("topic", sa.Text, nullable=False),
        Column("key", sa.Text, nullable=False),
        Column("payload", JSONB, nullable=False),
        created_at(),
        timestamp("sent_at"),
        Column("parked_code", sa.Text),
        Index("ix_event_outbox_waiting", "id", postgresql_where=sa.text("sent_at IS NULL")),
        Index("ix_event_outbox_key", "key", "id"),
        Index("ix_event_outbox_sent_at", "sent_at"),
    )


def _alert_outbox(metadata: MetaData) -> Table:
    return Table(
        "alert_outbox",
        metadata,
        _id(),
        Column("kind", sa.Text, nullable=False),
        Column("code", sa.Text, nullable=False),
        _import_id(nullable=True),
        # Names the problem: as long as it lasts there is one open `problem` row for it.
        Column("fingerprint", sa.Text, nullable=False),
        Column("detail", JSONB, nullable=False, server_default="{}"),
        created_at(),
        timestamp("sent_at"),
        timestamp("resolved_at"),
        _count("send_attempts"),
        timestamp("next_attempt_at"),
        words("kind", AlertKind, "kind"),
        Index(
            "uq_alert_outbox_open_problem",
            "fingerprint",
            unique=True,
            postgresql_where=sa.text("kind = 'problem' AND resolved_at IS NULL"),
        ),
        Index("ix_alert_outbox_waiting", "id", postgresql_where=sa.text("sent_at IS NULL")),
    )


def _worker_heartbeats(metadata: MetaData) -> Table:
    return Table(
        "worker_heartbeats",
        metadata,
        Column("worker", sa.Text, primary_key=True),
        Column("process", sa.Text, primary_key=True),
        # `leading` holds the lock, `standby` waits for it, `stopped` left in good order.
        Column("state", sa.Text, nullable=False),
        created_at("started_at"),
        created_at("beat_at"),
        Column("detail", JSONB, nullable=False, server_default="{}"),
        words("worker", Work, "worker"),
        words("state", WorkerState, "state"),
    )


def _access_log(metadata: MetaData) -> Table:
    """Append only: a trigger refuses every change, and lets rows go only when their time is over."""
    return Table(
        "access_log",
        metadata,
        _id(),
        created_at("at"),
        Column("actor", sa.Text, nullable=False),
        Column("action", sa.Text, nullable=False),
        # No foreign keys: who looked stays on record when the person is erased.
        Column("entity_id", sa.BigInteger),
        Column("import_id", sa.BigInteger),
        Column("route", sa.Text, nullable=False),
        words("action", Access, "action"),
        Index(None, "entity_id", "id"),
        Index(None, "import_id", "id"),
        Index(None, "actor", "id"),
        Index(None, "at"),
    )


def _sessions(metadata: MetaData) -> Table:
    return Table(
        "sessions",
        metadata,
        # Of the key in the browser's cookie, which stands nowhere else.
        Column("digest", sa.String(64), primary_key=True),
        Column("name", sa.Text, nullable=False),
        # Names the token without telling it: a changed one ends its sessions.
        Column("proof", sa.String(64), nullable=False),
        created_at("began_at"),
        created_at("seen_at"),
        Index(None, "name"),
    )


def _refused_callers(metadata: MetaData) -> Table:
    return Table(
        "refused_callers",
        metadata,
        # Of IPv6 the network that one household has. Or `beginning`, and the keyed digest of how tokens begin.
        Column("address", sa.Text, primary_key=True),
        # The last ten.
        Column("refused_at", ARRAY(sa.DateTime(timezone=True)), nullable=False),
        timestamp("blocked_until"),
    )
