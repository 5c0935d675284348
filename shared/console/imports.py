"""The files that the import knows: the list, one file with all that is known of it, and mending it."""

from flask import Blueprint, render_template
from flask_babel import lazy_gettext

from shared.console.sections import Section
from shared.database.engine import transaction
from shared.http.requests import paging, word
from shared.imports.queries import list_imports
from shared.service import current_service


def imports_section() -> Section:
    """The section at `/console/imports`."""
    routes = Blueprint("imports", __name__)
    routes.get("", endpoint="index")(_list)
    return Section(routes, lazy_gettext("Imports"))


def _list() -> str:
    service, page = current_service(), paging()
    with transaction(service.engine) as connection:
        rows, total = list_imports(
            connection, service.kernel, status=word("status"), offset=page.offset, limit=page.limit
        )
    return render_template("console/imports.html", rows=rows, total=total)
