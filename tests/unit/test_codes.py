"""Every code that the program writes has a meaning and an advice in both languages."""

import ast
from pathlib import Path

import pytest

from shared.words.codes import Code, describe

ROOT = Path(__file__).parents[2]
# Calls that take a code, and the position of it.
POSITIONS = {
    "Finding": 1,
    "RejectedError": 0,
    "CuravaniError": 0,
    "PydanticCustomError": 0,
    "finding": 1,
    "fault": 1,
    "_finding": 1,
    "_report_with_finding": 2,
    "Deletion": 1,
}


def written_codes():
    for package in ("shared", "patient_service", "therapist_service"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name == "codes.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield from ((code, path.name) for code in _codes(node))


def _codes(node):
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        position = POSITIONS.get(name)
        given = node.args[position : position + 1] if position is not None else []
        given += [keyword.value for keyword in node.keywords if keyword.arg in ("code", "error_code")]
        yield from (value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str))
        yield from (value.attr.lower() for value in given if getattr(getattr(value, "value", None), "id", "") == "Code")
    if (
        isinstance(node, ast.Assign)
        and any(getattr(target, "id", "") == "code" for target in node.targets)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ):
        yield node.value.value


@pytest.mark.parametrize(("code", "module"), sorted(set(written_codes())))
def test_every_code_is_in_the_catalogue(code, module):
    assert code in set(Code), module


def test_the_search_finds_codes():
    assert {"invalid_json", "unknown_field", "displaced", "unparsable_name"} <= {code for code, _ in written_codes()}


@pytest.mark.parametrize("code", Code)
def test_every_meaning_is_a_sentence(code):
    assert describe(code).english.endswith(".")
    assert describe(code).german.endswith(".")
