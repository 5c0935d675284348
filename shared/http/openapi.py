"""The OpenAPI document and its page. It describes; validation is the schemas' own (`shared.fields.validation`)."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, send_from_directory
from pydantic import BaseModel
from spectree import Response as Answers
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData

from shared.http.errors import ErrorOut

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/assets/css/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/assets/js/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script></body></html>"""
_START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});'
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


class ApiDocument:
    """Collects the descriptions of one service's endpoints."""

    def __init__(self, title: str, description: str) -> None:
        self._title = title
        self._spec = SpecTree(
            "flask",
            annotations=False,
            title=title,
            description=description,
            version="1.0",
            mode="strict",
            validation_error_status=400,
            validation_error_model=ErrorOut,
            # Names that a reader of the document recognises; a test holds them unique.
            naming_strategy=lambda model: model.__name__,
            nested_naming_strategy=lambda _parent, child: child,
            security_schemes=[
                SecurityScheme(name="token", data=SecuritySchemeData(type=SecureType.HTTP, scheme="bearer"))
            ],
        )

    def describes(
        self,
        answer: type[BaseModel] | None,
        *,
        status: int = 200,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        errors: tuple[int, ...] = (),
        public: bool = False,
        tag: str,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Puts an endpoint into the document; its docstring becomes the description."""
        listed: dict[str, type[BaseModel] | None] = {f"HTTP_{status}": answer}
        refused = errors if public else (*errors, 401, 403)
        listed |= {f"HTTP_{error}": ErrorOut for error in refused}
        decorate: Callable[[Callable[..., Any]], Callable[..., Any]] = self._spec.validate(
            json=body,
            query=query,
            resp=Answers(**listed),
            tags=[tag],
            security={} if public else {"token": []},
            skip_validation=True,
        )
        return decorate

    def register(self, app: Flask) -> None:
        """Serves the document at `/openapi.json` and a page about it at `/docs`, without any outside asset."""
        self._spec.app = app
        pages = Blueprint("openapi", __name__)
        assets = files("flask_openapi3_swagger") / "templates" / "swagger"

        @pages.get("/openapi.json")
        def document() -> Response:
            return jsonify(self._spec.spec)

        @pages.get("/docs")
        def page() -> Response:
            return _with_policy(Response(_PAGE.format(title=self._title), mimetype="text/html"))

        @pages.get("/docs/start.js")
        def start() -> Response:
            return Response(_START, mimetype="text/javascript")

        @pages.get("/docs/assets/<path:name>")
        def asset(name: str) -> Response:
            return send_from_directory(str(assets), name)

        app.register_blueprint(pages)


def _with_policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    return response
