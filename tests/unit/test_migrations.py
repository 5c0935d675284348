"""Migrations run while the version before them still works on the database: they add, and take away later.

What breaks the running version stands in a revision of its own that says so, in `CONTRACTS`: the revision since which
no program uses what it takes away. That one ships a release later.
"""

import ast
import re
from pathlib import Path

import pytest

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"
BREAKING_CALLS = {"drop_table", "drop_column", "rename_table"}
BREAKING_SQL = re.compile(r"\b(DROP\s+(TABLE|COLUMN|SCHEMA|TYPE)|RENAME|TRUNCATE|SET\s+NOT\s+NULL)\b", re.IGNORECASE)


def breaking_steps(source):
    """What in the module's `upgrade` a program of the version before would trip over."""
    (upgrade,) = (
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    )
    for node in ast.walk(upgrade):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", "")
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if name in BREAKING_CALLS or (name == "alter_column" and _breaks(given)):
                yield name
            if name == "add_column" and _is_required(node.args[-1]):
                yield name
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and BREAKING_SQL.search(node.value):
            yield "execute"


def _breaks(given):
    nullable = given.get("nullable")
    becomes_required = isinstance(nullable, ast.Constant) and nullable.value is False
    return becomes_required or bool({"new_column_name", "type_"} & set(given))


def _is_required(column):
    given = {keyword.arg: keyword.value for keyword in getattr(column, "keywords", [])}
    nullable = given.get("nullable")
    return isinstance(nullable, ast.Constant) and nullable.value is False and "server_default" not in given


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("*.py")), ids=lambda path: path.stem)
def test_a_migration_adds_only_or_says_since_when_nobody_needs_what_it_takes_away(path):
    source = path.read_text(encoding="utf-8")
    (contracts,) = re.findall(r'^CONTRACTS = "(\d{4})"$', source, re.MULTILINE) or [None]
    assert not list(breaking_steps(source)) or (contracts is not None and contracts < path.stem[:4])


@pytest.mark.parametrize(
    ("step", "breaks"),
    [
        ('op.add_column("t", sa.Column("c", sa.Text))', False),
        ('op.add_column("t", sa.Column("c", sa.Text, nullable=False, server_default=""))', False),
        ('op.create_index("i", "t", ["c"])', False),
        ('op.execute("CREATE TABLE t (id int)")', False),
        ('op.add_column("t", sa.Column("c", sa.Text, nullable=False))', True),
        ('op.drop_column("t", "c")', True),
        ('op.alter_column("t", "c", new_column_name="d")', True),
        ('op.alter_column("t", "c", nullable=False)', True),
        ('op.execute("ALTER TABLE t DROP COLUMN c")', True),
    ],
)
def test_what_breaks_a_running_version(step, breaks):
    assert bool(list(breaking_steps(f"def upgrade():\n    {step}\n"))) is breaks
