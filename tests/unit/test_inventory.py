"""Whose data stands where is written down for every table and column, so that nothing personal is added unnoticed."""

import pytest

from curavani.pages.inventory import KERNEL, PATIENTS, THERAPISTS
from patient_service import models as patient_models
from therapist_service import models as therapist_models

MODELS = {"patient_service": (patient_models, PATIENTS), "therapist_service": (therapist_models, THERAPISTS)}
TOTALS = {"patient_count", "therapist_count"}
TABLES = [
    (table, {**own, **KERNEL}.get(table.name))
    for models, own in MODELS.values()
    for table in models.metadata.sorted_tables
]


@pytest.mark.parametrize(("table", "stored"), TABLES, ids=[str(table) for table, _ in TABLES])
def test_every_column_says_whose_data_it_holds(table, stored):
    assert stored is not None, "a table that the inventory does not know"
    classified = [column for columns in stored.columns.values() for column in columns]
    assert len(classified) == len(set(classified))
    assert set(table.columns.keys()) - TOTALS == set(classified) - columns_of_the_other_source(table)


def columns_of_the_other_source(table):
    """What only the other service's source keeps of a table that both have."""
    others = [other for other, _ in TABLES if other.name == table.name and other.schema != table.schema]
    return {name for other in others for name in set(other.columns.keys())} - set(table.columns.keys())


@pytest.mark.parametrize("schema", MODELS)
def test_the_inventory_knows_no_table_that_does_not_exist(schema):
    models, own = MODELS[schema]
    assert {*own, *KERNEL} == {table.name for table in models.metadata.sorted_tables}
