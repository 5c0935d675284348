"""A large JSON object with one long list, read piece by piece in constant memory, as strictly as `strict_json`."""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from shared.core.errors import Finding, RejectedError
from shared.text.strict_json import MAX_DEPTH, escaped, finite, is_too_deep, object_without_duplicates, refuse_constant
from shared.words.codes import Code

CHUNK_BYTES = 256 * 1024
MAX_ELEMENT_CHARACTERS = 1024 * 1024
"""A longer element of the list is passed over, a longer value beside it refused."""
TOO_LONG: Final = object()
"""Stands in the place of such an element."""

_SPACE = " \t\r\n"
_AROUND_VALUE = 1
"""Levels around a value beside the list: the top object."""
_AROUND_ELEMENT = 2
"""Levels around an element: the top object and the list."""
_CLOSING = {"{": "}", "[": "]"}
_MARK = re.compile(r'["\[\]{}]')
_MARK_IN_TEXT = re.compile(r'["\\]')
# A text without its end, or white space and half a word or an escape, up to the end of what is there.
_CUT_OFF = re.compile(r'"(?:[^"\\]++|\\.)*+\\?|\s*+\S{0,12}', re.DOTALL)
_ANY = re.compile(".", re.DOTALL)
_DECODER = json.JSONDecoder(
    object_pairs_hook=object_without_duplicates, parse_constant=refuse_constant, parse_float=finite
)


class JsonStream:
    """The object in `file`: `elements` yields those of its list, and afterwards `others` holds the other values.

    An element that is too long is `TOO_LONG`; beyond its first part only its brackets and the ends of its texts are
    looked at. Raises `RejectedError` (`invalid_json`, `empty_file`), possibly after many elements: nobody may act on
    them before the end was reached.
    """

    def __init__(self, file: BinaryIO, list_key: str, watch: Callable[[bytes], None] = lambda _chunk: None) -> None:
        self.others: dict[str, object] = {}
        self.found_list = False
        self._text = _Text(file, watch)
        self._list_key = list_key

    def elements(self) -> Iterator[object]:
        """Every element of the list, in order."""
        text = self._text
        if text.peek() == "":
            raise RejectedError(Code.EMPTY_FILE)
        text.take("{")
        if text.peek() == "}":
            text.take("}")
        else:
            yield from self._members()
        if text.peek() != "":
            raise _invalid()

    def _members(self) -> Iterator[object]:
        text = self._text
        while True:
            key = text.value(_AROUND_VALUE)
            if not isinstance(key, str) or key in self.others:
                raise _invalid()
            text.take(":")
            if key == self._list_key and text.peek() == "[":
                self.found_list = True
                self.others[key] = None
                yield from self._list()
            else:
                self.others[key] = value = text.value(_AROUND_VALUE)
                if value is TOO_LONG:
                    raise RejectedError(Code.INVALID_JSON, [Finding(f"/{escaped(key)}", Code.TOO_LONG)])
            if not text.goes_on("}"):
                return

    def _list(self) -> Iterator[object]:
        text = self._text
        text.take("[")
        if text.peek() == "]":
            text.take("]")
            return
        yield text.value(_AROUND_ELEMENT)
        while text.goes_on("]"):
            yield text.value(_AROUND_ELEMENT)


class _Text:
    """A window of the file's text, moved along as values are taken from it."""

    def __init__(self, file: BinaryIO, watch: Callable[[bytes], None]) -> None:
        self._file = file
        self._watch = watch
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._window = ""
        self._at = 0
        self._ended = False

    def peek(self) -> str:
        """The next character that is no white space; empty at the end of the file."""
        while True:
            while self._at < len(self._window):
                if self._window[self._at] not in _SPACE:
                    return self._window[self._at]
                self._at += 1
            if not self._more():
                return ""

    def take(self, expected: str) -> None:
        if self.peek() != expected:
            raise _invalid()
        self._at += 1

    def goes_on(self, end: str) -> bool:
        """Takes a comma (there is more) or `end` (there is not)."""
        following = self.peek()
        if following not in (",", end) or following == "":
            raise _invalid()
        self._at += 1
        return following == ","

    def value(self, outside: int) -> object:
        """The next value, whole, or `TOO_LONG`; `outside` is how many levels are around it."""
        self.peek()
        while True:
            is_long = len(self._window) - self._at > MAX_ELEMENT_CHARACTERS
            try:
                found, end = _DECODER.raw_decode(self._window, self._at)
            except RecursionError:
                raise _invalid() from None
            except ValueError as error:
                if is_long:
                    fault = error.pos if isinstance(error, json.JSONDecodeError) else self._at
                    return self._passed_over(fault, outside)
            else:
                # A number at the window's end may go on behind it.
                if is_long or end < len(self._window) or self._ended:
                    return self._taken(found, end, outside)
            if not self._more():
                raise _invalid()

    def _taken(self, found: object, end: int, outside: int) -> object:
        if is_too_deep(found, outside=outside):
            raise _invalid()
        length, self._at = end - self._at, end
        return found if length <= MAX_ELEMENT_CHARACTERS else TOO_LONG

    def _passed_over(self, fault: int, outside: int) -> object:
        """Goes behind a value whose end is not in sight, keeping nothing of it; `fault` is where decoding ended.

        What ended before the end of the window is no JSON, however it goes on.
        """
        if not _CUT_OFF.fullmatch(self._window, fault):
            raise _invalid()
        closing: list[str] = []
        while True:
            mark = self._behind(_MARK)
            if mark in _CLOSING:
                closing.append(_CLOSING[mark])
            elif mark == '"':
                self._behind_text()
            elif not closing or closing.pop() != mark:
                raise _invalid()
            if len(closing) > MAX_DEPTH - outside:
                raise _invalid()
            if not closing:
                return TOO_LONG

    def _behind_text(self) -> None:
        while self._behind(_MARK_IN_TEXT) != '"':
            self._behind(_ANY)

    def _behind(self, pattern: re.Pattern[str]) -> str:
        """Goes behind the next character of the pattern, and returns it."""
        while True:
            found = pattern.search(self._window, self._at)
            if found:
                self._at = found.end()
                return found[0]
            self._at = len(self._window)
            if not self._more():
                raise _invalid()

    def _more(self) -> bool:
        if self._ended:
            return False
        chunk = self._file.read(CHUNK_BYTES)
        self._watch(chunk)
        self._ended = not chunk
        try:
            decoded = self._decode(chunk, self._ended)
        except UnicodeDecodeError:
            raise _invalid() from None
        self._window = self._window[self._at :] + decoded
        self._at = 0
        return bool(decoded) or not self._ended


def _invalid() -> RejectedError:
    return RejectedError(Code.INVALID_JSON, [Finding("", Code.INVALID_JSON)])
