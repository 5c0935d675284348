"""Marks that people set on a patient: processing restricted (Art. 18 GDPR), or consent withdrawn (Art. 7(3)).

While either holds, the patient is kept and nothing else: lists leave them out, nobody changes them, no import writes to
them (their file waits for a person), and so no event tells of them. Only erasing goes on. A mark is taken back with a
reason, and stays on record.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from patient_service.models import patienten, restrictions
from shared.core.clock import now
from shared.core.errors import NotAllowedError, NotFound
from shared.words.codes import Code
from shared.words.statuses import Restriction


class PatientRestricted(NotAllowedError):
    """The patient is restricted, or has withdrawn their consent: nobody may change them."""

    code = Code.PATIENT_RESTRICTED


_holds = restrictions.c.lifted_at.is_(None)
is_restricted: sa.ColumnElement[bool] = sa.exists().where(restrictions.c.patient_id == patienten.c.id, _holds)
"""Of a row of `patienten`."""


def restrict(connection: Connection, patient_id: int, kind: Restriction, reason: str, actor: str) -> None:
    """Sets the mark. Raises `NotFound`, and `NotAllowedError` where it is set already."""
    _lock(connection, patient_id)
    if any(row["kind"] == kind for row in restrictions_of(connection, patient_id) if row["lifted_at"] is None):
        raise NotAllowedError(f"The patient is {kind} already")
    row = {"patient_id": patient_id, "kind": kind, "reason": reason, "set_by": actor}
    connection.execute(sa.insert(restrictions).values(row))


def lift(connection: Connection, patient_id: int, kind: Restriction, reason: str, actor: str) -> None:
    """Takes the mark back. Raises `NotFound`, and `NotAllowedError` where it is not set."""
    _lock(connection, patient_id)
    lifted = {"lifted_by": actor, "lifted_at": now(), "lifted_reason": reason}
    mine = (restrictions.c.patient_id == patient_id, restrictions.c.kind == kind, _holds)
    if not connection.execute(sa.update(restrictions).where(*mine).values(lifted)).rowcount:
        raise NotAllowedError(f"The patient is not {kind}")


def restrictions_of(connection: Connection, patient_id: int) -> Sequence[RowMapping]:
    """Every mark that was ever set, oldest first."""
    of_patient = sa.select(restrictions).where(restrictions.c.patient_id == patient_id)
    return connection.execute(of_patient.order_by(restrictions.c.id)).mappings().all()


def require_free(connection: Connection, ids: Iterable[int]) -> None:
    """Raises `PatientRestricted` where one of them carries a mark."""
    marked = sa.exists().where(restrictions.c.patient_id.in_(list(ids)), _holds)
    if connection.execute(sa.select(marked)).scalar():
        raise PatientRestricted("The patient's data is restricted: it may be kept or erased, and nothing else")


def _lock(connection: Connection, patient_id: int) -> None:
    found = connection.execute(sa.select(patienten.c.id).where(patienten.c.id == patient_id).with_for_update())
    if found.scalar_one_or_none() is None:
        raise NotFound("Patient not found")
