"""Runs migrations on the connection that `curavani.schema` hands over."""

import sqlalchemy as sa
from alembic import context
from sqlalchemy import MetaData

from patient_service import models as patient_models
from shared.database.revision import VERSION_SCHEMA, VERSION_TABLE
from therapist_service import models as therapist_models

SCHEMAS = {patient_models.SCHEMA, therapist_models.SCHEMA}


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Other schemas of the same database belong to other services."""
    return kind != "schema" or name in SCHEMAS


def run() -> None:
    metadata: list[MetaData] = [patient_models.metadata, therapist_models.metadata]
    connection: sa.Connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=_ours,
        compare_server_default=True,
        version_table=VERSION_TABLE,
        version_table_schema=VERSION_SCHEMA,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
