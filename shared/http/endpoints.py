"""Endpoints. A view's signature says what its request has to be and what it answers: from it follow the check of the
request, the answer, and the OpenAPI document (`shared.http.openapi`).

A view takes the number in its address, `query` and `body` by these names, as models, and returns a model.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import TypeVar, get_type_hints

from flask import Flask, Response, jsonify
from pydantic import BaseModel

from shared.core.tokens import Role
from shared.http.answers import visible
from shared.http.auth import admit, needs
from shared.http.requests import has_body, read_body, read_query

View = TypeVar("View", bound=Callable[..., BaseModel])
Model = type[BaseModel]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one address, for callers of `role` and above. `errors` are the statuses that not all have."""

    name: str
    tag: str
    method: str
    address: str
    number: str
    role: Role
    status: int
    errors: tuple[int, ...]
    view: Callable[..., BaseModel]

    @property
    def query(self) -> Model | None:
        return self._models.get("query")

    @property
    def body(self) -> Model | None:
        return self._models.get("body")

    @property
    def needs_body(self) -> bool:
        """A body with a default may be left out."""
        return self.body is not None and signature(self.view).parameters["body"].default is Parameter.empty

    @property
    def answer(self) -> Model:
        return self._models["return"]

    @property
    def _models(self) -> Mapping[str, Model]:
        return get_type_hints(self.view)


class Endpoints:
    """The endpoints below one prefix. `number` says what the number in their addresses is."""

    def __init__(self, name: str, *, number: str) -> None:
        self.all: list[Endpoint] = []
        self._name, self._number = name, number

    def add(
        self,
        method: str,
        address: str,
        role: Role,
        *,
        status: int = 200,
        errors: tuple[int, ...] = (),
        tag: str | None = None,
    ) -> Callable[[View], View]:
        """Makes the view an endpoint, and leaves it as it is."""

        def decorate(view: View) -> View:
            name = f"{self._name}_{view.__name__.strip('_')}"
            whole = f"/api/{self._name}{address}"
            tagged = tag or self._name
            self.all.append(Endpoint(name, tagged, method, whole, self._number, role, status, errors, view))
            return view

        return decorate


def serve_endpoints(app: Flask, endpoints: Iterable[Endpoint]) -> None:
    """Puts the endpoints onto the application."""
    for endpoint in endpoints:
        app.add_url_rule(endpoint.address, endpoint.name, _served(endpoint), methods=[endpoint.method])


def _served(endpoint: Endpoint) -> Callable[..., tuple[Response, int]]:
    query, body, needs_body = endpoint.query, endpoint.body, endpoint.needs_body

    @needs(endpoint.role)
    @wraps(endpoint.view)
    def serve(**numbers: int) -> tuple[Response, int]:
        caller = admit(endpoint.role)
        given: dict[str, BaseModel] = {}
        if query is not None:
            given["query"] = read_query(query)
        if body is not None and (needs_body or has_body()):
            given["body"] = read_body(body)
        return jsonify(visible(endpoint.view(**numbers, **given), caller.role)), endpoint.status

    return serve
