"""The therapist service as a WSGI application: `gunicorn 'therapist_service.app:create_app()'`."""

import os
from collections.abc import Mapping

from flask import Flask

from shared.console.install import install_console
from shared.core.logs import configure_logging
from shared.core.settings import LogSettings, ServingSettings
from shared.http.app import build_app, tell_of_open_doors
from shared.http.imports_api import ROUTES as IMPORTS
from shared.http.reviews_api import ROUTES as REVIEWS
from shared.http.reviews_api import deciding_routes
from shared.workers.background import BackgroundWorkers
from therapist_service.api import ROUTES as THERAPISTS
from therapist_service.bootstrap import NAME, build_parts, build_service, read_service_settings, require_digest_key
from therapist_service.console import console_sections
from therapist_service.reviews import resolve_review
from therapist_service.undo import undo_review

_DESCRIPTION = "Therapists that Curavani knows, and the import of scraped practices. Domain fields are German."


def create_app(environ: Mapping[str, str] | None = None, *, start_workers: bool = True) -> Flask:
    """The application, with its background work started in this process, or after the fork where one is to come.

    Raises `SettingsError` that names every missing or malformed setting.
    """
    settings = read_service_settings(os.environ if environ is None else environ)
    configure_logging(settings[LogSettings], service=NAME)
    tell_of_open_doors(settings[ServingSettings])
    require_digest_key(settings)
    parts = build_parts(settings, console_base_url=settings[ServingSettings].console_base_url)
    service = build_service(settings, parts)
    routes = [THERAPISTS, IMPORTS, REVIEWS, deciding_routes(resolve_review, undo_review)]
    app = build_app(service, "Curavani therapist service", _DESCRIPTION, routes)
    install_console(app, service, console_sections(parts.engine))
    if start_workers:
        workers = BackgroundWorkers(
            parts.engine, service.kernel, lambda: parts.jobs(import_enabled=service.import_enabled)
        )
        workers.start()
    return app
