"""A Flask application with what both services share."""

from typing import Any

from flask import Flask, Request, Response
from flask.json.provider import DefaultJSONProvider

from shared.http.access_log import log_requests
from shared.http.errors import register_error_handlers
from shared.http.health import health_routes
from shared.http.metrics import metrics_routes
from shared.http.requests import MAX_BODY_BYTES
from shared.http.row_numbers import read_row_numbers
from shared.http.service import Service


class _Json(DefaultJSONProvider):
    ensure_ascii = False
    # Fields come in the order of the schema, which is the order people know.
    sort_keys = False


class _StrictRequest(Request):
    """Bodies are read by `shared.http.requests.json_body` only; anything else would be less strict."""

    def get_json(self, *_args: Any, **_kwargs: Any) -> Any:
        raise TypeError("Use json_body()")


def build_app(service: Service) -> Flask:
    """The application with errors, logging and health; its own routes are still to be added."""
    app = Flask("curavani", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json = _Json(app)
    app.request_class = _StrictRequest
    read_row_numbers(app)
    service.attach(app)
    register_error_handlers(app)
    log_requests(app)
    app.register_blueprint(health_routes())
    app.register_blueprint(metrics_routes())
    app.after_request(_harden)
    return app


def _harden(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    # Answers hold health data: no proxy and no browser may keep them.
    response.headers.setdefault("Cache-Control", "no-store")
    return response
