"""A Flask application with what both services share."""

from collections.abc import Sequence
from functools import partial
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Request, Response
from flask.json.provider import DefaultJSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix

from shared.core.json_values import json_default
from shared.core.logs import get_logger
from shared.core.settings import ServingSettings
from shared.http.accesses import record_requests
from shared.http.auth import refuse_undeclared
from shared.http.cross_origin import allow_origins
from shared.http.endpoints import Endpoints, serve_endpoints
from shared.http.errors import register_error_handlers
from shared.http.health import health_routes
from shared.http.metrics import metrics_routes
from shared.http.openapi import openapi_document, serve_document
from shared.http.request_log import log_requests
from shared.http.requests import MAX_BODY_BYTES
from shared.http.row_numbers import read_row_numbers
from shared.http.schema_gate import require_our_schema
from shared.http.service import Service
from shared.text.strict_json import printable
from shared.words.codes import Code

log = get_logger(__name__)


class _Json(DefaultJSONProvider):
    ensure_ascii = False
    # Fields come in the order of the schema, which is the order people know.
    sort_keys = False
    default = staticmethod(json_default)

    def dumps(self, obj: object, **options: object) -> str:
        """As JSON that UTF-8 can hold: half of a surrogate pair, which a broken file may have, stays escaped."""
        return super().dumps(obj, **options).encode("utf-8", "backslashreplace").decode()


class _Response(Response):
    def set_data(self, value: bytes | str) -> None:
        """Shows what a broken file may have and no page can."""
        super().set_data(printable(value) if isinstance(value, str) else value)


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
    app.response_class = _Response
    read_row_numbers(app)
    service.attach(app)
    register_error_handlers(app)
    log_requests(app)
    require_our_schema(app, service)
    refuse_undeclared(app)
    record_requests(app)
    app.register_blueprint(health_routes())
    app.register_blueprint(metrics_routes())
    endpoints = [endpoint for group in routes for endpoint in group.all]
    serve_endpoints(app, endpoints)
    serve_document(app, title, partial(openapi_document, title, description, endpoints))
    app.after_request(_harden)
    allow_origins(app, service.serving.cors_origins)
    _heed_proxies(app, service.serving.trusted_proxy_hops)
    return app


def tell_of_open_doors(settings: ServingSettings) -> None:
    """Says at every start that nobody is asked who they are, where that is so."""
    if settings.api_auth == "off":
        log.warning("api_auth_is_off", code=Code.API_AUTH_OFF)


_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Answers hold health data: no proxy and no browser may keep them.
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Frame-Options": "DENY",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
}
"""Of every answer; a page that needs more says so itself."""


def _harden(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if response.location:
        # Without the host, which is the caller's word, and may be anybody's; the library's own page quotes it as well.
        parts = urlsplit(response.location)
        response.set_data(b"")
        response.location = urlunsplit(("", "", f"/{parts.path.lstrip('/')}", parts.query, parts.fragment))
    return response


def _heed_proxies(app: Flask, hops: int) -> None:
    """Takes caller, scheme and host from the outermost of our own proxies; what came before may be anybody's word."""
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
