"""A Flask application with what both services share."""

from collections.abc import Sequence
from typing import NoReturn

from flask import Flask, Request, Response
from flask.json.provider import DefaultJSONProvider

from shared.core.json_values import json_default
from shared.http.access_log import log_requests
from shared.http.cross_origin import allow_origins
from shared.http.endpoints import Endpoints, serve_endpoints
from shared.http.errors import register_error_handlers
from shared.http.health import health_routes
from shared.http.metrics import metrics_routes
from shared.http.openapi import openapi_document, serve_document
from shared.http.requests import MAX_BODY_BYTES
from shared.http.row_numbers import read_row_numbers
from shared.http.schema_gate import require_our_schema
from shared.http.service import Service


class _Json(DefaultJSONProvider):
    ensure_ascii = False
    # Fields come in the order of the schema, which is the order people know.
    sort_keys = False
    default = staticmethod(json_default)


class _StrictRequest(Request):
    """Bodies are read by `shared.http.requests.read_body` only; anything else would be less strict."""

    def get_json(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("Use read_body()")


def build_app(service: Service, title: str, description: str, routes: Sequence[Endpoints]) -> Flask:
    """The application with the given endpoints and their document, errors, logging and health."""
    app = Flask("curavani", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json = _Json(app)
    app.request_class = _StrictRequest
    read_row_numbers(app)
    service.attach(app)
    register_error_handlers(app)
    log_requests(app)
    require_our_schema(app, service)
    app.register_blueprint(health_routes())
    app.register_blueprint(metrics_routes())
    endpoints = [endpoint for group in routes for endpoint in group.all]
    serve_endpoints(app, endpoints)
    serve_document(app, title, openapi_document(title, description, endpoints))
    app.after_request(_harden)
    allow_origins(app, service.serving.cors_origins)
    return app


def _harden(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    # Answers hold health data: no proxy and no browser may keep them.
    response.headers.setdefault("Cache-Control", "no-store")
    return response
