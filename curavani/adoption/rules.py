"""How a column of the platform becomes ours: one rule for each kind of field, as SQL on the column's own row.

Pure: from what a column is to what is done with it. Nothing here asks a database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.database.json_text import json_text
from shared.fields.declaration import (
    Age,
    Day,
    Email,
    Field,
    Flag,
    FreeText,
    JsonList,
    JsonObject,
    Moment,
    RowNumber,
    Text,
    Word,
)
from shared.words.vocabulary import Therapieverfahren

JOINED: Final = "pg_temp.curavani_joined"
"""A function of the session that makes a text of a JSON list of texts."""

WHERE_EMPTY: Final[Mapping[str, object]] = {"kassensitz": True}
"""What a missing value means where that is not what a row of ours begins with."""

_CALENDAR = "a day of the years 1 to 9999"
_TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
_TEXT = re.compile(r"text|character varying(?:\(([0-9]+)\))?")


@dataclass(frozen=True, slots=True)
class Found:
    """A column as the database has it; `type` in the words of PostgreSQL's `format_type`."""

    name: str
    type: str
    nullable: bool
    has_default: bool
    is_enum: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a column: `value` is its value afterwards, `type` its type.

    Rows for which `misfit` holds cannot be taken over; `needs` says in words what they would have to hold. `rewritten`
    says whether values or type change at all, `reduced` that the column held one word of a list;
    `says` tells people what becomes of its values.
    """

    value: str
    type: str
    misfit: str | None = None
    needs: str = ""
    rewritten: bool = False
    reduced: bool = False
    says: str = ""


def rule_for(field: Field, found: Found, schema: str, columns: Mapping[str, Found]) -> Rule | None:
    """The rule that makes `field` of the column; None where its type cannot become ours. `columns` are all it has."""
    match field.kind:
        case Text() | Email() | FreeText():
            return _text(field, found)
        case Word():
            return _word(field, field.kind, found, schema)
        case JsonList() | JsonObject():
            return _json(field, found)
        case Moment():
            return _moment(field, found, columns)
    return _plain(field, found)


def _plain(field: Field, found: Found) -> Rule | None:
    """What is the same type on both sides."""
    name = found.name
    match field.kind, found.type:
        case Day(), "date":
            return Rule(name, "date", misfit=_out_of_calendar(name), needs=_CALENDAR)
        case Flag(), "boolean":
            return _flag(field, found)
        case Age(highest=highest), "integer" | "smallint":
            misfit = f"{name} NOT BETWEEN 0 AND {highest}"
            is_other = found.type != "integer"
            return Rule(name, "integer", misfit, f"an age from 0 to {highest}", rewritten=is_other)
        case RowNumber(), "integer":
            return Rule(name, "integer", misfit=f"{name} < 1", needs="a number from 1 on")
    return None


def is_wider_text(found: str, wanted: str) -> bool:
    """Whether a column of texts takes all that the wanted one takes, and more."""
    one, other = _TEXT.fullmatch(found), _TEXT.fullmatch(wanted)
    if one is None or other is None:
        return False
    return one[1] is None or (other[1] is not None and int(one[1]) >= int(other[1]))


def _text(field: Field, found: Found) -> Rule | None:
    longest = None if isinstance(field.kind, FreeText) else getattr(field.kind, "longest", None)
    wanted = "text" if longest is None else f"character varying({longest})"
    if found.type == "jsonb":
        value = f"{JOINED}({found.name})"
        misfit, says = _no_list_of_texts(found.name), 'joined by ", "'
        return Rule(value, wanted, misfit, "a list of texts", rewritten=True, says=says)
    if not _TEXT.fullmatch(found.type):
        return None
    # Texts stay as they are, over-long ones, too: limits hold for what is written from now on.
    kept = is_wider_text(found.type, wanted)
    empty = None if field.nullable else f"{found.name} IS NULL"
    return Rule(found.name, found.type if kept else wanted, empty, "a text", rewritten=not kept)


def _no_list_of_texts(column: str) -> str:
    others = f"""jsonb_path_exists({column}, '$[*] ? (@.type() != "string")')"""
    return (
        f"CASE jsonb_typeof({column}) WHEN 'null' THEN false WHEN 'array' THEN {others} ELSE {column} IS NOT NULL END"
    )


def _word(field: Field, kind: Word, found: Found, schema: str) -> Rule | None:
    if not found.is_enum and not _TEXT.fullmatch(found.type):
        return None
    text = f"{found.name}::text"
    words = ", ".join(f"'{word.value}'" for word in kind.vocabulary)
    misfit = f"{text} NOT IN ({words})"
    if not field.nullable and field.default is None:
        misfit = f"{found.name} IS NULL OR {misfit}"
    value = text if field.default is None else f"coalesce({text}, '{field.default}')"
    needs = f"one of {', '.join(word.value for word in kind.vocabulary)}"
    wanted = f"{schema}.{kind.vocabulary.__name__.lower()}"
    return Rule(value, wanted, misfit, needs, rewritten=found.type != wanted, says=_nothing(field.default))


def _json(field: Field, found: Found) -> Rule | None:
    is_list = isinstance(field.kind, JsonList)
    default = f"'{json_text(field.default)}'::jsonb"
    if is_list and found.is_enum:
        any_method = f"{found.name}::text = '{Therapieverfahren.EGAL.value}'"
        value = (
            f"CASE WHEN {found.name} IS NULL OR {any_method} THEN {default}"
            f" ELSE jsonb_build_array({found.name}::text) END"
        )
        says = f"a list of the one word; {Therapieverfahren.EGAL.value} and nothing: empty"
        return Rule(value, "jsonb", rewritten=True, reduced=True, says=says)
    if found.type not in ("jsonb", "json"):
        return None
    column = found.name if found.type == "jsonb" else f"{found.name}::jsonb"
    shape = "array" if is_list else "object"
    value = f"CASE WHEN {column} IS NULL OR jsonb_typeof({column}) = 'null' THEN {default} ELSE {column} END"
    misfit = f"jsonb_typeof({column}) NOT IN ('{shape}', 'null')"
    needs = f"a JSON {'list' if is_list else 'object'}"
    return Rule(value, "jsonb", misfit, needs, rewritten=True, says=_nothing(json_text(field.default)))


def _moment(field: Field, found: Found, columns: Mapping[str, Found]) -> Rule | None:
    """The row's own time, else its other one, else that of the adoption."""
    if found.type not in _TIMES:
        return None
    other = columns.get("updated_at" if field.name == "created_at" else "created_at")
    known = [found, *([other] if other is not None and other.type in _TIMES else [])]
    value = f"coalesce({', '.join([*map(_utc, known), 'now()'])})"
    misfit, says = _out_of_calendar(found.name), "midnight UTC; nothing: the other time, or now"
    return Rule(value, "timestamp with time zone", misfit, _CALENDAR, rewritten=True, says=says)


def _utc(column: Found) -> str:
    """The column as a time: a day is its midnight, and what has no zone is UTC."""
    if column.type == "timestamp with time zone":
        return column.name
    return f"({column.name}::timestamp AT TIME ZONE 'UTC')"


def _flag(field: Field, found: Found) -> Rule:
    default = WHERE_EMPTY.get(field.name, field.default)
    if default is None:
        return Rule(found.name, "boolean")
    says = _nothing(str(default).lower())
    return Rule(f"coalesce({found.name}, {default})", "boolean", rewritten=True, says=says)


def _nothing(default: object) -> str:
    return "" if default is None else f"nothing: {default}"


def _out_of_calendar(column: str) -> str:
    return f"NOT isfinite({column}) OR {column} < '0001-01-01' OR {column} >= '10000-01-01'"
