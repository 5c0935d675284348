"""Who may import whom. The layers are only worth something if nobody takes a short cut."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"flask", "sqlalchemy", "psycopg", "google", "confluent_kafka", "requests", "alembic", "gunicorn"}
FORBIDDEN = {
    "shared": {"patient_service", "therapist_service", "curavani", "standins"},
    "patient_service": {"therapist_service", "curavani", "standins"},
    "therapist_service": {"patient_service", "curavani", "standins"},
    "standins": {"shared", "patient_service", "therapist_service", "curavani"},
}
ROOMS = (
    *("words", "core", "text", "database", "fields", "alerts", "history", "metrics", "workers", "events"),
    *("people", "reviews", "imports", "state", "mail", "http", "console"),
)
"""The packages of `shared`, from the ground up: each may rely on those before it."""
PURE = [
    "shared/words/vocabulary.py",
    "shared/core/errors.py",
    "shared/words/codes.py",
    "shared/core/clock.py",
    "shared/reviews/subjects.py",
    "shared/reviews/values.py",
    "shared/core/tokens.py",
    "shared/text/keys.py",
    "shared/text/strict_json.py",
    "shared/text/json_stream.py",
    "shared/imports/retry.py",
    "shared/fields/declaration.py",
    "shared/fields/readers.py",
    "patient_service/patient.py",
    "therapist_service/therapist.py",
    "shared/database/troubles.py",
    "shared/events/troubles.py",
    "shared/state/snapshot.py",
    "shared/state/health.py",
    "shared/state/import_status.py",
    "shared/mail/digest_text.py",
    "patient_service/imports/registration.py",
    "patient_service/imports/file_names.py",
    "patient_service/imports/duplicates.py",
    "therapist_service/imports/mapping.py",
    "therapist_service/imports/envelope.py",
    "therapist_service/imports/identity.py",
    "therapist_service/imports/names.py",
    "therapist_service/imports/repairs.py",
    "therapist_service/imports/traits.py",
    "therapist_service/imports/word.py",
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


def shared_modules(path: Path) -> set[str]:
    """The packages of `shared` that a file imports from."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "shared":
            steps = (node.module or "").split(".")
            imported |= {steps[1]} if len(steps) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            imported |= {steps[1] for steps in names if steps[0] == "shared" and len(steps) > 1}
    return imported


def test_every_file_of_shared_stands_in_a_room():
    loose = [path.name for path in (ROOT / "shared").glob("*.py") if path.name != "__init__.py"]
    rooms = {path.parent.name for path in (ROOT / "shared").glob("*/__init__.py")}
    assert not loose
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_no_arrow_inside_shared_runs_back_up(room):
    above = set(ROOMS[ROOMS.index(room) + 1 :])
    for path in (ROOT / "shared" / room).rglob("*.py"):
        assert not shared_modules(path) & above, path


@pytest.mark.parametrize("module", PURE)
def test_pure_rules_know_no_framework(module):
    assert not imported_packages(ROOT / module) & FRAMEWORKS


def test_only_the_one_clock_asks_the_machine_what_time_it_is():
    """Its clock may be wrong by hours; whatever is written or decided goes by the database's."""
    asking = re.compile(r"\b(datetime\.now|datetime\.utcnow|date\.today|time\.time)\(|from time import .*\btime\b")
    services = ("shared", "patient_service", "therapist_service")
    found = [path for package in services for path in (ROOT / package).rglob("*.py") if asking.search(path.read_text())]
    assert found == [ROOT / "shared/core/clock.py"]
