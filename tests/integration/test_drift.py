"""Files that are made from other files are what they would be made as now."""

from pathlib import Path

import pytest

from curavani.requirements import EXTRAS, requirements
from curavani.settings_page import settings_page

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("service", "extra"), EXTRAS.items())
def test_the_services_requirements_come_from_the_lock_file(service, extra):
    assert (ROOT / service / "requirements.txt").read_text(encoding="utf-8") == requirements(ROOT, extra)


def test_the_page_of_settings_lists_all_of_them():
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()


def test_the_readme_names_every_command():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("db upgrade", "serve", "doctor", "imports run", "check", "plan", "reviews", "patients", "events"):
        assert f"curavani {command}" in readme
