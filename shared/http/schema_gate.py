"""Keeps requests from tables that are not ours, or have not come far enough, and from poolers that no lock survives."""

import threading

from flask import Flask, request

from shared.core.errors import DatabaseUnavailable, PoolerInTransactionMode
from shared.database.engine import transaction
from shared.database.pooler import require_own_sessions
from shared.database.revision import require_revision
from shared.http.service import Service

_GUARDED = ("/api/", "/console")
_OPEN = "/console/static/"
"""What the page needs that says so."""


def require_our_schema(app: Flask, service: Service) -> None:
    """Looks before the first request of API and console; once the schema was right it is not looked at again.

    Health and metrics say themselves what they find. A database that is away is left to whoever needs it.
    """
    found = threading.Event()

    def look() -> None:
        is_guarded = request.path.startswith(_GUARDED) and not request.path.startswith(_OPEN)
        if found.is_set() or not is_guarded:
            return
        try:
            require_own_sessions(service.engine)
            with transaction(service.engine) as connection:
                require_revision(connection)
        except PoolerInTransactionMode:
            raise
        except DatabaseUnavailable:
            return
        found.set()

    app.before_request(look)
