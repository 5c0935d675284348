"""Files that are made from other files are what they would be made as now."""

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
