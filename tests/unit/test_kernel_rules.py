"""Keys, strict JSON and the retry rule, as tables."""

import json
import logging
from io import BytesIO, StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.errors import RejectedError
from shared.core.logs import configure_logging, get_logger
from shared.core.settings import LogSettings
from shared.imports.retry import LONGEST_DELAY_SECONDS, delay_seconds
from shared.text.json_stream import MAX_ELEMENT_CHARACTERS, TOO_LONG, JsonStream
from shared.text.keys import email_key, name_key, phone_key, search_key, search_words
from shared.text.strict_json import parse_document, unstorable_pointers


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Max", "Müller"), ("MAX", "mueller")),
        (("Max", "Mu\u0308ller"), ("Max", "Müller")),
        (("Karl-Heinz", "Weiß"), ("Karl Heinz", " WEISS ")),
        (("Łukasz", "Søren"), ("Lukasz", "Soeren")),
        (("Zoë", "O'Brien"), ("Zoe", "O’Brien")),
    ],
)
def test_notations_of_one_name_share_a_key(one, other):
    assert name_key(*one) == name_key(*other)


@pytest.mark.parametrize(("one", "other"), [(("Max", "Null"), ("Max", "")), (("A", "BC"), ("AB", "C"))])
def test_different_names_have_different_keys(one, other):
    assert name_key(*one) != name_key(*other)


@pytest.mark.parametrize("number", ["+49 241 12345", "0241 12345", "0241/12345", "0049 241 12345", "+49 (0)241 12345"])
def test_notations_of_one_phone_number_share_a_key(number):
    assert phone_key(number) == "+4924112345"


def test_an_absent_value_has_no_key():
    assert email_key("") is None
    assert email_key(None) is None
    assert phone_key(None) is None


@pytest.mark.parametrize("words", ["müller", "Mueller", "MULLER"])
def test_a_search_finds_every_spelling(words):
    (word,) = search_words(words)
    assert word in search_key("Max Müller")


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


def test_a_byte_order_mark_and_49_levels_are_accepted():
    assert parse_document(b'\xef\xbb\xbf{"a": ' + b"[" * 49 + b"]" * 49 + b"}")["a"]


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


def test_unstorable_texts_are_found_with_their_place():
    assert unstorable_pointers({"a": ["x", "\x00"], "b/c": "\ud800"}) == ["/a/1", "/b~1c"]


@given(st.integers(1, 100), st.integers(0, 10**6), st.floats(-1, 1))
def test_a_delay_stays_within_its_spread_and_below_six_hours(attempts, base, jitter):
    exact = base * 2 ** (attempts - 1)
    delay = delay_seconds(attempts, base, jitter)
    assert 0 <= delay <= LONGEST_DELAY_SECONDS
    assert min(exact * 0.8, LONGEST_DELAY_SECONDS) <= delay * 1.0001 + 1e-9


def test_eight_attempts_take_about_sixteen_hours():
    assert 12 <= sum(delay_seconds(n, 600, 0) for n in range(1, 8)) / 3600 <= 18


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
