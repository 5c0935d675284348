"""Strict JSON as both readers take it, and what a log may hold."""

import json
import logging
from io import BytesIO, StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.errors import RejectedError
from shared.core.logs import configure_logging, get_logger
from shared.core.settings import LogSettings
from shared.text.json_stream import MAX_ELEMENT_CHARACTERS, TOO_LONG, JsonStream
from shared.text.strict_json import parse_document

REFUSED = [
    (b"", "empty_file"),
    (b" \n", "empty_file"),
    (b"{", "invalid_json"),
    (b"[]", "invalid_json"),
    (b"null", "invalid_json"),
    (b'{"a": 1, "a": 1}', "invalid_json"),
    (b'{"a": {"b": 1, "b": 2}}', "invalid_json"),
    (b'{"a": NaN}', "invalid_json"),
    (b'{"a": 1e999}', "invalid_json"),
    (b'{"a": "\xff"}', "invalid_json"),
    ('{"a": 1}'.encode("utf-16"), "invalid_json"),
    (b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}", "invalid_json"),
    (b'{"list": ' + b"[" * 50 + b"]" * 50 + b"}", "invalid_json"),
    (b'{"a": ' + b"[" * 40_000 + b"]" * 40_000 + b"}", "invalid_json"),
    (b'{"a": ' + b"9" * 5000 + b"}", "invalid_json"),
    (b"{'a': 1}", "invalid_json"),
    (b'{"a": 1} x', "invalid_json"),
    (b'{"a": 1,}', "invalid_json"),
]


@pytest.mark.parametrize(("data", "code"), REFUSED)
def test_what_is_not_strict_json_is_refused_by_both_readers(data, code):
    with pytest.raises(RejectedError, match=code):
        parse_document(data)
    stream = JsonStream(BytesIO(data), "list")
    with pytest.raises(RejectedError, match=code):
        list(stream.elements())


@pytest.mark.parametrize("key", ["beside", "list"])
def test_a_byte_order_mark_and_49_levels_are_accepted_by_both_readers(key):
    data = f'{{"{key}": {"[" * 49}{"]" * 49}}}'.encode("utf-8-sig")
    assert parse_document(data)[key]
    stream = JsonStream(BytesIO(data), "list")
    assert list(stream.elements()) or stream.others[key]


@given(st.lists(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8)))
def test_the_piecewise_reader_reads_what_the_whole_reader_reads(values):
    data = json.dumps({"before": 1, "list": values, "after": {"x": "ü"}}).encode()
    stream = JsonStream(BytesIO(data), "list")
    assert list(stream.elements()) == parse_document(data)["list"]
    assert stream.others == {"before": 1, "list": None, "after": {"x": "ü"}}


class Trickle(BytesIO):
    """A file that gives fewer bytes than it is asked for, so that whatever stands in it is cut somewhere."""

    def __init__(self, data, most):
        super().__init__(data)
        self.most = most

    def read(self, size=-1):
        return super().read(min(size, self.most))


LONG = "x" * MAX_ELEMENT_CHARACTERS


@pytest.mark.parametrize(
    "value",
    [LONG, LONG[2:], f'{LONG}"]}}\\', {"a": [{"ü]": '"{\\'}, LONG, {"b": "}"}]}, [1] * len(LONG), ["😀\n" * 300_000]],
)
@pytest.mark.parametrize("most", [10**9, 2**20 + 1, 65_521])
def test_an_element_that_is_too_long_is_passed_over_and_the_next_one_read(value, most):
    is_long = len(json.dumps(value)) > MAX_ELEMENT_CHARACTERS
    data = json.dumps({"list": [1, value, {"next": [2]}], "after": 3}).encode()
    stream = JsonStream(Trickle(data, most), "list")
    assert list(stream.elements()) == [1, TOO_LONG if is_long else value, {"next": [2]}]
    assert stream.others == {"list": None, "after": 3}


@pytest.mark.slow
@given(st.integers(0, 40), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_a_long_element_is_passed_over_wherever_it_is_cut(ahead, length):
    """The cut after the first million characters moves through marks, escapes, words and numbers."""
    tail = '"\\\\", "\\u00e9\\"]", {"k": [true, null, -1.5e-7]}' + " " * length
    element = f'["{"x" * (MAX_ELEMENT_CHARACTERS - ahead)}", {tail}]'
    stream = JsonStream(Trickle(f'{{"list": [{element}, 5]}}'.encode(), 4096), "list")
    assert list(stream.elements()) == [TOO_LONG, 5]


@pytest.mark.parametrize(
    "element",
    [
        f'{{"a" 1, "b": "{LONG}"}}',
        f'{{"a": 1, "a": 2, "b": "{LONG}"}}',
        f'["{LONG}", 1}}',
        f'["{LONG}"',
        f'["{LONG}", "',
        f'["{LONG}", {"[" * 50}{"]" * 50}]',
        "1" * len(LONG) + "1",
    ],
    ids=len,
)
def test_a_long_element_that_is_no_json_is_refused(element):
    stream = JsonStream(BytesIO(f'{{"list": [{element}, 5]}}'.encode()), "list")
    with pytest.raises(RejectedError, match="invalid_json"):
        list(stream.elements())


def test_a_long_value_beside_the_list_is_refused_with_its_place():
    stream = JsonStream(BytesIO(json.dumps({"list": [], "a/b": LONG}).encode()), "list")
    with pytest.raises(RejectedError, match="invalid_json") as caught:
        list(stream.elements())
    assert [(finding.pointer, finding.code) for finding in caught.value.findings] == [("/a~1b", "too_long")]


def test_logs_hold_listed_fields_only_and_no_text_of_libraries_or_exceptions():
    stream = StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logging(LogSettings(level="DEBUG"), stream=stream, service="test")
    try:
        get_logger("ours").info("file_failed", import_id=7, vorname="CANARY", code="invalid_json\nfake")
        logging.getLogger("urllib3").debug("GET /o/CANARY_Max.json")
        try:
            int("CANARY")
        except ValueError:
            get_logger("ours").exception("crashed")
    finally:
        root.handlers[:], root.level = before
        logging.captureWarnings(capture=False)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "CANARY" not in stream.getvalue()
    assert len(lines) == 3
    assert (lines[0]["import_id"], lines[0]["event"]) == (7, "file_failed")
    assert lines[2]["error"] == ["ValueError"]
