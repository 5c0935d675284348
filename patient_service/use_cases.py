"""What can be done to patients, whoever asks: the HTTP API, the import, a decision in a review.

Every function works in the caller's transaction; `shared.people.writer` says what is written with a change.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from patient_service import events
from patient_service.keys import following_keys
from patient_service.models import kernel, patient_consents, patienten
from patient_service.patient import PATIENT, Patient
from patient_service.restrictions import is_restricted, require_free
from shared.core.clock import today
from shared.fields.declaration import Row, Values
from shared.people.table import PersonTable
from shared.people.writer import Change, PersonWriter

PATIENTS = PersonTable(kernel, patienten, PATIENT, Patient)


def create_patient(connection: Connection, values: Values, actor: str) -> int:
    """Inserts a validated patient (fields of `PatientCreate`) and returns their id."""
    (patient_id,) = _WRITER.create(connection, [values], actor)
    return patient_id


def update_patients(connection: Connection, changes: Mapping[int, Values], actor: str) -> dict[int, Patient]:
    """Writes validated fields per patient id and returns the patients as they are afterwards.

    Values equal to the present ones are no change. Raises, before any write, `NotFound` where an id does not exist, and
    `PatientRestricted` where one may not be changed.
    """
    before = lock_patients(connection, changes)
    require_free(connection, changes)
    wanted = [Change(vars(before[patient_id]), values) for patient_id, values in changes.items()]
    after = [Patient(**row) for row in _WRITER.update(connection, wanted, actor)]
    return dict(zip(changes, after, strict=True))


def note_contact(connection: Connection, patient_id: int, day: date, actor: str) -> Patient:
    """Moves the day of the last contact forward, never back; the patient as they are afterwards. Raises `NotFound`,
    and `PatientRestricted`."""
    require_free(connection, [patient_id])
    note_contacts(connection, {patient_id: day}, actor)
    return get_patient(connection, patient_id)


def note_contacts(connection: Connection, days: Mapping[int, date], actor: str) -> tuple[set[int], set[int]]:
    """`note_contact` for many at once; returns who is known, and whose day has moved: of nobody restricted."""
    named = (
        sa.select(patienten, is_restricted.label("restricted"))
        .where(patienten.c.id.in_(days))
        .order_by(patienten.c.id)
        .with_for_update()
    )
    rows = connection.execute(named).mappings().all()
    changes = [
        Change({name: row[name] for name in patienten.c.keys()}, {"letzter_kontakt": days[row["id"]]})  # noqa: SIM118
        for row in rows
        if not row["restricted"] and (row["letzter_kontakt"] is None or row["letzter_kontakt"] < days[row["id"]])
    ]
    _WRITER.update(connection, changes, actor)
    return {row["id"] for row in rows}, {change.before["id"] for change in changes}


def delete_patient(connection: Connection, patient_id: int, actor: str) -> None:
    """Removes the patient and announces it. The caller removes what refers to them first. Raises `NotFound`."""
    _WRITER.delete(connection, [patient_id], actor)


def get_patient(connection: Connection, patient_id: int) -> Patient:
    """The patient. Raises `NotFound`."""
    return PATIENTS.get(connection, patient_id)


def lock_patients(connection: Connection, ids: Iterable[int]) -> dict[int, Patient]:
    """The patients, locked in order of id against concurrent writers. Raises `NotFound` if one is missing."""
    return PATIENTS.lock(connection, ids)


def list_patients(
    connection: Connection,
    *,
    status: str | None = None,
    search: str | None = None,
    offset: int,
    limit: int,
) -> tuple[list[Patient], int]:
    """A page of the patients whom `search` means, newest first, and how many there are in all; nobody restricted."""
    conditions = [sa.not_(is_restricted)]
    conditions += [] if status is None else [patienten.c.status == status]
    return PATIENTS.page(connection, conditions, search, offset=offset, limit=limit)


def list_consents(connection: Connection, patient_id: int) -> Sequence[RowMapping]:
    """The evidence of the patient's consents (Art. 7(1) GDPR), oldest first. Raises `NotFound` without the patient."""
    get_patient(connection, patient_id)
    of_patient = sa.select(patient_consents).where(patient_consents.c.patient_id == patient_id)
    return connection.execute(of_patient.order_by(patient_consents.c.id)).mappings().all()


def _following(values: Row) -> Values:
    """The look-up keys, and the day on which contracts and first consultation were both there; once set, it stays."""
    complete = values.get("vertraege_unterschrieben") and values.get("psychotherapeutische_sprechstunde")
    return {
        "startdatum": values.get("startdatum") or (today() if complete else None),
        **following_keys(values),
    }


def complete_keys(connection: Connection) -> int:
    """Gives their keys to rows that a program without keys has written, such as the platform's; returns how many."""
    names = ("id", "vorname", "nachname", *PATIENT.searched)
    keyless = sa.select(*[patienten.c[name] for name in dict.fromkeys(names)]).where(patienten.c.name_key == "")
    rows = connection.execute(keyless.order_by(patienten.c.id).with_for_update()).mappings().all()
    given = [{"row": row["id"], **following_keys(dict(row))} for row in rows]
    if given:
        keys: dict[str, sa.BindParameter[object]] = {name: sa.bindparam(name) for name in given[0] if name != "row"}
        connection.execute(sa.update(patienten).where(patienten.c.id == sa.bindparam("row")).values(keys), given)
    return len(given)


_WRITER = PersonWriter(PATIENTS, _following, events.of_change)
