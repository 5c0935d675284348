"""The columns of a table of people, made from the declaration of their fields."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSONB
from sqlalchemy.types import TypeEngine

from shared.database.json_text import json_text
from shared.database.tables import created_at, timestamp
from shared.fields.declaration import (
    Age,
    BigNumber,
    Day,
    Email,
    Field,
    Fields,
    Flag,
    FreeText,
    JsonList,
    JsonObject,
    Keys,
    Moment,
    RowNumber,
    Text,
    ValueKind,
    Word,
)


def columns_of(fields: Fields, metadata: sa.MetaData) -> list[sa.Column[object]]:
    """A column per field, in their order. A vocabulary is an enumeration of the schema, under its own name."""
    return [_column(field, metadata) for field in fields]


def _column(field: Field, metadata: sa.MetaData) -> sa.Column[Any]:
    match field.kind:
        case RowNumber():
            return sa.Column(field.name, sa.Integer, sa.Identity(), primary_key=True)
        case Moment():
            return timestamp(field.name) if field.nullable else created_at(field.name)
    column_type = _type(field.kind, metadata)
    return sa.Column(field.name, column_type, nullable=field.nullable, server_default=_default(field.default))


def _default(default: object) -> str | sa.ColumnElement[bool] | None:
    """The default as DDL."""
    match default:
        case False:
            return sa.false()
        case dict() | list():
            return json_text(default)
    return None if default is None else str(default)


def _type(kind: ValueKind, metadata: sa.MetaData) -> TypeEngine[Any]:
    match kind:
        case Text(longest=int(longest)) | Email(longest=longest):
            return sa.String(longest)
        case Word(vocabulary=vocabulary):
            words = [word.value for word in vocabulary]
            return ENUM(*words, name=vocabulary.__name__.lower(), metadata=metadata, schema=metadata.schema)
    return _TYPES[type(kind)]


_TYPES: dict[type[ValueKind], TypeEngine[Any]] = {
    Text: sa.Text(),
    FreeText: sa.Text(),
    Day: sa.Date(),
    Flag: sa.Boolean(),
    JsonObject: JSONB(),
    JsonList: JSONB(),
    Age: sa.Integer(),
    BigNumber: sa.BigInteger(),
    Keys: ARRAY(sa.Text),
}
