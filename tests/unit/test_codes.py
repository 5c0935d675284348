"""Codes and technical words are members of their enumerations wherever the program writes or compares them."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

from shared.words.codes import Code, describe
from shared.words.statuses import (
    Access,
    Action,
    AlertKind,
    FileStatus,
    PassTrigger,
    RecordOutcome,
    ReviewChoice,
    ReviewKind,
    ReviewState,
    Work,
    WorkerState,
)

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "patient_service", "therapist_service", "curavani")
# Calls that take a code, and the position of it.
POSITIONS = {"Finding": 1, "RejectedError": 0, "CuravaniError": 0, "PydanticCustomError": 0, "finding": 1, "fault": 1}
# What holds such a word, by its name: a variable, a column, a member of a row, a keyword.
HOLDERS: dict[str, Iterable[str]] = {
    "code": Code,
    "error_code": Code,
    "status": FileStatus,
    "outcome": RecordOutcome,
    "action": Action,
    "state": (*ReviewState, *WorkerState),
    "kind": (*AlertKind, *ReviewKind),
    "choice": ReviewChoice,
    "trigger": PassTrigger,
    "worker": Work,
    "access": Access,
}


def bare_words(source):
    """The literals that stand where a word of an enumeration belongs, with their lines."""
    for node in ast.walk(ast.parse(source)):
        for vocabulary, value in _places(node):
            for inner in _parts(value):
                if isinstance(inner, ast.Constant) and inner.value in set(vocabulary):
                    yield inner.value, inner.lineno


def _places(node):
    if isinstance(node, ast.Call):
        position = POSITIONS.get(_name(node.func))
        yield from ((Code, given) for given in (node.args[position : position + 1] if position is not None else []))
        yield from ((HOLDERS[word.arg], word.value) for word in node.keywords if word.arg in HOLDERS)
        if isinstance(node.func, ast.Attribute) and _name(node.func.value) in HOLDERS:
            yield from ((HOLDERS[_name(node.func.value)], given) for given in node.args)
    elif isinstance(node, ast.Assign):
        yield from ((HOLDERS[_name(target)], node.value) for target in node.targets if _name(target) in HOLDERS)
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        yield from ((HOLDERS[_name(one)], other) for one in sides if _name(one) in HOLDERS for other in sides)


def _name(node):
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value
    return getattr(node, "id", getattr(node, "attr", ""))


def _parts(value):
    if isinstance(value, ast.IfExp):
        return [value.body, value.orelse]
    return value.elts if isinstance(value, (ast.Tuple, ast.List, ast.Set)) else [value]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_word_of_an_enumeration_stands_bare(package):
    found = [
        (word, f"{path.relative_to(ROOT)}:{line}")
        for path in sorted((ROOT / package).rglob("*.py"))
        for word, line in bare_words(path.read_text(encoding="utf-8"))
    ]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "Finding('/x', 'missing')",
        "raise RejectedError('invalid_json')",
        "raise_problem(connection, kernel, code='no_leader')",
        "code = 'lock_held'",
        "x = row['status'] == 'failed'",
        "x = 'failed' != row.status",
        "x = table.c.status.in_(('failed', 'other'))",
        "x = table.c.error_code.is_distinct_from('missing')",
        "x = row['outcome'] in ('new', other)",
        "code = 'missing' if x else y",
        "insert().values(action='erase')",
    ],
)
def test_a_bare_word_would_be_found(source):
    assert list(bare_words(source))


def test_every_code_is_written_somewhere():
    program = "".join(
        path.read_text(encoding="utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    )
    assert not [code.name for code in Code if f"Code.{code.name}" not in program]


@pytest.mark.parametrize("code", Code)
def test_every_meaning_is_a_sentence(code):
    assert describe(code).english.endswith(".")
    assert describe(code).german.endswith(".")


def test_an_unknown_code_is_described_as_a_fault_of_the_program():
    assert describe("never_heard_of") is Code.INTERNAL_ERROR
