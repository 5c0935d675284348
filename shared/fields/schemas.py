"""The API's schemas of people, made from the declaration of their fields: what callers send, and what they get.

The document of the API says the same as the checks, because both are made here.
"""

from collections.abc import Callable
from copy import copy
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, WithJsonSchema, create_model
from pydantic import Field as Described
from pydantic.json_schema import JsonSchemaValue

from shared.fields.declaration import (
    Age,
    Day,
    Email,
    Field,
    Fields,
    Flag,
    FreeText,
    JsonList,
    JsonObject,
    Text,
    ValueKind,
    Word,
)
from shared.fields.readers import missing, reader_of

M = TypeVar("M", bound=BaseModel)


def creates(fields: Fields) -> Callable[[type[M]], type[M]]:
    """Gives a model the fields that callers may set of somebody new; what is left out takes its default."""
    return extended_by({field.name: (_taken(field, field.required), _left_out(field)) for field in fields.settable})


def updates(fields: Fields) -> Callable[[type[M]], type[M]]:
    """Gives a model the fields that callers may set of somebody who is there; what is left out stays as it is."""
    return extended_by(
        {field.name: (_taken(field, False), Described(default_factory=_nothing)) for field in fields.settable}
    )


def answers(fields: Fields) -> Callable[[type[M]], type[M]]:
    """Gives a model the fields that are announced."""
    return extended_by({field.name: (_answered(field), ...) for field in fields.announced})


def extended_by(definitions: dict[str, Any]) -> Callable[[type[M]], type[M]]:
    """Gives a model further fields, each with its type and its default."""

    def extended(model: type[M]) -> type[M]:
        return create_model(
            model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **definitions
        )

    return extended


def _taken(field: Field, required: bool) -> object:
    """The type of a field in what callers send. Null blanks it, sets it back to its default, or is nothing at all."""
    read = reader_of(field)
    blanks, resets = field.nullable and not required, field.null_is_default and not required

    def taken(value: object) -> object:
        said = read(value)
        if said is not None or blanks:
            return said
        if resets:
            return copy(field.default)
        raise missing()

    schema = _schema(field.kind, may_be_empty=blanks)
    return Annotated[object, BeforeValidator(taken), WithJsonSchema(_nullable(schema) if blanks or resets else schema)]


def _left_out(field: Field) -> object:
    if field.required:
        return Described()
    if isinstance(field.default, (dict, list)):
        return Described(default_factory=type(field.default))
    return Described(default=field.default)


def _nothing() -> None:
    """No default that the document could name."""


def _answered(field: Field) -> object:
    if not isinstance(field.kind, Word):
        return field.type
    return field.kind.vocabulary | None if field.nullable else field.kind.vocabulary


def _schema(kind: ValueKind, *, may_be_empty: bool) -> JsonSchemaValue:
    """The kind in the words of JSON Schema."""
    match kind:
        case Text(longest=longest) | FreeText(longest=longest) | Email(longest=longest):
            return {"type": "string", **({} if may_be_empty else {"minLength": 1}), "maxLength": longest}
        case Word(vocabulary=vocabulary):
            return {"type": "string", "enum": [word.value for word in vocabulary]}
        case Age(highest=highest):
            return {"type": "integer", "minimum": 0, "maximum": highest}
    return dict(_SCHEMAS[type(kind)])


_SCHEMAS: dict[type[ValueKind], JsonSchemaValue] = {
    Day: {"type": "string", "format": "date"},
    Flag: {"type": "boolean"},
    JsonObject: {"type": "object"},
    JsonList: {"type": "array", "items": {}},
}


def _nullable(schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [schema, {"type": "null"}]}
