"""Help, completion and `check` are quick, because they load nothing that they do not need; and help can be read."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from curavani.__main__ import app

ROOT = Path(__file__).parents[2]
SLOW = {"sqlalchemy", "alembic", "psycopg", "google", "confluent_kafka", "flask", "gunicorn", "requests"}
"""Libraries of database, storage, brokers and HTTP."""
LIGHT = {
    *sys.stdlib_module_names,
    *("typer", "curavani.cli", "shared.words", "shared.core.errors", "shared.core.json_values"),
}


@pytest.fixture
def loaded():
    """The packages that a command loads, by what Python itself says."""

    def run(*arguments, code=0, **environment):
        command = [sys.executable, "-X", "importtime", str(Path(sys.executable).with_name("curavani")), *arguments]
        ran = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
        )
        assert ran.returncode == code, ran.stderr[-500:]
        assert ran.stdout
        modules = [
            line.rsplit("|", 1)[1].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")
        ]
        return {module.split(".")[0] for module in modules}

    return run


def test_help_loads_neither_libraries_of_services_nor_what_draws_tables(loaded):
    assert not loaded("--help") & (SLOW | {"rich", "pydantic", "structlog"})


def test_the_help_of_a_command_loads_no_libraries_of_services(loaded):
    assert not loaded("imports", "run", "-h") & SLOW


def test_completion_loads_no_libraries_of_services(loaded):
    words = {"_CURAVANI_COMPLETE": "complete_bash", "COMP_WORDS": "curavani imports run ", "COMP_CWORD": "3"}
    assert not loaded(**words) & SLOW


def test_checking_files_loads_no_libraries_of_services(loaded, tmp_path):
    registration, scrape = tmp_path / "A_B_20250705_0b1ab67b.json", tmp_path / "52066.json"
    registration.write_text("[]")
    scrape.write_text('{"metadata": {}, "therapists": [{"id": "p1", "status": "new"}]}')
    assert not loaded("check", str(registration), str(scrape), code=1) & SLOW


def _loaded_at_once(path):
    """The modules that a file imports when it is imported itself; not what its functions or its types alone ask for."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", [ROOT / "curavani/__main__.py", *(ROOT / "curavani/cli").glob("*.py")], ids=str)
def test_no_command_loads_for_all_what_it_needs_alone(path):
    for module in _loaded_at_once(path):
        assert any(module == light or module.startswith(f"{light}.") for light in LIGHT), module


def _groups(command, path=()):
    if isinstance(command, TyperGroup):
        yield path
        for name, inner in command.commands.items():
            yield from _groups(inner, (*path, name))


@pytest.mark.parametrize("path", list(_groups(typer.main.get_command(app))), ids=" ".join)
def test_help_says_what_each_command_does_and_cuts_no_sentence_off(path):
    ran = CliRunner().invoke(app, [*path, "-h"], prog_name="curavani", env={"COLUMNS": "80"})
    commands = ran.stdout.partition("Commands:")[2].partition("Examples:")[0]
    assert commands
    for line in commands.strip().splitlines():
        assert len(line.split()) > 1, line
        assert not line.endswith("..."), line


def test_the_version_is_told():
    ran = CliRunner().invoke(app, ["--version"])
    assert (ran.exit_code, ran.stdout.split()[0]) == (0, "curavani")
