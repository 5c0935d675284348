"""JSON read strictly: what is taken, what is refused, and where it stands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import RejectedError
from shared.text.strict_json import (
    MAX_DEPTH,
    escaped,
    finite,
    is_storable,
    is_too_deep,
    object_without_duplicates,
    parse_document,
    printable,
    refuse_constant,
    unstorable_pointers,
)


def nested(levels, innermost=0):
    value = innermost
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("data", "document"),
    [
        (b"{}", {}),
        (b' {"a": [1, -1.5e-7, true, null, "\\u00fc"]} \n', {"a": [1, -1.5e-7, True, None, "ü"]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": {"b": 1}, "b": {"b": 1}}', {"a": {"b": 1}, "b": {"b": 1}}),
        (b'{"a": 1e308}', {"a": 1e308}),
        (b'{"a": "NaN"}', {"a": "NaN"}),
    ],
)
def test_strict_json_is_read(data, document):
    assert parse_document(data) == document


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_an_empty_file_is_refused_as_such(data):
    with pytest.raises(RejectedError) as refused:
        parse_document(data)
    assert (refused.value.code, list(refused.value.findings)) == ("empty_file", [])


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"1",
        b'{"a": 1, "a": 1}',
        b'{"a": [{"b": 1, "b": 2}]}',
        b'{"a": 1, "\\u0061": 1}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf\xef\xbb\xbf{"a": 1}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    ],
)
def test_anything_else_is_refused_with_one_finding(data):
    with pytest.raises(RejectedError) as refused:
        parse_document(data)
    found = [(finding.pointer, finding.code) for finding in refused.value.findings]
    assert (refused.value.code, found) == ("invalid_json", [("", "invalid_json")])
    # What the parser says of the text may be personal data.
    assert refused.value.__cause__ is None


def test_fifty_levels_are_not_too_deep_and_one_more_is():
    assert MAX_DEPTH == 50
    assert parse_document(json.dumps({"a": nested(49)}).encode()) == {"a": nested(49)}
    with pytest.raises(RejectedError, match="invalid_json"):
        parse_document(json.dumps({"a": nested(50)}).encode())


@pytest.mark.parametrize("innermost", [0, "x", None, [], {}])
@pytest.mark.parametrize("outside", [0, 1, 20])
def test_levels_outside_count_as_well(innermost, outside):
    own = int(innermost in ([], {}))
    allowed = MAX_DEPTH - outside - own
    assert not is_too_deep(nested(allowed, innermost), outside=outside)
    assert is_too_deep(nested(allowed + 1, innermost), outside=outside)
    assert is_too_deep([0, {}, nested(allowed, innermost)], outside=outside)


def test_a_value_without_levels_is_never_too_deep():
    assert not is_too_deep("x")
    assert not is_too_deep(5, outside=MAX_DEPTH)
    assert is_too_deep([], outside=MAX_DEPTH)


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({}, []),
        ("x", []),
        ("\x00", [""]),
        ({"a": "x\x00y"}, ["/a"]),
        ({"a": ["x", "\x00", {"b": "\ud800"}]}, ["/a/1", "/a/2/b"]),
        ({"b/c": "\udfff", "d~e": "\ud800"}, ["/b~1c", "/d~0e"]),
        ({"a": {"\x00": 1}}, ["/a"]),
        ({"\x00": "\x00"}, ["", "/\x00"]),
        ({"a": [5, None, True, 1.5, "\ud7ff", "\ue000", "\x01"]}, []),
    ],
)
def test_what_cannot_be_stored_is_found_with_its_place(document, pointers):
    assert unstorable_pointers(document) == pointers


@pytest.mark.parametrize(
    ("text", "storable"),
    [("", True), ("ü😀", True), ("\x01\ud7ff\ue000", True), ("a\x00", False), ("a\ud800", False), ("\udfffb", False)],
)
def test_nul_and_halves_of_pairs_cannot_be_stored(text, storable):
    assert is_storable(text) is storable


@pytest.mark.parametrize(
    ("hook", "argument"),
    [
        (object_without_duplicates, [("a", 1), ("a", 1)]),
        (refuse_constant, "NaN"),
        (finite, "1e999"),
        (finite, "-1e999"),
    ],
)
def test_the_hooks_refuse_what_the_parser_would_take(hook, argument):
    with pytest.raises(ValueError, match=r"^$"):
        hook(argument)


def test_the_hooks_let_all_else_pass():
    assert object_without_duplicates([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    assert finite("1.5") == 1.5


@pytest.mark.parametrize(("key", "step"), [("a", "a"), ("a/b~c", "a~1b~0c"), ("~1", "~01"), ("", "")])
def test_a_key_is_escaped_as_a_step(key, step):
    assert escaped(key) == step


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), values, max_size=3))
def test_what_is_written_is_read_again(document):
    assert parse_document(json.dumps(document).encode()) == document
    assert parse_document(json.dumps(document, ensure_ascii=False).encode("utf-8-sig")) == document


@given(st.binary())
def test_any_bytes_are_an_object_or_refused(data):
    try:
        document = parse_document(data)
    except RejectedError as error:
        document = error
    assert isinstance(document, dict | RejectedError)


def test_what_cannot_be_stored_is_shown_as_a_character_that_stands_for_it():
    assert printable("a\x00b\ud800c") == "a\ufffdb\ufffdc"
