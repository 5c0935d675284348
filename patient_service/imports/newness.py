"""Which registration of a person is the newest, and what an older one that comes later may still write."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from patient_service.imports.registration import Order, Upload
from patient_service.models import kernel, patient_consents
from patient_service.patient import Patient
from shared.database.statements import Statement
from shared.fields.declaration import Values

UNFILLED: tuple[object, ...] = (None, "", [], {})
"""What a field holds that nobody has said anything in."""


def newest_registration(connection: Connection, patient_id: int) -> Order | None:
    """The newest of all registrations that became part of this patient, merges included; None if there is none."""
    found = _NEWEST(connection, patient_id=patient_id).fetchone()
    return None if found is None else Order(found.moment, Upload(found.uploaded_at, int(found.generation)))


def is_older(order: Order | None, than: Order | None) -> bool:
    """Whether both are known and the first one was made earlier."""
    return order is not None and than is not None and order < than


def fills_only(connection: Connection, before: Patient, said: Values) -> Values:
    """Of what an older registration said, what nobody has answered since: neither the person nor staff, who may have
    emptied a field on purpose.
    """
    staff = {row.field for row in _LAST_WRITTEN_BY_STAFF(connection, patient_id=before.id)}
    present = vars(before)
    return {name: value for name, value in said.items() if present[name] in UNFILLED and name not in staff}


REGISTERED_AT: sa.ColumnElement[datetime] = sa.func.coalesce(
    patient_consents.c.moment, patient_consents.c.registration_timestamp, patient_consents.c.given_at
)
"""When the registration was made that a consent came with."""
_files = kernel.import_tracking
_uploaded: sa.ColumnElement[datetime] = sa.func.coalesce(_files.c.uploaded_at, _files.c.first_seen_at)
_generation = sa.func.coalesce(sa.cast(_files.c.file_version, sa.BigInteger), 0)
_NEWEST = Statement(
    sa.select(REGISTERED_AT.label("moment"), _uploaded.label("uploaded_at"), _generation.label("generation"))
    .select_from(patient_consents.join(_files, _files.c.id == patient_consents.c.import_id))
    .where(patient_consents.c.patient_id == sa.bindparam("patient_id"))
    .order_by(REGISTERED_AT.desc(), _uploaded.desc(), _generation.desc())
    .limit(1)
)

_LAST_WRITTEN_BY_STAFF = Statement("""
    SELECT field FROM (
      SELECT DISTINCT ON (field) field, changed_by FROM patient_service.field_changes
      WHERE entity_id = :patient_id ORDER BY field, id DESC
    ) AS last WHERE changed_by NOT LIKE 'import:%'
""")
