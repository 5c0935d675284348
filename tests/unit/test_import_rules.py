"""Who may import whom. The layers are only worth something if nobody takes a short cut."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"flask", "sqlalchemy", "psycopg", "google", "confluent_kafka", "requests", "alembic", "gunicorn"}
FORBIDDEN = {
    "shared": {"patient_service", "therapist_service", "curavani"},
    "patient_service": {"therapist_service", "curavani"},
    "therapist_service": {"patient_service", "curavani"},
}
PURE = [
    "shared/vocabulary.py",
    "shared/errors.py",
    "shared/codes.py",
    "shared/clock.py",
    "shared/comparison.py",
    "shared/tokens.py",
    "shared/text_keys.py",
    "shared/strict_json.py",
    "shared/json_stream.py",
    "shared/imports/retry.py",
    "patient_service/imports/registration.py",
    "patient_service/imports/file_names.py",
    "patient_service/imports/duplicates.py",
    "therapist_service/imports/mapping.py",
    "therapist_service/imports/envelope.py",
    "therapist_service/imports/identity.py",
    "therapist_service/imports/merge.py",
    "therapist_service/imports/deletions.py",
    "therapist_service/imports/drift.py",
]


def imported_packages(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package):
    modules = list((ROOT / package).rglob("*.py"))
    assert modules
    for path in modules:
        assert not imported_packages(path) & FORBIDDEN[package], path


@pytest.mark.parametrize("module", PURE)
def test_pure_rules_know_no_framework(module):
    assert not imported_packages(ROOT / module) & FRAMEWORKS
