"""Where a file that is no strict JSON goes wrong."""

import pytest

from shared.core.errors import RejectedError
from shared.text.json_faults import Position, fault_of, text_of
from shared.text.strict_json import parse_document

DEEP = '{"a":\n' + "[" * 50 + "]" * 50 + "}"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"a": 1,}', 1, 9),
        ('{\n "a": 1,\n "b": x\n}', 3, 7),
        ('{"a": 1,\n "b": {"a": 2},\n "a": 3}', 3, 2),
        ('{"a": [{"b": 1, "c": ":"},\n {"b": 1, "b" : 2}]}', 2, 11),
        ('{"ü": 1, "\\u00fc": 2}', 1, 10),
        ('{"a": "NaN",\n "b": NaN}', 2, 7),
        ('{"a": [1, -Infinity]}', 1, 11),
        ('{"a": 1e400}', 1, 7),
        ('{"a": ' + "1" * 5000 + "}", 1, 7),
        ('\n ["a"]', 2, 2),
        (DEEP, 2, 50),
        ('{"a": "' + "x" * 10, 1, 7),
        ('\ufeff{"a": ?}', 1, 7),
    ],
)
def test_the_place_is_the_token_that_strict_reading_refuses(text, line, column):
    data = text.encode()
    with pytest.raises(RejectedError):
        parse_document(data)
    assert fault_of(data) == Position(line, column)


def test_a_byte_that_is_no_utf_8_is_found_and_shown():
    data = '{"ort": "Köln"}'.encode("latin-1")
    assert fault_of(b'{\n"stra\xc3\x9fe": "a\xff"}') == Position(2, 13)
    assert fault_of(data) == Position(1, 11)
    assert text_of(data) == '{"ort": "K\ufffdln"}'


def test_an_empty_file_and_a_sound_one_have_their_place_at_the_beginning():
    assert fault_of(b"") == Position(1, 1)
    assert fault_of(b'{"a": [1, {"b": null}], "c": true}') == Position(1, 1)


def test_a_nesting_that_the_parser_itself_gives_up_on_is_found():
    assert fault_of(b'{"a":' + b"[" * 100_000) == Position(1, 55)
