"""Files that are made from other files are what they would be made as now."""

from pathlib import Path

import pytest

from curavani.pages import PAGES
from curavani.requirements import EXTRAS, requirements

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("service", "extra"), EXTRAS.items())
def test_the_services_requirements_come_from_the_lock_file(service, extra):
    assert (ROOT / service / "requirements.txt").read_text(encoding="utf-8") == requirements(ROOT, extra)


@pytest.mark.parametrize(("path", "text"), PAGES.items())
def test_a_page_says_what_the_code_says(path, text):
    assert (ROOT / path).read_text(encoding="utf-8") == text()


def test_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("db upgrade", "serve", "doctor", "imports run", "check", "plan", "reviews", "patients", "events"):
        assert f"curavani {command}" in readme
