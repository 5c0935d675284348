"""The OpenAPI document of a service's endpoints, and its page."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib.resources import files

from flask import Blueprint, Flask, Response, jsonify, send_from_directory
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shared.http.auth import EVERYBODY, needs
from shared.http.endpoints import Endpoint, Model
from shared.http.errors import ErrorOut

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/assets/css/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/assets/js/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></body></html>"""
_START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});'
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_MARKED = "Fields marked `x-role` are left out of answers to smaller roles."
_NUMBER = re.compile(r"<int:(\w+)>")
_EVERYWHERE = (401, 403, 429, 503)
_WITH_BODY = (400, 413, 415)

Json = dict[str, object]
_Schemas = Mapping[object, Json]
"""The reference to each model's schema."""


def openapi_document(title: str, description: str, endpoints: Sequence[Endpoint]) -> Json:
    """The document. An endpoint's sentences are its view's docstring."""
    schemas, components = _schemas(endpoints)
    paths: dict[str, dict[str, Json]] = {}
    for endpoint in endpoints:
        path = paths.setdefault(_NUMBER.sub(r"{\1}", endpoint.address), {})
        path[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "description": f"{description} {_MARKED}", "version": "1.0"},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[_Schemas, object]:
    """References to the schemas of all bodies and answers, and the schemas themselves, by name."""
    read: set[Model] = {endpoint.body for endpoint in endpoints if endpoint.body is not None}
    written: set[Model] = {ErrorOut, *[endpoint.answer for endpoint in endpoints]}
    models: list[tuple[Model, JsonSchemaMode]] = [(model, "validation") for model in read]
    models += [(model, "serialization") for model in written]
    models.sort(key=lambda entry: entry[0].__name__)
    references, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    return {model: reference for (model, _mode), reference in references.items()}, definitions["$defs"]


def _operation(endpoint: Endpoint, schemas: _Schemas) -> Json:
    body = endpoint.body
    refused = {*endpoint.errors, *_EVERYWHERE, *(_WITH_BODY if body else ())}
    answers: dict[int, Model] = {endpoint.status: endpoint.answer, **dict.fromkeys(sorted(refused), ErrorOut)}
    summary, _, rest = (endpoint.view.__doc__ or "").partition("\n")
    role = f"For the role `{endpoint.role.name.lower()}` and above."
    operation: Json = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": summary,
        "description": " ".join([summary, *rest.split(), role]),
        "parameters": [*_numbers(endpoint), *_queries(endpoint)],
        "responses": {
            str(status): {
                "description": HTTPStatus(status).phrase,
                "content": _content(schemas[model]),
            }
            for status, model in answers.items()
        },
    }
    if body:
        operation["requestBody"] = {
            "required": endpoint.needs_body,
            "content": _content(schemas[body]),
        }
    return operation


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _numbers(endpoint: Endpoint) -> list[Json]:
    schema = {"type": "integer", "minimum": 1}
    return [
        {"name": name, "in": "path", "required": True, "description": endpoint.number, "schema": schema}
        for name in _NUMBER.findall(endpoint.address)
    ]


def _queries(endpoint: Endpoint) -> list[Json]:
    if endpoint.query is None:
        return []
    properties: Mapping[str, Json] = endpoint.query.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "description": schema["description"],
            # A default of null says no more than that the parameter may be left out.
            "schema": {key: schema[key] for key in ("type", "default") if schema.get(key) is not None},
        }
        for name, schema in properties.items()
    ]


def serve_document(app: Flask, title: str, describe: Callable[[], Json]) -> None:
    """Serves the document at `/openapi.json` and a page about it at `/docs`, without any outside asset.

    It is made when somebody asks for it for the first time.
    """
    document = cache(describe)
    pages = Blueprint("openapi", __name__)
    assets = files("flask_openapi3_swagger") / "templates" / "swagger"

    @pages.get("/openapi.json")
    @needs(EVERYBODY)
    def show() -> Response:
        return jsonify(document())

    @pages.get("/docs")
    @needs(EVERYBODY)
    def page() -> Response:
        return _with_policy(Response(_PAGE.format(title=title), mimetype="text/html"))

    @pages.get("/docs/start.js")
    @needs(EVERYBODY)
    def start() -> Response:
        return Response(_START, mimetype="text/javascript")

    @pages.get("/docs/assets/<path:name>")
    @needs(EVERYBODY)
    def asset(name: str) -> Response:
        return send_from_directory(str(assets), name)

    app.register_blueprint(pages)


def _with_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    return response
