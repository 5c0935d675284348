"""Everything held about one patient, for the patient (Art. 15 and 20 GDPR), as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.erasure_rows import find_traces
from patient_service.imports.local_copies import LocalCopies
from patient_service.merges import merged_into
from patient_service.models import import_corrections, kernel, patient_consents, patienten, restrictions
from patient_service.use_cases import get_patient
from shared.core.clock import now
from shared.core.errors import RejectedError
from shared.text.strict_json import parse_document

Rows = list[dict[str, Any]]

_KEYS = ("name_key", "email_key", "search_key")
"""What we compute to find people again: no further data, and no use to anybody else."""
_OF_A_FILE = (
    *("id", "file_name", "file_size", "file_hash", "status", "error_code", "first_seen_at", "processed_at"),
    *("source_deleted_at", "copy_removed_at"),
)


@dataclass(frozen=True, slots=True)
class Export:
    """What is held, in the order in which a person reads it."""

    exported_at: datetime
    patient: dict[str, Any]
    consents: Rows
    restrictions: Rows
    files: Rows
    corrections: Rows
    changes: Rows
    decisions: Rows
    actions: Rows
    events: Rows
    accesses: Rows

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Exporter:
    """What it takes: the copies of the files as they came."""

    copies: LocalCopies

    def collect(self, connection: Connection, patient_id: int) -> Export:
        """All that is held. Raises `NotFound`, and `DiskUnavailable` rather than leave a copy out."""
        found = find_traces(connection, get_patient(connection, patient_id), self.copies)
        # What stands under the numbers of records that were merged into this one is the same person's.
        ids = [patient_id, *merged_into(connection, patient_id)]
        consents = _rows(connection, patient_consents, patient_consents.c.patient_id == patient_id)
        # Those that failed or still wait, as an erasure would find them; whose a doubtful one is, nobody can tell.
        files = self._files(connection, ids, [*[row["import_id"] for row in consents], *found.files])
        numbers = [row["id"] for row in files]
        patient = _rows(connection, patienten, patienten.c.id == patient_id)[0]
        return Export(
            exported_at=now(),
            patient={name: value for name, value in patient.items() if name not in _KEYS},
            consents=consents,
            restrictions=_rows(connection, restrictions, restrictions.c.patient_id == patient_id),
            files=files,
            corrections=_rows(connection, import_corrections, import_corrections.c.import_id.in_(numbers)),
            changes=_rows(connection, kernel.field_changes, kernel.field_changes.c.entity_id.in_(ids)),
            decisions=_decisions(connection, ids),
            actions=_rows(connection, kernel.operator_actions, _about(kernel.operator_actions, ids, numbers)),
            events=_events(connection, ids),
            accesses=_rows(connection, kernel.access_log, _about(kernel.access_log, ids, numbers)),
        )

    def _files(self, connection: Connection, ids: Sequence[int], known: Sequence[int]) -> Rows:
        files, outcomes = kernel.import_tracking, kernel.import_outcomes.c
        mine = sa.select(outcomes.import_id).where(outcomes.entity_id.in_(ids))
        rows = _rows(connection, files, sa.or_(files.c.id.in_(known), files.c.id.in_(mine)))
        return [{name: row[name] for name in _OF_A_FILE} | {"content": self._content(row)} for row in rows]

    def _content(self, row: Mapping[str, Any]) -> object:
        """As it came: a document where it is one, else its text; None where no copy is kept."""
        data = self.copies.read(row["local_path"]) if row["local_path"] else None
        if data is None:
            return None
        try:
            return parse_document(data)
        except RejectedError:
            return data.decode("utf-8", "replace")


def _rows(connection: Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> Rows:
    statement = sa.select(table).where(condition).order_by(table.c.id)
    return [dict(row) for row in connection.execute(statement).mappings()]


def _about(table: sa.Table, ids: Sequence[int], files: Sequence[int]) -> sa.ColumnElement[bool]:
    return sa.or_(table.c.entity_id.in_(ids), table.c.import_id.in_(files))


def _decisions(connection: Connection, ids: Sequence[int]) -> Rows:
    """Without what they compare the person with: that may be somebody else's."""
    reviews = kernel.reviews.c
    about = sa.or_(
        reviews.entity_id.in_(ids),
        reviews.other_id.in_(ids),
        *[reviews.detail["candidates"].contains([number]) for number in ids],
    )
    shown = ("id", "kind", "state", "import_id", "choice", "comment", "decided_by", "decided_at", "created_at")
    return [{name: row[name] for name in shown} for row in _rows(connection, kernel.reviews, about)]


def _events(connection: Connection, ids: Sequence[int]) -> Rows:
    """What the other services of Curavani were told, as long as it is kept here."""
    events = kernel.event_outbox
    shown = ("event_type", "topic", "payload", "created_at", "sent_at")
    rows = _rows(connection, events, events.c.key.in_([str(number) for number in ids]))
    return [{name: row[name] for name in shown} for row in rows]
