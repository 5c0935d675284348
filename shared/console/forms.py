"""Forms for people's data, made from the declared fields: what an input shows, what it means, and what is wrong in it.

An input that nobody touched keeps its value as it was, also where its text could be read in another way.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from flask_babel import gettext

from shared.console import words
from shared.console.language import meaning
from shared.core.errors import Finding
from shared.fields.declaration import Age, Day, Email, Field, Flag, FreeText, JsonList, JsonObject, Text, Word
from shared.text.strict_json import printable
from shared.words.codes import Code

_GERMAN_DAY = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})", re.ASCII)
_DISTANCE = re.compile(r"(?:[^\W\d_]+ )*(\d{1,5}) ?km", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_SHOWN = 60
Shape = Literal["line", "lines", "choice"]


@dataclass(frozen=True, slots=True)
class Input:
    """One input: `text` is what stands in it, `options` are a choice's values with their words."""

    name: str
    label: str
    shape: Shape
    text: str
    options: tuple[tuple[str, str], ...]
    required: bool
    hint: str
    problems: tuple[str, ...]


def inputs(
    fields: Iterable[Field], texts: Mapping[str, str], problems: Mapping[str, Sequence[str]]
) -> dict[str, Input]:
    """The inputs of the fields, by name."""
    return {
        field.name: Input(
            name=field.name,
            label=field.label,
            shape=_shape(field),
            text=texts.get(field.name, ""),
            options=_options(field),
            required=field.required,
            hint=_hint(field),
            problems=tuple(problems.get(field.name, ())),
        )
        for field in fields
    }


def texts_of(fields: Iterable[Field], values: Mapping[str, object]) -> dict[str, str]:
    """What the inputs show of these values, whatever they are: those of a broken file need not fit their field."""
    return {field.name: text_of(values.get(field.name)) for field in fields}


def values_of(fields: Iterable[Field], texts: Mapping[str, str], before: Mapping[str, object]) -> dict[str, object]:
    """What was typed, as a caller of the API would send it: only the fields that differ from `before`."""
    return {
        field.name: _value(field, texts[field.name])
        for field in fields
        if field.name in texts and _lines(texts[field.name]) != _lines(text_of(before.get(field.name)))
    }


def problems_of(
    fields: Iterable[Field], findings: Iterable[Finding], section: str, texts: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[str]]:
    """What is wrong in these texts, as sentences: by field, and what is about none of them."""
    known = {field.name: field for field in fields}
    of_fields: dict[str, list[str]] = {}
    others: list[str] = []
    for finding in findings:
        name = finding.pointer.removeprefix(section).removeprefix("/").partition("/")[0]
        if finding.pointer.startswith(section) and name in known:
            of_fields.setdefault(name, []).append(_problem(known[name], finding.code, texts.get(name, "")))
        else:
            others.append(f"{meaning(finding.code)} ({finding.pointer})" if finding.pointer else meaning(finding.code))
    return of_fields, others


def _problem(field: Field, code: Code, text: str) -> str:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    if code == Code.MISSING:
        return str(gettext("Please fill this in."))
    if code == Code.INVALID_VALUE and isinstance(field.kind, Word):
        possible = ", ".join(words.value(word.value) for word in field.kind.vocabulary)
        return str(gettext("“%(value)s” is not allowed here. Possible: %(possible)s.", value=shown, possible=possible))
    if code == Code.INVALID_DATE:
        return str(gettext("“%(value)s” is no valid date. Please write it as DD.MM.YYYY.", value=shown))
    if code == Code.INVALID_EMAIL:
        return str(gettext("“%(value)s” is no valid e-mail address.", value=shown))
    if code == Code.TOO_LONG and isinstance(field.kind, (Text, FreeText, Email)):
        return str(gettext("Too long: at most %(longest)s characters.", longest=field.kind.longest))
    return meaning(code)


def _shape(field: Field) -> Shape:
    match field.kind:
        case Word() | Flag():
            return "choice"
        case FreeText() | JsonList() | JsonObject():
            return "lines"
    return "line"


def _options(field: Field) -> tuple[tuple[str, str], ...]:
    empty = () if field.required or not field.nullable else (("", "–"),)
    match field.kind:
        case Word(vocabulary=vocabulary):
            return (*empty, *((word.value, words.value(word.value)) for word in vocabulary))
        case Flag():
            return (*empty, ("true", str(gettext("yes"))), ("false", str(gettext("no"))))
    return ()


def _hint(field: Field) -> str:
    match field.kind:
        case Day():
            return str(gettext("DD.MM.YYYY"))
        case JsonList():
            return str(gettext("One entry a line."))
        case JsonObject(is_distance=True):
            return str(gettext("For example “25 km”."))
        case JsonObject():
            return str(gettext("One line each, such as “montag: 09:00-12:00, 14:00-16:00”."))
    return ""


def text_of(value: object) -> str:
    """A value, whatever it is, as it is typed and as browsers send it back."""
    return printable(_typed(value))


def _typed(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return f"{value:%d.%m.%Y}"
    if isinstance(value, list):
        return "\n".join(text_of(entry) for entry in value)
    if isinstance(value, dict):
        return _text_of_object(value)
    return _as_german_day(str(value))


def _text_of_object(value: Mapping[str, object]) -> str:
    distance = value.get(words.DISTANCE)
    if len(value) == 1 and type(distance) is int and distance >= 0:
        return f"{distance} km"
    return "\n".join(f"{key}: {_inline(inner)}" for key, inner in words.in_order_of_the_week(value))


def _inline(value: object) -> str:
    return ", ".join(map(text_of, value)) if isinstance(value, list) else text_of(value)


def _as_german_day(text: str) -> str:
    try:
        return f"{date.fromisoformat(text):%d.%m.%Y}" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else text
    except ValueError:
        return text


def _value(field: Field, text: str) -> object:
    """What the text means. What cannot be read stays a text, for the check to name it."""
    if not text.strip():
        return None
    return _READERS.get(type(field.kind), _unread)(text.strip())


def _unread(text: str) -> object:
    return "\n".join(_lines(text))


def _flag(text: str) -> object:
    return {"true": True, "false": False}.get(text, text)


def _day(text: str) -> object:
    found = _GERMAN_DAY.fullmatch(text)
    return f"{found[3]}-{found[2]:0>2}-{found[1]:0>2}" if found else text


def _age(text: str) -> object:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _list(text: str) -> object:
    return [_age(line.strip()) for line in _lines(text) if line.strip()]


def _object(text: str) -> object:
    """`montag: 9-12, 14-16` gives a list of times, `höchstens 25 km` a distance; another line without a colon is no
    entry."""
    if distance := _DISTANCE.fullmatch(text):
        return {words.DISTANCE: int(distance[1])}
    pairs = [line.partition(":") for line in _lines(text) if line.strip()]
    if any(not colon for _, colon, _ in pairs):
        return text
    return {key.strip(): _entry(key.strip(), inner.strip()) for key, _, inner in pairs}


def _entry(key: str, text: str) -> object:
    if "," in text or key.casefold() in words.WEEKDAYS:
        return [part.strip() for part in text.split(",") if part.strip()]
    return _age(text)


_READERS: Mapping[type[object], Callable[[str], object]] = {
    Flag: _flag,
    Day: _day,
    Age: _age,
    JsonList: _list,
    JsonObject: _object,
}


def _lines(text: str) -> list[str]:
    """A browser ends the lines of what was typed with CR LF."""
    return _LINE_END.split(text.strip())
