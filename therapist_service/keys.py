"""By what a therapist is found: columns that follow from others."""

from shared.fields.declaration import Row, Values
from shared.people.table import searched_key
from therapist_service.imports.traits import look_up_keys
from therapist_service.therapist import THERAPIST


def following_keys(values: Row) -> Values:
    """The columns by which a search and an import find a therapist with these values."""
    return {"search_key": searched_key(THERAPIST, values), **look_up_keys(values, values.get("source_record"))}
