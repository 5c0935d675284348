"""What belongs to staff cannot be written by an import: no line of it names such a column."""

import ast
from pathlib import Path

import pytest

import therapist_service.imports
from shared.fields.declaration import Owner
from therapist_service.therapist import THERAPIST

PACKAGE = Path(therapist_service.imports.__path__[0])
STAFF_FIELDS = set(THERAPIST.owned_by(Owner.STAFF))
# A new row is told to be a panel doctor and active; later, who is gone becomes inactive and who returns active.
NAMED = {("therapist_importer.py", "kassensitz"), ("therapist_importer.py", "status"), ("removals.py", "status")}
# There the word is the source's own, or the ledger's.
OTHER_STATUS = {"mapping.py", "record_reader.py", "import_tracker.py"}


def strings(path):
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_staff_fields_are_those_of_the_specification():
    assert {"status", "sperrgrund", "sperrdatum", "kassensitz", "potenziell_verfuegbar"} <= STAFF_FIELDS
    assert {"potenziell_verfuegbar_notizen", "ueber_curavani_informiert", "naechster_kontakt_moeglich"} <= STAFF_FIELDS
    assert {"bevorzugte_diagnosen", "alter_min", "alter_max", "geschlechtspraeferenz", "arbeitszeiten"} <= STAFF_FIELDS
    assert {"bevorzugt_gruppentherapie", "letzter_kontakt_email", "letzter_kontakt_telefon"} <= STAFF_FIELDS
    assert "letztes_persoenliches_gespraech" in STAFF_FIELDS


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_no_module_of_the_import_names_a_staff_field(path):
    named = {(path.name, name) for name in strings(path) & STAFF_FIELDS}
    if path.name in OTHER_STATUS:
        named.discard((path.name, "status"))
    assert named <= NAMED
