"""Files that are made from other files are what they would be made as now."""

import re
from pathlib import Path

import pytest

from curavani.pages import PAGES
from curavani.requirements import LISTS, requirements

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("path", "selection"), LISTS.items())
def test_what_the_images_install_comes_from_the_lock_file(path, selection):
    assert (ROOT / path).read_text(encoding="utf-8") == requirements(ROOT, selection)


@pytest.mark.parametrize(("path", "text"), PAGES.items())
def test_a_page_says_what_the_code_says(path, text):
    assert (ROOT / path).read_text(encoding="utf-8") == text()


def test_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("db upgrade", "serve", "doctor", "imports run", "check", "plan", "reviews", "patients", "events"):
        assert f"curavani {command}" in readme


def test_every_fault_names_a_test_that_exists():
    rows = [line for line in (ROOT / "docs/faults.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    faults = [row.split(" | ") for row in rows if "**" not in row and not row.startswith("| fault |")]
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))
    assert len(faults) > 25
    for _fault, _outcome, test in faults:
        assert re.fullmatch(r"`(test_\w+)` \|", test)[1] in defined
