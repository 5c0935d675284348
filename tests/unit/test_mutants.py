"""What `make mutants` looks at, and what is argued about survivors, is there."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
ARGUED = re.findall(r"^- `([^`]+)` →", (ROOT / "docs/mutants.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("path", [*CONFIG["only_mutate"], *CONFIG["pytest_add_cli_args_test_selection"]])
def test_every_module_and_every_test_is_there(path):
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("place", sorted(set(ARGUED)))
def test_what_is_argued_about_is_a_function_that_is_changed(place):
    (module,) = [
        path.removesuffix(".py").replace("/", ".")
        for path in CONFIG["only_mutate"]
        if place.startswith(path.removesuffix(".py").replace("/", ".") + ".")
    ]
    found = importlib.import_module(module)
    for name in place.removeprefix(f"{module}.").split("."):
        found = getattr(found, name)
