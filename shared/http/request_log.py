"""A line and a measurement per request, and an id that ties together what happened for it."""

import re
import uuid
from time import monotonic

import structlog
from flask import Flask, Response, g, request

from shared.core.logs import get_logger
from shared.http.service import current_service

log = get_logger(__name__)

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUIET = ("/livez", "/readyz", "/health", "/metrics")


def log_requests(app: Flask) -> None:
    """Binds a request id, taken from `X-Request-Id` where it is harmless, and logs each answer by its route."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        g.began = monotonic()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id, component="api")

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        # The rule, not the path: a path may hold anything.
        route = request.url_rule.rule if request.url_rule else "unknown"
        method = request.method if request.method in _METHODS else "other"
        current_service().metrics.request(method, route, response.status_code, g.began)
        if not route.startswith(_QUIET):
            log.info(
                "request",
                method=method,
                route=route,
                http_status=response.status_code,
                duration_ms=round((monotonic() - g.began) * 1000),
                caller=g.caller.name if "caller" in g else None,
            )
        return response


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
