"""Health: is the process alive, can it answer, does the import work."""

from flask import Blueprint, Response, jsonify

from shared.core.dependencies import Check
from shared.core.errors import CuravaniError
from shared.database.engine import transaction
from shared.database.pooler import require_own_sessions
from shared.database.revision import require_revision
from shared.http.auth import EVERYBODY, needs
from shared.http.service import Service, current_service
from shared.state.health import import_health
from shared.state.reading import read_snapshot


def health_routes() -> Blueprint:
    """`/livez`, `/readyz`, `/health`, `/health/import`; open to everybody, there is no data in them."""
    routes = Blueprint("health", __name__)
    routes.get("/livez")(needs(EVERYBODY)(_livez))
    routes.get("/readyz")(needs(EVERYBODY)(_readyz))
    routes.get("/health")(needs(EVERYBODY)(_health))
    routes.get("/health/import")(needs(EVERYBODY)(_import_health))
    return routes


Answer = tuple[Response, int]


def _livez() -> Response:
    return jsonify(status="alive")


def _readyz() -> Answer:
    """Whether requests can be answered. A failed import is no reason to send nobody here."""
    service = current_service()
    try:
        require_own_sessions(service.engine)
        with transaction(service.engine) as connection:
            require_revision(connection)
    except CuravaniError as error:
        known = Check("database", ok=False, code=error.code, reason=error.detail).as_json()
        return jsonify(status="unready", service=service.name, failing="database", **known), 503
    return jsonify(status="ready", service=service.name), 200


def _health() -> Answer:
    answer, code = _readyz()
    if code != 200:
        return answer, code
    return jsonify(status="healthy", service=current_service().name), 200


def _import_health() -> Answer:
    """Whether the import works: all that it depends on answers, and nothing waits too long."""
    service = current_service()
    checks = [*_from_the_database(service), *service.probes.checks()]
    healthy = all(check.ok for check in checks)
    details = {check.name: check.as_json() for check in checks}
    answer = jsonify(status="healthy" if healthy else "unhealthy", service=service.name, details=details)
    return answer, 200 if healthy else 503


def _from_the_database(service: Service) -> list[Check]:
    try:
        require_own_sessions(service.engine)
        with transaction(service.engine) as connection:
            require_revision(connection)
            snapshot = read_snapshot(connection, service.kernel)
    except CuravaniError as error:
        return [Check("database", ok=False, code=error.code, reason=error.detail)]
    return [Check("database", ok=True), *import_health(snapshot, service.expected)]
