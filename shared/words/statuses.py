"""The technical words that tables, API, events, metrics and people's pages share, each set once.

Their values are what PostgreSQL and JSON carry; as texts they equal their values.
"""

from enum import StrEnum
from typing import Literal

ServiceName = Literal["patient", "therapist"]
"""A service's word, also on the command line and in the ledger's total."""


class FileStatus(StrEnum):
    """What has become of a file.

    `pending` (seen, or asked for again) and `retrying` wait for an attempt; `failed` waits for a person; the others are
    settled. `partial` is applied, but records of it failed or are held.
    """

    PENDING = "pending"
    RETRYING = "retrying"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"
    DISCARDED = "discarded"


class RecordOutcome(StrEnum):
    """What has become of one record of a file; each has exactly one."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    REACTIVATED = "reactivated"
    SKIPPED = "skipped"
    HELD = "held"
    FAILED = "failed"


class AttemptStatus(StrEnum):
    """How an attempt at a file ended; `running` has not ended, or its process died.

    `interrupted`: the pass was cut off by an outage or a kill. `released`: the attempt does not count.
    """

    RUNNING = "running"
    SUCCESS = "success"
    PARTIAL = "partial"
    SKIPPED = "skipped"
    RETRYING = "retrying"
    FAILED = "failed"
    DISCARDED = "discarded"
    INTERRUPTED = "interrupted"
    RELEASED = "released"


class PassTrigger(StrEnum):
    """What began a pass."""

    SCHEDULE = "schedule"
    OPERATOR = "operator"
    COMMAND = "command"


class ReviewKind(StrEnum):
    """What a person is asked."""

    POSSIBLE_DUPLICATE = "possible_duplicate"
    CONFLICT = "conflict"
    HELD_DELETIONS = "held_deletions"


class ReviewState(StrEnum):
    """Whether a review waits for a person."""

    OPEN = "open"
    RESOLVED = "resolved"


class ReviewOrder(StrEnum):
    """What a list of reviews is sorted by. As they wait: the open ones, oldest first, before those decided last."""

    WAITING = "waiting"
    OLDEST = "oldest"
    NEWEST = "newest"
    KIND = "kind"


class ReviewChoice(StrEnum):
    """How a review was resolved: what a person chose, or that there was nothing left to choose.

    `erased`: the person's data was. `settled`: newer data answered it.
    """

    MERGE = "merge"
    SEPARATE = "separate"
    SOURCE = "source"
    STAFF = "staff"
    APPLY = "apply"
    REJECT = "reject"
    ERASED = "erased"
    SETTLED = "settled"


class AlertKind(StrEnum):
    """What a mail tells of."""

    PROBLEM = "problem"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    DIGEST = "digest"


class Work(StrEnum):
    """Background work that at most one process does at a time."""

    IMPORT = "import"
    RELAY = "relay"
    MAILER = "mailer"
    CONTACTS = "contacts"


class WorkerState(StrEnum):
    """`leading` holds the work's lock, `standby` waits for it, `stopped` left in good order."""

    LEADING = "leading"
    STANDBY = "standby"
    STOPPED = "stopped"


class Action(StrEnum):
    """What people did, as `operator_actions` keeps it."""

    RUN = "run"
    RETRY = "retry"
    DISCARD = "discard"
    CORRECT = "correct"
    ENTER = "enter"
    NOTE = "note"
    TAKE = "take"
    GIVE_BACK = "give_back"
    RESOLVE = "resolve"
    UNDO = "undo"
    MERGE = "merge"
    CREATE = "create"
    DELETE = "delete"
    ERASE = "erase"
    ALLOW = "allow"
    REPLAY_EVENTS = "replay_events"
    RELEASE_EVENT = "release_event"
    DROP_EVENT = "drop_event"


class Access(StrEnum):
    """What somebody did with the data of a person or a file, in the record of accesses."""

    VIEW = "view"
    LIST = "list"
    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    EXPORT = "export"


class Restriction(StrEnum):
    """Which mark people set on a patient: processing restricted, or consent withdrawn."""

    RESTRICTED = "restricted"
    WITHDRAWN = "withdrawn"
