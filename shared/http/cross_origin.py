"""Lets front ends on other origins call the API from a browser (CORS); which ones, the settings name.

Nothing of cookies: the API knows its callers by a header, which no page on another origin can make a browser send.
"""

from collections.abc import Sequence

from flask import Flask, Response, request

_KEEP_SECONDS = "600"


def allow_origins(app: Flask, origins: Sequence[str]) -> None:
    """Answers of the API, failures too, say to these origins that they may be read."""
    if not origins:
        return
    allowed = frozenset(origins)

    def name_origin(response: Response) -> Response:
        if not request.path.startswith("/api/"):
            return response
        # Also without an origin, or a cache in between would hand one caller's answer to the other.
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin not in allowed:
            return response
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "Retry-After, WWW-Authenticate"
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Max-Age"] = _KEEP_SECONDS
        return response

    app.after_request(name_origin)
