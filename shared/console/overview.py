"""The first page: is all well, and what is there to do."""

from flask import Blueprint, render_template

from shared.database.engine import transaction
from shared.health import import_health
from shared.service import current_service


def add_overview(console: Blueprint) -> None:
    """The overview at `/console`."""
    console.get("", endpoint="index")(_overview)


def _overview() -> str:
    service = current_service()
    with transaction(service.engine) as connection:
        checks = import_health(connection, service.kernel, service.expected)
    return render_template("console/overview.html", checks=checks)
