"""What the API answers: typed models, some of whose fields only certain roles see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from shared.core.tokens import Role
from shared.http.requests import PageQuery

T = TypeVar("T")


class Answer(BaseModel):
    """Base of every answer: made of rows or objects, of which it takes the fields that it names.

    A value that does not fit is a fault of ours, and nothing quotes it.
    """

    model_config = ConfigDict(from_attributes=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class ForRole:
    """Marks a field that callers of a smaller role do not get. It needs a default: for them it is not there."""

    role: Role

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core_schema) | {"x-role": self.role.name.lower()}


Personal = Annotated[T, ForRole(Role.READ)]
"""What may name a person or quote a value; marked `x-role` in the document."""


class Page(Answer, Generic[T]):
    """A page of a list, and how many entries there are in all."""

    data: list[T]
    page: int
    limit: int
    total: int

    @classmethod
    def of(cls, entries: Sequence[object], query: PageQuery, total: int) -> Self:
        return cls.model_validate({"data": entries, "page": query.page, "limit": query.limit, "total": total})

    @classmethod
    def of_nothing(cls) -> Self:
        """The answer to a filter by a word that does not exist: an empty first page, whichever was asked for."""
        return cls.of([], PageQuery(), 0)


class MessageOut(Answer):
    """What was done or will be done, as a sentence."""

    message: str


def visible(value: object, role: Role) -> object:
    """The answer as `role` may see it: objects, lists and plain values. What was not given is left out."""
    if isinstance(value, RootModel):
        return value.root
    if isinstance(value, BaseModel):
        given = [name for name in type(value).model_fields if name in value.model_fields_set]
        return {name: visible(getattr(value, name), role) for name in given if role >= _needed(value, name)}
    if isinstance(value, list):
        return [visible(entry, role) for entry in value]
    return value


def _needed(model: BaseModel, name: str) -> Role:
    marks = type(model).model_fields[name].metadata
    return next((mark.role for mark in marks if isinstance(mark, ForRole)), Role.LOOK)
