"""How long patients and their copies are kept: copies go when their time is over, patients are only named."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.imports.local_copies import LocalCopies
from patient_service.imports.newness import REGISTERED_AT
from patient_service.models import kernel, patient_consents, patienten
from shared.core.logs import get_logger
from shared.words.statuses import FileStatus

log = get_logger(__name__)

_files = kernel.import_tracking


@dataclass(frozen=True, slots=True)
class DuePatient:
    """Somebody whose time is over: since when nothing happened about them, and for how many days."""

    patient_id: int
    status: str
    last_moved_at: datetime
    days: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def due_patients(
    connection: Connection, days: int | None, *, offset: int = 0, limit: int | None = None
) -> Sequence[DuePatient]:
    """Who neither registered, nor was changed or in contact for so many days, longest first; None: nobody."""
    if days is None:
        return []
    latest = _last_moved()
    passed = sa.func.extract("day", sa.func.now() - latest)
    statement = (
        sa.select(patienten.c.id, sa.cast(patienten.c.status, sa.Text), latest, sa.cast(passed, sa.Integer))
        .where(latest < sa.func.now() - sa.func.make_interval(0, 0, 0, days))
        .order_by(latest, patienten.c.id)
        .offset(offset)
        .limit(limit)
    )
    return [DuePatient(*row) for row in connection.execute(statement)]


def count_due(connection: Connection, days: int | None) -> int:
    """How many of them there are."""
    if days is None:
        return 0
    statement = sa.select(sa.func.count()).select_from(patienten)
    late = statement.where(_last_moved() < sa.func.now() - sa.func.make_interval(0, 0, 0, days))
    return int(connection.execute(late).scalar_one())


def remove_old_copies(connection: Connection, copies: LocalCopies, days: int | None) -> None:
    """Removes the copies of failed and discarded files that were dealt with so many days ago; their rows say so.

    The object in the bucket stays, and a retry makes a copy anew. Raises `DiskUnavailable`.
    """
    if days is None:
        return
    old = _files.c.processed_at < sa.func.now() - sa.func.make_interval(0, 0, 0, days)
    given_up = _files.c.status.in_((FileStatus.FAILED, FileStatus.DISCARDED))
    statement = sa.select(_files.c.id, _files.c.local_path).where(old, given_up, _files.c.local_path.is_not(None))
    found = connection.execute(statement.with_for_update(skip_locked=True)).all()
    for row in found:
        copies.remove(row.local_path)
        gone = {"local_path": None, "copy_removed_at": sa.func.now()}
        connection.execute(sa.update(_files).where(_files.c.id == row.id).values(gone))
    if found:
        log.info("copies_removed", number=len(found))


def _last_moved() -> sa.ColumnElement[datetime]:
    registered = (
        sa.select(sa.func.max(REGISTERED_AT)).where(patient_consents.c.patient_id == patienten.c.id).scalar_subquery()
    )
    contacted = sa.cast(patienten.c.letzter_kontakt, sa.DateTime(timezone=True))
    # GREATEST leaves out what is not there.
    return sa.func.greatest(patienten.c.updated_at, patienten.c.created_at, registered, contacted)
