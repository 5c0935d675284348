"""The patient service as a WSGI application: `gunicorn 'patient_service.app:create_app()'`."""

import os
from collections.abc import Mapping

from flask import Flask

from patient_service.api import ROUTES as PATIENTS
from patient_service.api import erasing_routes, exporting_routes
from patient_service.bootstrap import NAME, build_parts, build_service, read_service_settings, require_digest_key
from patient_service.console import console_correcting, console_sections
from patient_service.corrections_api import correcting_routes
from patient_service.export import Exporter
from patient_service.reviews import resolve_review
from patient_service.undo import undo_review
from shared.console.install import install_console
from shared.core.logs import configure_logging
from shared.core.settings import LogSettings, RetentionSettings, ServingSettings
from shared.http.app import build_app, tell_of_open_doors
from shared.http.imports_api import ROUTES as IMPORTS
from shared.http.reviews_api import ROUTES as REVIEWS
from shared.http.reviews_api import deciding_routes
from shared.workers.background import BackgroundWorkers

_DESCRIPTION = "Patients of Curavani, and the import of their registrations. Domain fields are German."


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
    exporter = Exporter(parts.erasure.copies)
    routes = [
        *(PATIENTS, erasing_routes(parts.erasure), exporting_routes(exporter)),
        *(IMPORTS, correcting_routes(parts.corrections)),
        *(REVIEWS, deciding_routes(resolve_review, undo_review)),
    ]
    app = build_app(service, "Curavani patient service", _DESCRIPTION, routes)
    sections = console_sections(parts.erasure, exporter, settings[RetentionSettings].patient_days)
    install_console(app, service, sections, console_correcting(parts.corrections))
    if start_workers:
        workers = BackgroundWorkers(
            parts.engine, service.kernel, lambda: parts.jobs(import_enabled=service.import_enabled)
        )
        workers.start()
    return app
